"""Events for partners, their deliveries, and how endpoints stand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, Field

from blocks.ledger.work.effects import EffectRecord
from blocks.models import Strict
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import new_id
from blocks.vocabulary.partner_events import EventType, OrderedBy

QUEUE = "endpoint:"
"""What the queue of an endpoint is called before its name."""

DISABLED = "endpoint-disabled"
"""The reason why a delivery was not sent: its endpoint takes none."""

PATIENT_FAILURES = 3
"""From so many failures in a row on, an endpoint is left alone for a while."""

PAUSE = timedelta(seconds=5)
"""For how long, then twice as long after each further one, …"""

LONGEST_PAUSE = timedelta(minutes=5)
"""… and at most so long."""


class PartnerEvent(Strict):
    """Something that partners may be told of.

    Attributes:
        id: Goes with each delivery as ``webhook-id``: receivers know it again by it.
        need_key: Unique: the same thing is told once.
        number: Its place in the order in which events were written; 0 until it is.
        subject: Which incident, order, … it is about, ``type:id``.
        resource: What that one is about, ``type:name``; "" where there is no such thing.
        data: As ``blocks.vocabulary.partner_events`` describes it.
    """

    id: str = Field(default_factory=lambda: f"evt_{new_id()}")
    need_key: str
    number: int = 0
    type: EventType
    subject: str
    resource: str = ""
    at: AwareDatetime
    data: dict[str, Any]

    def line(self, ordered_by: OrderedBy) -> str:
        """What it waits in line with; "": with nothing."""
        match ordered_by:
            case OrderedBy.SUBJECT:
                return self.subject
            case OrderedBy.RESOURCE:
                return self.resource or self.subject
            case OrderedBy.ALL:
                return "all"
            case OrderedBy.NONE:
                return ""

    @property
    def payload(self) -> dict[str, Any]:
        """What is sent (Standard Webhooks 1.0.0, payload structure)."""
        return {"type": self.type, "timestamp": self.at.isoformat(), "data": self.data}


class DeliveryAttempt(Strict):
    """One attempt at a delivery.

    Attributes:
        number: As the effect counts its attempts.
        at: When it was begun.
        status: HTTP status; None when there was no answer.
        duration_ms: Until the answer, or until it was given up.
        fault: What went wrong, in words; "" when nothing did.
        answer: How the answer's body begins; nothing secret of ours.
    """

    effect_id: str
    number: int
    at: AwareDatetime
    status: int | None = None
    duration_ms: float
    fault: str = ""
    answer: str = ""


class Delivery(Strict):
    """An event on its way to an endpoint.

    Attributes:
        id: Of its effect.
        line: What it waits in line with; "": with nothing.
        attempts: Those on record, the earliest first.
    """

    event: PartnerEvent
    endpoint: str
    line: str
    effect: EffectRecord
    attempts: list[DeliveryAttempt] = Field(default_factory=list)

    @property
    def id(self) -> str:
        """Of its effect."""
        return self.effect.id

    @property
    def status(self) -> EffectStatus:
        """How far it came."""
        return self.effect.status

    @property
    def view(self) -> DeliveryView:
        """As people and clients see it."""
        event, effect = self.event, self.effect
        return DeliveryView(
            id=self.id,
            endpoint=self.endpoint,
            webhook_id=event.id,
            type=event.type,
            subject=event.subject,
            resource=event.resource,
            at=event.at,
            data=event.data,
            status=effect.status,
            detail=effect.outcome.detail or effect.outcome.reason,
            next_at=effect.next_at,
            finished_at=effect.finished_at,
            tries=effect.attempts,
            attempts=self.attempts,
        )


class DeliveryView(Strict):
    """A delivery as people and clients see it.

    Attributes:
        webhook_id: The same however often it is sent.
        type, subject, resource, at, data: The event's.
        status: How far it came: ``refused`` is missed, as the endpoint was disabled.
        detail: What came of it last, in words.
        next_at: When it is tried again; None when it is not.
        finished_at: When it was over; None while it is not.
        tries: Attempts that were begun.
    """

    id: str
    endpoint: str
    webhook_id: str
    type: EventType
    subject: str
    resource: str
    at: AwareDatetime
    data: dict[str, Any]
    status: EffectStatus
    detail: str
    next_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    tries: int
    attempts: list[DeliveryAttempt]


class EndpointState(Strict):
    """How an endpoint stands.

    Attributes:
        wants: Patterns of the types that it wanted when its configuration was last read.
        ordered_by: The same.
        enabled: Whether it is sent anything.
        changed_at, changed_by, why: When that last changed, by whom, and why.
        told_at: When people were told that it was disabled; None: they have to be, if it is.
        failures: Attempts in a row that failed.
        failing_since: The first of them.
        not_before: It is left alone until then.
        delivered_at: When it last took something.
    """

    name: str
    wants: list[str] = Field(default_factory=list)
    ordered_by: OrderedBy = OrderedBy.NONE
    enabled: bool = True
    changed_at: AwareDatetime
    changed_by: str = ""
    why: str = ""
    told_at: AwareDatetime | None = None
    failures: int = 0
    failing_since: AwareDatetime | None = None
    not_before: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None

    def is_resting(self, now: datetime) -> bool:
        """Whether it is left alone just now."""
        return self.not_before is not None and now < self.not_before

    def took_one(self, now: datetime) -> Self:
        """After it took a delivery."""
        well = {"failures": 0, "failing_since": None, "not_before": None, "delivered_at": now}
        return self.model_copy(update=well)

    def failed_one(self, now: datetime, until: datetime | None) -> Self:
        """After it did not take a delivery.

        Args:
            now: When.
            until: It wants to be left alone until then; None when it did not say so.
        """
        failures = self.failures + 1
        if until is None and failures >= PATIENT_FAILURES:
            doubled = PAUSE * 2 ** min(failures - PATIENT_FAILURES, 10)
            until = now + min(doubled, LONGEST_PAUSE)
        rests = [each for each in (self.not_before, until) if each is not None]
        changed = {
            "failures": failures,
            "failing_since": self.failing_since or now,
            "not_before": max(rests, default=None),
        }
        return self.model_copy(update=changed)

    def disabled(self, now: datetime, by: str, why: str) -> Self:
        """After it was decided that it is sent nothing any more."""
        changed = {"enabled": False, "changed_at": now, "changed_by": by, "why": why}
        return self.model_copy(update={**changed, "told_at": None})

    def enabled_again(self, now: datetime, by: str) -> Self:
        """After a person said that it is well; what was is forgotten."""
        changed = {"enabled": True, "changed_at": now, "changed_by": by, "why": "", "told_at": None}
        well = {"failures": 0, "failing_since": None, "not_before": None}
        return self.model_copy(update=changed | well)
