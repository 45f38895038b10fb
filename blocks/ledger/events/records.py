"""What the inbox holds: events on their way, and the incidents that they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import AwareDatetime, Field
from sqlalchemy import RowMapping

from blocks.ledger.engine.values import to_json
from blocks.models import Frozen, Strict
from blocks.vocabulary.messages import Severity, SystemEvent, new_id
from blocks.vocabulary.told import Told

EventKey = tuple[str, str]
"""Source and id: what makes an event the same event."""


class EventStatus(StrEnum):
    """Where an event stands."""

    WAITING = "waiting"
    TAKEN = "taken"
    SETTLED = "settled"


class IncidentStatus(StrEnum):
    """Where an incident stands.

    ``standing``: it was responded to, and is not over: its source still tells of it, or nobody
    knows it and a person has to say what becomes of it.
    """

    OPEN = "open"
    RESPONDING = "responding"
    STANDING = "standing"
    SETTLED = "settled"


class IncidentState(StrEnum):
    """Where an incident stands for the people who look after it."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Ending(StrEnum):
    """What ended an incident; None where nobody has to know, as of news."""

    RESOLVED = "resolved"  # by its source
    ANSWERED = "answered"  # by a person
    WELL = "well"  # our own look showed it well
    MENDED = "mended"  # a remedy was verified to have helped


class Summary(Frozen):
    """Events that were only counted: of which type, how many, from when to when, and one."""

    type: str
    events: int
    first: AwareDatetime
    last: AwareDatetime
    example: dict[str, Any]


class IncidentResponse(Frozen):
    """What came of an incident.

    Attributes:
        done: What was done, or is to be done, in a sentence.
        severity: How bad the agents judge it to be.
        mended: Whether a remedy was verified to have helped.
        assessments: Agent to what it said; None when no agent was asked.
        failed: Agents that did not answer, with the reason.
        remediations: What was tried, or why not.
        advice: What a person should do.
        impact_per_hour: Money at risk, as far as an agent knows.
        told: What its sender says of it.
        summary: What was counted, of events that were responded to in bulk.
    """

    done: str = ""
    severity: Severity | None = None
    mended: bool = False
    assessments: dict[str, str] | None = None
    failed: dict[str, str] = Field(default_factory=dict)
    remediations: list[dict[str, Any]] = Field(default_factory=list)
    advice: list[str] = Field(default_factory=list)
    impact_per_hour: float | None = None
    told: Told = Field(default_factory=Told)
    summary: Summary | None = None


class IncidentRecord(Strict):
    """Events that belong together, and the one response to them.

    Attributes:
        need_key: Unique: of runs that open the same incident, one does.
        resource: What it is about, ``type:name``; the source where events name no subject.
        severity: The worst of its events'.
        updated_at: When its response began, once it has.
        events: How many events it has.
        run_id: The run that responds to it, or did last.
        settled_at: When it was over.
        response: What came of it; None until it was responded to.
        responded_at: When its response ended.
        ending: What ended it.
        ended_by: Who answered, if that ended it.
        impact_per_hour: Money at risk, as far as anybody knows.
        group_key: What a person is asked about together; None: nobody need be asked.
        approval_id: The question to a person that it is part of.
        type: Of the event that told most when it was opened.
        labels: What the sender says it is about, name to value, when it was opened.
        notice_group: What people are told of together.
        outages: How often it began: once, and once more each time it was reopened.
        previous_id: The incident of the same alert that was over too long to be reopened.
        reopened_at: When the present outage came, if it is not the first.
        worsened_at: When it last became worse than all that it had been.
        flapping_since: Since when it begins and ends again and again; None when it does not.
        acknowledged_by: Who sees to it.
        acknowledged_at: When they said so.
        acknowledged_until: Until then nobody else is called.
        assigned_to: The person or audience whose it is.
        silence_id: The silence that covers it.
    """

    id: str = Field(default_factory=new_id)
    need_key: str
    resource: str
    severity: Severity
    title: str
    opened_at: AwareDatetime
    updated_at: AwareDatetime
    status: IncidentStatus = IncidentStatus.OPEN
    events: int = 0
    run_id: str | None = None
    settled_at: AwareDatetime | None = None
    response: IncidentResponse | None = None
    responded_at: AwareDatetime | None = None
    ending: Ending | None = None
    ended_by: str | None = None
    impact_per_hour: float | None = None
    group_key: str | None = None
    approval_id: str | None = None
    type: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    notice_group: str = ""
    outages: int = 1
    previous_id: str | None = None
    reopened_at: AwareDatetime | None = None
    worsened_at: AwareDatetime | None = None
    flapping_since: AwareDatetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: AwareDatetime | None = None
    acknowledged_until: AwareDatetime | None = None
    assigned_to: str | None = None
    silence_id: str | None = None

    @property
    def began_at(self) -> datetime:
        """When the present outage, or the last one, came to us."""
        return self.reopened_at or self.opened_at

    @property
    def is_silenced(self) -> bool:
        """Whether a silence covered it when that was last looked at."""
        return self.silence_id is not None

    def state(self, now: datetime) -> IncidentState:
        """Where it stands for the people who look after it."""
        if self.is_over:
            return IncidentState.RESOLVED
        until = self.acknowledged_until
        seen_to = until is not None and now < until
        return IncidentState.ACKNOWLEDGED if seen_to else IncidentState.TRIGGERED

    @property
    def told(self) -> Told:
        """What its sender says of it; nothing before it was responded to."""
        return self.response.told if self.response else Told()

    @property
    def done(self) -> str:
        """What was done about it, or is to be done; empty before it was responded to."""
        return self.response.done if self.response else ""

    @property
    def summary(self) -> Summary | None:
        """What was counted, if its events were responded to in bulk."""
        return self.response.summary if self.response else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.status is IncidentStatus.SETTLED


@dataclass(frozen=True)
class Accepted:
    """What became of events that were handed in.

    Attributes:
        new: Events that were not known.
        duplicates: Events whose source and id were known: nothing happens to them again.
        updates: Of the new ones, those that say something else of a thing than was said last.
        repeated: Of the new ones, those that say of a thing what was said last.
        ids: The ids of all that were handed in, as the inbox has them.
    """

    new: int
    duplicates: int
    updates: int = 0
    repeated: int = 0
    ids: tuple[str, ...] = ()


class Entered(NamedTuple):
    """What became of an event that was handed in: the id that the inbox knows it by."""

    id: str
    new: bool


@dataclass(frozen=True)
class TakenEvent:
    """An event that a run works on.

    Attributes:
        tries: How often it was taken; more than once when a run died over it.
        incident_id: The incident that an earlier run had put it into.
    """

    event: SystemEvent
    received_at: datetime
    tries: int
    incident_id: str | None = None

    @property
    def key(self) -> EventKey:
        """Source and id."""
        return self.event.source, self.event.id


@dataclass(frozen=True)
class FiringAlert:
    """An alert that fires, as its source said it last with a change.

    Attributes:
        ending: How the incident ended that it made up, if it is over all the same.
        ended_at: When that was.
    """

    event: SystemEvent
    ending: Ending | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Waiting:
    """Events of one severity that are not settled."""

    events: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True)
class Depth:
    """What is not settled yet, at an instant; severities of which nothing waits are absent."""

    at: datetime
    waiting: Mapping[Severity, Waiting]

    @property
    def events(self) -> int:
        """How many events are not settled."""
        return sum(waiting.events for waiting in self.waiting.values())

    @property
    def oldest_wait(self) -> timedelta:
        """For how long the oldest of them has waited."""
        if not self.waiting:
            return timedelta(0)
        return self.at - min(waiting.oldest for waiting in self.waiting.values())

    def below(self, severity: Severity) -> Waiting | None:
        """What waits below a severity; None when nothing does."""
        milder = [w for s, w in self.waiting.items() if s < severity]
        if not milder:
            return None
        return Waiting(
            sum(w.events for w in milder),
            min(w.oldest for w in milder),
            max(w.newest for w in milder),
        )


def taken_event(row: RowMapping) -> TakenEvent:
    """The event of a row."""
    fields = {name: row[name] for name in SystemEvent.model_fields}
    return TakenEvent(SystemEvent(**fields), row["received_at"], row["tries"], row["incident_id"])


def incident_row(record: IncidentRecord) -> dict[str, Any]:
    """The row of an incident."""
    response = None if record.response is None else to_json(record.response)
    return dict(record) | {"response": response, "labels": to_json(record.labels)}
