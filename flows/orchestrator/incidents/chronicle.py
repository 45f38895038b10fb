"""The chronicle of one incident: what happened, in order, from all that is on record about it.

Nothing is written down for it alone: each record tells its part, and an incident that is looked at
a year later has the same chronicle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.errors import NotFound
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.ledger.samples.samples import Series
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.ledger.work.effects import EffectRecord
from blocks.text.spans import span
from blocks.vocabulary.messages import ORCHESTRATOR, RESOLVED, Severity, SystemEvent
from blocks.vocabulary.told import in_short

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=15)
"""So much of the time around an incident is shown with it."""

MOST_EVENTS = 200
"""Events that are read of one incident; how many there are is always known."""

_LOOKED_THROUGH = 500  # incidents, for the last one that matters
_LATE = timedelta(minutes=10)  # acts that a response began may end after it


@dataclass(frozen=True)
class Moment:
    """One step.

    Attributes:
        kind: What it is: an entry's kind, else ``event``, ``act``, ``question``, ``answer``.
        by: Who did it, or told it.
        text: One sentence; it may come from outside.
    """

    at: datetime
    kind: str
    by: str
    text: str


@dataclass(frozen=True)
class Chronicle:
    """All that is known of one incident.

    Attributes:
        incident: As it stands.
        until: When it was over; the present while it goes on.
        moments: What happened, the earliest first.
        acts: What was done to the things concerned, the earliest first.
        question: What a person was asked about it.
        affected: The other things that its events are about.
        events_per_minute: How many of its events came in which minute.
        series: What was measured of the things concerned meanwhile, by the series' name.
    """

    incident: IncidentRecord
    until: datetime
    moments: tuple[Moment, ...]
    acts: tuple[EffectRecord, ...]
    question: ApprovalRecord | None
    affected: tuple[str, ...]
    events_per_minute: Mapping[datetime, int]
    series: Mapping[str, Series]

    @property
    def began(self) -> datetime:
        """When the first sign of it was seen, by whoever told it; never after it was opened."""
        return min((moment.at for moment in self.moments), default=self.incident.opened_at)

    @property
    def lasted(self) -> timedelta:
        """From its first sign to its end, or to the present."""
        return max(self.until - self.began, timedelta(0))

    def first(self, *kinds: str) -> datetime | None:
        """When the first moment of one of these kinds was."""
        return next((moment.at for moment in self.moments if moment.kind in kinds), None)


async def chronicle_of(ledger: Ledger, incident_id: str, now: datetime) -> Chronicle:
    """Put together what is known of an incident.

    Args:
        ledger: Has the records.
        incident_id: Its id, enough of its beginning, or the resource of one that is open.
        now: The present.

    Raises:
        NotFound: There is no such incident.
        RequestError: There are several, or the beginning is too short.
        LedgerError: The ledger cannot be read.
    """
    incident = await ledger.incidents.get(incident_id)
    events = await ledger.inbox.events(incident.id, limit=MOST_EVENTS)
    entries = await ledger.incident_entries.of([incident.id])
    until = incident.settled_at or now
    things = {incident.resource, *(event.subject for event in events if event.subject)}
    acts = await _acts(ledger, things, incident, until)
    question = await ledger.approvals.get(incident.approval_id) if incident.approval_id else None
    return Chronicle(
        incident=incident,
        until=until,
        moments=_moments(incident, events, entries, acts, question),
        acts=tuple(acts),
        question=question,
        affected=tuple(sorted(things - {incident.resource})),
        events_per_minute=_per_minute(events),
        series=await _series(ledger, things, incident.opened_at - BEFORE, until + AFTER),
    )


async def last_grave_one(ledger: Ledger) -> str:
    """The id of the incident opened last that is an error or worse.

    Raises:
        NotFound: There was none yet.
    """
    for incident in await ledger.inbox.incidents(limit=_LOOKED_THROUGH):
        if incident.severity >= Severity.ERROR and not incident.summary:
            return incident.id
    raise NotFound(
        "There has been no incident that was an error or worse.",
        hint="Name one: ./orchestrator incidents --all lists them.",
    )


async def _acts(
    ledger: Ledger, things: Collection[str], incident: IncidentRecord, until: datetime
) -> list[EffectRecord]:
    found: list[EffectRecord] = []
    for thing in sorted(things):
        found += await ledger.effects.acts(since=incident.opened_at, target=thing)
    return sorted(
        (act for act in found if act.intended_at <= until + _LATE),
        key=lambda act: (act.intended_at, act.id),
    )


async def _series(
    ledger: Ledger, things: Collection[str], since: datetime, until: datetime
) -> dict[str, Series]:
    names = [name for thing in sorted(things) for name in await ledger.samples.names(f"{thing}/")]
    history = await ledger.samples.history(names, since, until)
    return {name: series for name, series in history.items() if series}


def _per_minute(events: Sequence[SystemEvent]) -> dict[datetime, int]:
    counted: dict[datetime, int] = {}
    for event in events:
        minute = event.time.replace(second=0, microsecond=0)
        counted[minute] = counted.get(minute, 0) + 1
    return dict(sorted(counted.items()))


def _moments(
    incident: IncidentRecord,
    events: Sequence[SystemEvent],
    entries: Sequence[IncidentEntry],
    acts: Sequence[EffectRecord],
    question: ApprovalRecord | None,
) -> tuple[Moment, ...]:
    told = [
        *_events(events),
        *(Moment(e.at, e.kind.value, e.by, e.text) for e in entries),
        *(moment for act in acts for moment in _act(act)),
        *(_asked(question) if question else ()),
        *_unwritten(incident, entries),
    ]
    return tuple(sorted(told, key=lambda moment: moment.at))  # ties keep the order above


def _events(events: Sequence[SystemEvent]) -> Iterator[Moment]:
    """Each thing that was told; told again it is no new moment, but counted with the first."""
    same: dict[tuple[str, str], list[datetime]] = {}
    for event in events:
        said = "is over" if event.status == RESOLVED else event.severity.value
        about = f"{event.subject}: " if event.subject else ""
        text = f"{about}{in_short(event.type)}, {said}"
        same.setdefault((event.source, text), []).append(event.time)
    for (source, text), times in same.items():
        more = f", {len(times)} times within {span(max(times) - min(times), 2)}"
        yield Moment(min(times), "event", source, f"{text}{more if len(times) > 1 else ''}.")


def name_of(act: EffectRecord) -> str:
    """What was done, and to what, for instance ``Restart service (service:checkout)``."""
    what = act.kind.rpartition(".")[2].replace("_", " ")
    return f"{what.capitalize()} ({act.target})"


def _act(act: EffectRecord) -> Iterator[Moment]:
    what, agent = name_of(act), act.kind.partition(".")[0]
    yield Moment(act.intended_at, "act", agent, f"{what} begins.")
    if act.finished_at is not None:
        verdict = act.outcome.verdict.value if act.outcome.verdict else act.status.value
        detail = f" {act.outcome.detail}" if act.outcome.detail else ""
        yield Moment(act.finished_at, "act", agent, f"{what}: {verdict}.{detail}")


def _asked(question: ApprovalRecord) -> Iterator[Moment]:
    yield Moment(question.asked_at, "question", ORCHESTRATOR, f"Asked: {question.title}")
    if question.answered_at is not None and question.answered_by:
        word = "Yes" if question.status is ApprovalStatus.APPROVED else "No"
        note = f": {question.note}" if question.note else ""
        yield Moment(question.answered_at, "answer", question.answered_by, f"{word}{note}.")


def _unwritten(incident: IncidentRecord, entries: Sequence[IncidentEntry]) -> Iterator[Moment]:
    """The beginning and the end of incidents from before there were entries."""
    written = {entry.kind for entry in entries}
    if EntryKind.OPENED not in written:
        yield Moment(incident.opened_at, EntryKind.OPENED.value, ORCHESTRATOR, incident.title)
    if incident.responded_at is not None and EntryKind.RESPONDED not in written:
        yield Moment(incident.responded_at, EntryKind.RESPONDED.value, ORCHESTRATOR, incident.done)
    if incident.settled_at is not None and EntryKind.ENDED not in written:
        how = incident.ending.value if incident.ending else "dealt with"
        ended_by = incident.ended_by or ORCHESTRATOR
        yield Moment(incident.settled_at, EntryKind.ENDED.value, ended_by, f"It is over: {how}.")
