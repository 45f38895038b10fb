"""What a remedy reports."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from blocks.models import Strict
from blocks.vocabulary.effects import EffectVerdict


class RemediationResult(Strict):
    """What one remedy did, and how it is known.

    Attributes:
        action: Name of the remedy.
        resource: What it acted on, ``type:name``.
        status: How it went.
        acted: Whether anything was changed.
        detail: What happened, in one sentence.
        before: Measurements before acting.
        after: Measurements after acting; empty when nothing was done.
        seconds: Time from the first measurement to the last.
    """

    action: str
    resource: str
    status: EffectVerdict
    acted: bool
    detail: str
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0
