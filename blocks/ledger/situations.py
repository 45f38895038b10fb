"""The life of a situation in the ledger: opened, responded to by one run, settled once.

Whoever changes a situation locks its row first, then its events, so that a late event never joins
a situation that is settled meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from blocks.ledger.coordination_tables import EVENTS, SITUATIONS
from blocks.ledger.event_records import (
    EventKey,
    EventStatus,
    SituationRecord,
    SituationStatus,
    situation_row,
)
from blocks.ledger.rows import insert
from blocks.ledger.values import to_json
from blocks.messages import Severity, new_id

UNSETTLED = EVENTS.c.settled_at.is_(None)

RESOURCE = func.coalesce(func.nullif(EVENTS.c.subject, literal_column("''")), EVENTS.c.source)
"""What an event is about, as ``flows.correlation`` sees it."""


# Key by key: of a list of pairs neither database makes much of the index.
_MINE = and_(
    EVENTS.c.source == bindparam("of_source"),
    EVENTS.c.id == bindparam("of_id"),
    EVENTS.c.taken_by == bindparam("of_run"),
    EVENTS.c.status == EventStatus.TAKEN,
)
_THE_RUNS_OWN = select(EVENTS.c.id).where(_MINE)


def free(now: datetime) -> ColumnElement[bool]:
    """Events that nobody works on, or whose taker was not heard of in time."""
    return or_(EVENTS.c.status == EventStatus.WAITING, EVENTS.c.taken_until <= now)


def among(keys: Sequence[EventKey]) -> ColumnElement[bool]:
    """The events of these keys."""
    return tuple_(EVENTS.c.source, EVENTS.c.id).in_(keys)


def join(
    connection: Connection,
    wanted: SituationRecord,
    keys: Sequence[EventKey],
    by: str,
    now: datetime,
) -> SituationRecord | None:
    """Put a run's events into a situation; see ``Inbox.join``."""
    named = [{"of_source": source, "of_id": name, "of_run": by} for source, name in keys]
    if not any(connection.scalar(_THE_RUNS_OWN, one) for one in named):
        return None
    row = situation_row(wanted)
    connection.execute(
        insert(connection.dialect.name, SITUATIONS).values(row).on_conflict_do_nothing()
    )
    standing = _locked(connection, SITUATIONS.c.need_key == wanted.need_key)
    assert standing is not None, "it was inserted, or stood there"
    changes: dict[str, object] = {"situation_id": standing.id}
    if standing.settled_at is not None:
        changes |= {"status": EventStatus.SETTLED, "settled_at": now}
    connection.execute(update(EVENTS).where(_MINE).values(changes), named)
    return _recounted(connection, standing)


def begin(connection: Connection, situation_id: str, run_id: str, now: datetime) -> bool:
    """Make the run the one that responds; see ``Inbox.respond``."""
    holder_lives = (
        select(EVENTS.c.id)
        .where(
            EVENTS.c.situation_id == SITUATIONS.c.id,
            UNSETTLED,
            EVENTS.c.taken_by == SITUATIONS.c.run_id,
            EVENTS.c.taken_until > now,
        )
        .exists()
    )
    nobody_else = or_(SITUATIONS.c.run_id.is_(None), SITUATIONS.c.run_id == run_id, ~holder_lives)
    statement = (
        update(SITUATIONS)
        .where(SITUATIONS.c.id == situation_id, SITUATIONS.c.settled_at.is_(None), nobody_else)
        .values(status=SituationStatus.RESPONDING, run_id=run_id, updated_at=now)
    )
    return bool(connection.execute(statement).rowcount)


def settle(connection: Connection, situation: SituationRecord, now: datetime) -> bool:
    """Settle a situation and all its events; see ``Inbox.settle``."""
    standing = _locked(
        connection,
        SITUATIONS.c.id == situation.id,
        SITUATIONS.c.run_id == situation.run_id,
        or_(SITUATIONS.c.settled_at.is_(None), SITUATIONS.c.settled_at == now),
    )
    if standing is None:
        return False
    _settle_events(connection, and_(UNSETTLED, EVENTS.c.situation_id == situation.id), now)
    connection.execute(
        update(SITUATIONS)
        .where(SITUATIONS.c.id == situation.id)
        .values(
            status=SituationStatus.SETTLED,
            severity=situation.severity,
            title=situation.title,
            response=to_json(situation.response),
            settled_at=now,
        )
    )
    _recounted(connection, standing)
    return True


def summarise(
    connection: Connection, kind: str, resource: str, events: ColumnElement[bool], now: datetime
) -> SituationRecord | None:
    """Settle events of one type and resource as one situation; see ``Inbox.summarise``."""
    made = new_id()
    about = and_(events, EVENTS.c.type == kind, literal(resource) == RESOURCE)
    if not _settle_events(connection, about, now, situation_id=made):
        return None
    these = EVENTS.c.situation_id == made
    found = connection.execute(
        select(
            func.count().label("events"),
            func.min(EVENTS.c.time).label("first"),
            func.max(EVENTS.c.time).label("last"),
            func.max(EVENTS.c.rank).label("rank"),
        ).where(these)
    ).one()
    example = connection.execute(
        select(EVENTS.c.source, EVENTS.c.id, EVENTS.c.data)
        .where(these)
        .order_by(EVENTS.c.received_at, EVENTS.c.source, EVENTS.c.id)
        .limit(1)
    ).mappings()
    record = SituationRecord(
        id=made,
        need_key=f"summary {made}",
        resource=resource,
        severity=list(Severity)[found.rank],
        title=f"{kind} about {resource}: {found.events} events, summarised",
        opened_at=now,
        updated_at=now,
        status=SituationStatus.SETTLED,
        events=found.events,
        settled_at=now,
        response={
            "summary": {
                "type": kind,
                "events": found.events,
                "first": found.first.isoformat(),
                "last": found.last.isoformat(),
                "example": dict(example.one()),
            }
        },
    )
    connection.execute(SITUATIONS.insert(), situation_row(record))
    return record


def _settle_events(
    connection: Connection, events: ColumnElement[bool], now: datetime, **also: str
) -> int:
    settled = {"status": EventStatus.SETTLED, "settled_at": now, **also}
    return connection.execute(update(EVENTS).where(events).values(settled)).rowcount


def _locked(connection: Connection, *conditions: ColumnElement[bool]) -> SituationRecord | None:
    query = select(SITUATIONS).where(*conditions).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    return SituationRecord(**row) if row else None


def _recounted(connection: Connection, situation: SituationRecord) -> SituationRecord:
    """The situation with the number of its events brought up to date."""
    query = select(func.count()).where(EVENTS.c.situation_id == situation.id)
    events = connection.scalar(query) or 0
    connection.execute(
        update(SITUATIONS).where(SITUATIONS.c.id == situation.id).values(events=events)
    )
    return situation.model_copy(update={"events": events})
