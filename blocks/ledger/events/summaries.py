"""Many waiting events of little weight, settled in bulk: an incident per type and resource."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, func, select, update

from blocks.ledger.engine.dialect_sql import each_row, each_text
from blocks.ledger.events import steps
from blocks.ledger.events.alerts import FIRES
from blocks.ledger.events.grouping import UNSETTLED, free
from blocks.ledger.events.records import (
    EventKey,
    EventStatus,
    IncidentRecord,
    IncidentResponse,
    IncidentStatus,
    Summary,
    incident_row,
)
from blocks.ledger.events.tables import EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import IncidentEntry, enter
from blocks.vocabulary.messages import Severity, new_id

MOST_SUMMARISED = 2000
"""Events of several groups that are summarised in one transaction."""

Groups = dict[tuple[str, str], list[EventKey]]
"""Keys of events by their type and resource."""


def portions(waiting: Sequence[RowMapping]) -> Iterator[Groups]:
    """As many groups together as have some thousand events."""
    portion: Groups = {}
    events = 0
    for group, rows in groupby(waiting, key=itemgetter("type", "resource")):
        keys = [(row["source"], row["id"]) for row in rows]
        if portion and events + len(keys) > MOST_SUMMARISED:
            yield portion
            portion, events = {}, 0
        portion[group] = keys
        events += len(keys)
    if portion:
        yield portion


def summarise(connection: Connection, groups: Groups, now: datetime) -> list[IncidentRecord]:
    """Settle waiting events as one incident per type and resource; see ``Inbox.summarise``."""
    made = {new_id(): group for group in groups}
    named = each_row(
        connection, [(name, *key) for name, group in made.items() for key in groups[group]]
    )
    name, source, event = named.columns
    settled = {"status": EventStatus.SETTLED, "settled_at": now, "incident_id": name}
    this = EVENTS.c.source == source, EVENTS.c.id == event
    connection.execute(update(EVENTS).where(*this, UNSETTLED, free(now)).values(settled))
    these = EVENTS.c.incident_id.in_(select(each_text(connection, list(made)).c.value))
    first = func.row_number().over(
        partition_by=EVENTS.c.incident_id,
        order_by=(EVENTS.c.received_at, EVENTS.c.source, EVENTS.c.id),
    )
    ranked = select(EVENTS, first.label("place")).where(these).subquery()
    examples = connection.execute(select(ranked).where(ranked.c.place == 1)).mappings()
    about = {row["incident_id"]: row for row in examples}
    figures = (
        select(
            EVENTS.c.incident_id,
            func.count().label("events"),
            func.min(EVENTS.c.time).label("first"),
            func.max(EVENTS.c.time).label("last"),
            func.max(EVENTS.c.rank).label("rank"),
        )
        .where(these)
        .group_by(EVENTS.c.incident_id)
    )
    counted = {row.incident_id: row for row in connection.execute(figures)}
    records = [
        _summary(group, counted[name], about[name], now)
        for name, group in made.items()
        if name in counted
    ]
    if not records:
        return []
    connection.execute(INCIDENTS.insert(), [incident_row(record) for record in records])
    # Only counted, but not over: their sources still tell of them.
    stands = {"status": IncidentStatus.STANDING, "settled_at": None}
    ids = select(each_text(connection, list(made)).c.value)
    firing = update(INCIDENTS).where(INCIDENTS.c.id.in_(ids), FIRES).values(stands)
    stand = set(connection.scalars(firing.returning(INCIDENTS.c.id)))
    told = [r.model_copy(update=stands) if r.id in stand else r for r in records]
    enter(connection, [each for r in told for each in _steps(r, about[r.id]["source"], now)])
    return told


def _steps(incident: IncidentRecord, source: str, now: datetime) -> Iterator[IncidentEntry]:
    yield steps.opened(incident, by=source)
    yield steps.responded(incident, now)
    if incident.is_over:
        yield steps.ended(incident.id, incident.ending, now)


def _summary(
    group: tuple[str, str], counted: Row[Any], example: RowMapping, now: datetime
) -> IncidentRecord:
    kind, resource = group
    return IncidentRecord(
        id=counted.incident_id,
        need_key=f"summary {counted.incident_id}",
        resource=resource,
        severity=list(Severity)[counted.rank],
        title=f"{kind} about {resource}: {counted.events} events, summarised",
        opened_at=now,
        updated_at=now,
        status=IncidentStatus.SETTLED,
        events=counted.events,
        settled_at=now,
        type=kind,
        notice_group=f"{example['source']} {kind}",
        response=IncidentResponse(
            summary=Summary(
                type=kind,
                events=counted.events,
                first=counted.first,
                last=counted.last,
                example={name: example[name] for name in ("source", "id", "data")},
            )
        ),
    )
