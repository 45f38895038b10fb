"""What agents find: problems with their evidence, and the remedies that may be tried."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from blocks.models import Frozen
from blocks.vocabulary.messages import Name, Severity

INCIDENT = "incident"
"""In a finding's evidence: the id of the open incident that it is told as."""


class Remedy(Frozen):
    """An action that may mend a finding without asking a person.

    A finding carries a remedy only when the action is safe to try and can be verified.
    """

    agent: Name
    action: str
    params: dict[str, Any] = Field(default_factory=dict)


class Finding(Frozen):
    """One thing that is wrong or worth knowing, with its evidence.

    Attributes:
        kind: What sort of problem, dashed (``service-down``, ``stock-out-risk``).
        resource: The thing concerned, ``type:name`` (``service:checkout``, ``sku:85048``).
        severity: How bad it is.
        title: One sentence a manager understands.
        evidence: The measured values behind the title, name to value.
        impact_per_day: Money at risk per day in the store's currency; None when unknown.
        revenue_share: Share of revenue (0 to 1) that depends on the resource, for findings
            whose agent does not know the revenue; triage turns it into money.
        advice: What a person should do when no remedy applies.
        remedy: The safe automatic action, if there is one.
    """

    kind: Name
    resource: str
    severity: Severity
    title: str
    evidence: dict[str, Any] = Field(default_factory=dict)
    impact_per_day: float | None = None
    revenue_share: float | None = Field(default=None, ge=0, le=1)
    advice: str = ""
    remedy: Remedy | None = None

    @property
    def fingerprint(self) -> str:
        """Identity of the problem, equal from one check to the next."""
        return f"{self.kind}/{self.resource}"
