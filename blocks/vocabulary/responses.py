"""Results that several agents give in the same form, so that whoever asked can use any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import AwareDatetime, Field

from blocks.models import Strict, read_as
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity, SystemEvent


class EventResponse(Strict):
    """What one agent has to say to an event.

    Attributes:
        relevant: Whether the event concerns the agent at all.
        assessment: One sentence a manager understands: what it means, or why it does not concern.
        severity: How bad the agent judges it to be; ``info`` when it does not concern it.
        resource: The thing concerned, ``type:name``.
        proposals: Safe remedies that may be tried.
        advice: What a person should do.
        impact_per_hour: Money at risk per hour in the store's currency, as it is now; None when
            unknown.
        impact_per_day: Money at risk in the 24 hours to come, each hour by what it usually brings;
            None when unknown.
        evidence: The values behind the assessment.
        well: Whether a look at the thing itself showed it well; None when nobody looked at it.
    """

    relevant: bool
    assessment: str
    severity: Severity
    resource: str
    proposals: list[Remedy] = Field(default_factory=list)
    advice: str = ""
    impact_per_hour: float | None = None
    impact_per_day: float | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)
    well: bool | None = None

    @property
    def summary(self) -> str:
        """The assessment."""
        return self.assessment

    @classmethod
    def not_concerned(cls, event: SystemEvent, why: str) -> Self:
        """The answer of an agent whom the event does not concern."""
        return cls(relevant=False, assessment=why, severity=Severity.INFO, resource=event.subject)


class EventResponses(Strict):
    """What one agent has to say to many events, in their order.

    Attributes:
        responses: None for an event that it has to be asked about alone: it takes longer than the
            others may wait for it, or something failed.
    """

    responses: list[EventResponse | None]

    @property
    def summary(self) -> str:
        """How many there are."""
        concerned = sum(said is not None and said.relevant for said in self.responses)
        return f"{concerned} of {len(self.responses)} events concern it."


class StockLevels(Strict):
    """Units on hand per SKU, counted or estimated.

    Attributes:
        summary: One sentence a manager understands.
        taken_at: When the store was read that this rests on.
        items: Number of SKUs.
        units: Units on hand of all of them. What is owed of one does not lower it.
        owed: Units that are owed: sold beyond what is on hand, of all of them.
        on_hand: Units on hand by SKU; below zero where more was sold than there was.
        stale: Whether the levels are older than the question.
        degraded: Whether they are less than a count of now.
        basis: What they rest on, in words.
        findings: What is wrong or worth knowing.
    """

    summary: str
    taken_at: AwareDatetime
    items: int
    units: float
    owed: float = 0.0
    on_hand: dict[str, float]
    stale: bool
    degraded: bool
    basis: str
    findings: list[Finding] = Field(default_factory=list)


def read_event(document: Mapping[str, Any]) -> SystemEvent:
    """The event that a JSON document holds.

    Raises:
        InvalidMessage: It is no event; names the field at fault.
    """
    hint = f"An event has {', '.join(SystemEvent.model_fields)}."
    return read_as(SystemEvent, document, "event", hint)


def subject_of(event: SystemEvent) -> tuple[str, str]:
    """Kind and name of what the event is about: ``service:web`` is ``("service", "web")``.

    Both are "" without a subject; a subject without a kind is a name of kind "".
    """
    kind, colon, name = event.subject.partition(":")
    return (kind, name) if colon else ("", kind)
