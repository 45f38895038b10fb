"""The inbox: every event durable on arrival, taken by one run at a time, settled once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    select,
    tuple_,
    update,
)

from blocks.ledger.engine.dialect_sql import each_text, instant_text
from blocks.ledger.events import alerts, grouping, reopening, summaries
from blocks.ledger.events.grouping import RESOURCE, UNSETTLED, free
from blocks.ledger.events.reads import InboxReads
from blocks.ledger.events.records import (
    Accepted,
    Entered,
    EventKey,
    EventStatus,
    IncidentRecord,
    TakenEvent,
    taken_event,
)
from blocks.ledger.events.reopening import Earlier
from blocks.ledger.events.rows import event_row, insert_events
from blocks.ledger.events.standings import keys_of
from blocks.ledger.events.tables import EVENTS
from blocks.policy.watching.incident_rules import IncidentRules
from blocks.vocabulary.messages import Severity, SystemEvent

_USUAL = IncidentRules()


class Inbox(InboxReads):
    """The events in the ledger, and the incidents that they make up."""

    async def accept(self, events: Sequence[SystemEvent], now: datetime) -> Accepted:
        """Keep events; durable on return. Who accepts at the same time shares the commit.

        Args:
            events: In the order in which they came; two with equal source and id are one, and of
                those that tell how an alert stands each change is one (``standings``).
            now: The instant of their arrival.
        """
        drafts = _drafts(events, now)

        def write(connection: Connection) -> Accepted:
            keys = keys_of(connection, events)
            alerts.hear(connection, events, keys, now)
            rows = _rows(keys, drafts)
            known = _said_before(connection, {row["fingerprint"] for row in rows})
            new = set(insert_events(connection, rows))
            return _counted(keys, rows, new, known)

        return await self._access.write(write)

    async def keep(self, events: Sequence[SystemEvent], now: datetime) -> list[Entered]:
        """Keep events as ``accept`` does, at less cost: nobody is told what they say anew.

        Returns:
            What became of each of them, in their order.
        """
        drafts = _drafts(events, now)

        def write(connection: Connection) -> list[Entered]:
            keys = keys_of(connection, events)
            alerts.hear(connection, events, keys, now)
            # Of several that are the same event, the first is the new one.
            untold = set(insert_events(connection, _rows(keys, drafts)))
            found = []
            for key in keys:
                found.append(Entered(key[1], key in untold))
                untold.discard(key)
            return found

        return await self._access.write(write)

    async def take(
        self,
        now: datetime,
        by: str,
        until: datetime,
        limit: int,
        at_least: Severity = Severity.INFO,
    ) -> list[TakenEvent]:
        """Take events to work on: the most severe first, of equal ones the oldest.

        Events whose taker did not renew them until ``taken_until`` are taken again: it is dead.

        Args:
            now: The instant to judge at.
            by: The run that takes them.
            until: Until when they are its own.
            limit: How many at most.
            at_least: Milder ones are left where they are.
        """

        def write(connection: Connection) -> list[TakenEvent]:
            taken: list[TakenEvent] = []
            # Severity by severity, so that the index gives them in order however many wait.
            for severity in sorted(Severity, reverse=True):
                if severity < at_least or len(taken) >= limit:
                    break
                first = (
                    select(EVENTS.c.source, EVENTS.c.id)
                    .where(UNSETTLED, EVENTS.c.rank == severity.rank, free(now))
                    .order_by(EVENTS.c.received_at, EVENTS.c.source, EVENTS.c.id)
                    .limit(limit - len(taken))
                    .with_for_update(skip_locked=True)
                )
                statement = (
                    update(EVENTS)
                    .where(tuple_(EVENTS.c.source, EVENTS.c.id).in_(first))
                    .values(
                        status=EventStatus.TAKEN,
                        taken_by=by,
                        taken_until=until,
                        tries=EVENTS.c.tries + 1,
                    )
                    .returning(*EVENTS.c)
                )
                found = [taken_event(row) for row in connection.execute(statement).mappings()]
                taken += sorted(found, key=lambda e: (e.received_at, e.key))
            return taken

        return await self._access.write(write)

    async def renew(self, by: str, until: datetime) -> None:
        """Say that a run still works on what it took."""
        statement = (
            update(EVENTS).where(UNSETTLED, EVENTS.c.taken_by == by).values(taken_until=until)
        )
        await self._access.change(statement)

    async def join(
        self,
        plans: Sequence[tuple[IncidentRecord, Sequence[EventKey]]],
        by: str,
        now: datetime,
        rules: IncidentRules = _USUAL,
    ) -> list[IncidentRecord | None]:
        """Put taken events into their incidents, new or known, all in one transaction.

        An incident whose need key is known is that one. Events that join one which was responded
        to are settled with it; unless it stands, and they are worse than all that it had: then it
        is open again. One that is over is open again when its alert fires anew soon enough.

        Args:
            plans: Each incident with its events.
            by: The run that took the events; what was taken from it meanwhile is left alone.
            now: The instant of joining.
            rules: Which incidents are reopened, and when they flap.

        Returns:
            For each plan the incident as it stands; None when none of its events is the run's.
        """
        return await self._access.write(
            lambda c: [grouping.join(c, wanted, keys, by, now, rules) for wanted, keys in plans]
        )

    async def last_outages(self, keys: Collection[EventKey]) -> dict[EventKey, Earlier]:
        """The incident of the last outage before the one that each event begins; see there."""
        return await self._access.read(lambda c: reopening.earlier(c, keys))

    async def respond(self, incident_id: str, run_id: str, now: datetime) -> bool:
        """Begin the response; False when it was given, or is another run's by now.

        ``updated_at`` becomes ``now``: what happened before it, the response covers.
        """
        return await self._access.write(lambda c: grouping.begin(c, incident_id, run_id, now))

    async def settle(self, incident: IncidentRecord, now: datetime) -> IncidentRecord | None:
        """Keep the response to an incident and settle all its events, in one transaction.

        It stands, or is over, as ``grouping.settle`` says.

        Args:
            incident: As ``join`` gave it, with the run that responded and its ``response``; its
                ``ending`` if our own look ended it, else its status as far as nothing fires.
            now: The instant of settling.

        Returns:
            The incident as it stands then; None when another run has taken it over.
        """
        return await self._access.write(lambda c: grouping.settle(c, incident, now))

    async def place(self, keys: Sequence[EventKey], by: str, now: datetime) -> set[EventKey]:
        """Put taken events that go on with, or end, an outage into the incident of that outage.

        Args:
            keys: Of events that tell how an alert stands.
            by: The run that took them.
            now: The instant of joining.

        Returns:
            Those that have their place; the others begin an outage, or are of none that is in a
            incident.
        """
        return await self._access.write(lambda c: grouping.place(c, keys, by, now))

    async def summarise(
        self, now: datetime, below: Severity = Severity.ERROR
    ) -> list[IncidentRecord]:
        """Settle waiting events of little weight in bulk: one incident per type and subject.

        No more than some thousand events are settled in one transaction, unless they are of one
        group, so that nobody waits long for the ledger.

        Args:
            now: Events that arrived later are left alone.
            below: The severity from which on events are not summarised.

        Returns:
            The incidents; each tells in its response how many events, from when to when, and one
            of them as an example.
        """
        condition = and_(
            UNSETTLED, EVENTS.c.rank < below.rank, EVENTS.c.received_at <= now, free(now)
        )
        waiting = (
            select(EVENTS.c.source, EVENTS.c.id, EVENTS.c.type, RESOURCE.label("resource"))
            .where(condition)
            .order_by(EVENTS.c.type, RESOURCE)
        )
        made: list[IncidentRecord] = []
        for some in summaries.portions(await self._access.rows(waiting)):
            made += await self._access.write(partial(summaries.summarise, groups=some, now=now))
        return made


def _drafts(events: Iterable[SystemEvent], now: datetime) -> list[dict[str, Any]]:
    """A row per event, as far as it can be told without the ledger."""
    received_at = instant_text(now)
    return [event_row(event, received_at) for event in events]


def _rows(keys: Sequence[EventKey], drafts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows to write; of those with equal source and id the first counts."""
    first: dict[EventKey, dict[str, Any]] = {}
    for key, draft in zip(keys, drafts, strict=True):
        first.setdefault(key, {**draft, "id": key[1]})
    return list(first.values())


def _said_before(connection: Connection, fingerprints: Collection[str]) -> dict[str, str]:
    """The content hash of the newest event of each fingerprint, by fingerprint."""
    asked = each_text(connection, sorted(fingerprints))
    newest = (
        select(EVENTS.c.content_hash)
        .where(EVENTS.c.fingerprint == asked.c.value)
        .order_by(EVENTS.c.received_at.desc(), EVENTS.c.time.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = connection.execute(select(asked.c.value, newest)).all()
    return {fingerprint: content for fingerprint, content in found if content}


def _counted(
    keys: Sequence[EventKey],
    rows: Sequence[Mapping[str, Any]],
    new: Collection[EventKey],
    known: Mapping[str, str],
) -> Accepted:
    said = dict(known)
    fresh = [row for row in rows if (row["source"], row["id"]) in new]
    updates = repeated = 0
    for row in fresh:
        before = said.get(row["fingerprint"])
        updates += before is not None and before != row["content_hash"]
        repeated += before == row["content_hash"]
        said[row["fingerprint"]] = row["content_hash"]
    ids = tuple(name for _, name in keys)
    return Accepted(len(fresh), len(keys) - len(fresh), updates, repeated, ids)
