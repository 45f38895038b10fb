"""What a proposal is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from blocks.models import Strict

Confidence = Literal["low", "medium", "high"]


class Proposal(Strict):
    """One possible improvement, quantified.

    Attributes:
        title: What to do, in one sentence.
        kind: What sort of improvement, dashed.
        resource: What it concerns, ``type:name``.
        expected_benefit: How much it is worth, in ``unit``; None where nobody knows.
        unit: ``GBP/day`` (the store's currency), ``ms/run``, ``s/run`` or ``MB``.
        confidence: How sure that is.
        confidence_reason: Why.
        evidence: The measured values behind it.
        effort: How long a person needs for it.
        how: The steps.
    """

    title: str
    kind: str
    resource: str
    expected_benefit: float | None
    unit: str
    confidence: Confidence
    confidence_reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    effort: Literal["minutes", "hours", "days"]
    how: str


def by_count(count: int) -> Confidence:
    """How sure a mean over so many observations is."""
    return "high" if count >= 50 else "medium" if count >= 15 else "low"
