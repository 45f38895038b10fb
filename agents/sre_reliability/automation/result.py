"""What a remedy reports."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from blocks.ledger.calls.records import RemediationStatus
from blocks.models import Strict


class RemediationResult(Strict):
    """What one remedy did, and how it is known.

    Attributes:
        action: Name of the remedy.
        resource: What it acted on, ``type:name``.
        status: ``not-needed``: the precondition did not hold, nothing was done. ``verified``: the
            predicted change came. ``ineffective``: it was done, and the change did not come.
            ``inconclusive``: it was done, and the measurements don't tell. ``failed``: it could
            not be done. ``unknown``: it was begun, and nobody knows how far it came.
        acted: Whether anything was changed.
        precondition: What had to be the case for it to be tried.
        prediction: The change that was predicted.
        detail: What happened, in one sentence.
        before: Measurements before acting.
        after: Measurements after acting; empty when nothing was done.
        seconds: Time from the first measurement to the last.
    """

    action: str
    resource: str
    status: RemediationStatus
    acted: bool
    precondition: str
    prediction: str
    detail: str
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0
