"""The life of a situation in the ledger: opened, responded to by one run, and one day over.

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
    update,
)

from blocks.ledger.engine.upsert import insert
from blocks.ledger.events.alerts import FIRES, HAS_OUTAGE, among, homes_of
from blocks.ledger.events.records import (
    Ending,
    EventKey,
    EventStatus,
    SituationRecord,
    SituationResponse,
    SituationStatus,
    Summary,
    situation_row,
)
from blocks.ledger.events.tables import EVENTS, SITUATIONS
from blocks.vocabulary.messages import Severity, new_id

RESPONDED = (SituationStatus.STANDING, SituationStatus.SETTLED)
"""What no run need respond to."""

UNSETTLED = EVENTS.c.settled_at.is_(None)

RESOURCE = func.coalesce(func.nullif(EVENTS.c.subject, literal_column("''")), EVENTS.c.source)
"""What an event is about, as ``flows.orchestrator.events.correlation`` sees it."""


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
    if standing.status is SituationStatus.STANDING and _are_worse(connection, standing, keys):
        standing = _open_again(connection, standing)
    elif standing.status in RESPONDED:
        changes |= {"status": EventStatus.SETTLED, "settled_at": now}
    connection.execute(update(EVENTS).where(_MINE).values(changes), named)
    return _recounted(connection, standing)


def _are_worse(connection: Connection, standing: SituationRecord, keys: Sequence[EventKey]) -> bool:
    """Whether one of the events is graver than all that the situation has."""
    rank = select(func.max(EVENTS.c.rank))
    before = connection.scalar(rank.where(EVENTS.c.situation_id == standing.id))
    coming = connection.scalar(rank.where(among(keys)))
    return coming is not None and (before is None or coming > before)


def _open_again(connection: Connection, standing: SituationRecord) -> SituationRecord:
    opened = {"status": SituationStatus.OPEN, "run_id": None}
    connection.execute(update(SITUATIONS).where(SITUATIONS.c.id == standing.id).values(opened))
    return standing.model_copy(update=opened)


def place(
    connection: Connection, keys: Sequence[EventKey], by: str, now: datetime
) -> set[EventKey]:
    """Put events of an outage that goes on, or is over, where it is; see ``Inbox.place``."""
    placed = set()
    for (source, name), home in sorted(homes_of(connection, keys).items()):
        standing = _locked(connection, SITUATIONS.c.id == home)
        assert standing is not None, "an event joins what is there"
        changes: dict[str, object] = {"situation_id": standing.id}
        if standing.status in RESPONDED:
            changes |= {"status": EventStatus.SETTLED, "settled_at": now}
        named = {"of_source": source, "of_id": name, "of_run": by}
        if connection.execute(update(EVENTS).where(_MINE).values(changes), named).rowcount:
            _recounted(connection, standing)
        placed.add((source, name))
    return placed


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
        .where(SITUATIONS.c.id == situation_id, SITUATIONS.c.status.not_in(RESPONDED), nobody_else)
        .values(status=SituationStatus.RESPONDING, run_id=run_id, updated_at=now)
    )
    return bool(connection.execute(statement).rowcount)


def settle(
    connection: Connection, situation: SituationRecord, now: datetime
) -> SituationRecord | None:
    """Keep the response to a situation, and settle its events; see ``Inbox.settle``.

    What our own look ended is over. Else it stands as long as one of its outages goes on, and is
    over when all are resolved; one without any is as whoever responded says.
    """
    standing = _locked(
        connection,
        SITUATIONS.c.id == situation.id,
        SITUATIONS.c.run_id == situation.run_id,
        or_(SITUATIONS.c.status.not_in(RESPONDED), SITUATIONS.c.responded_at == now),
    )
    if standing is None:
        return None
    _settle_events(connection, and_(UNSETTLED, EVENTS.c.situation_id == situation.id), now)
    settled = _recounted(connection, situation.model_copy(update={"responded_at": now}))
    settled = settled.model_copy(update=_how_it_stands(connection, settled, now))
    row = situation_row(settled)
    kept = ("opened_at", "updated_at", "need_key", "resource", "approval_id")
    connection.execute(
        update(SITUATIONS)
        .where(SITUATIONS.c.id == situation.id)
        .values({name: value for name, value in row.items() if name not in kept})
    )
    return settled


def _how_it_stands(
    connection: Connection, situation: SituationRecord, now: datetime
) -> dict[str, object]:
    over = {"status": SituationStatus.SETTLED, "settled_at": now}
    if situation.ending is not None:
        return over
    this = select(SITUATIONS.c.id).where(SITUATIONS.c.id == situation.id)
    if connection.scalar(this.where(FIRES)):
        return {"status": SituationStatus.STANDING, "settled_at": None}
    if connection.scalar(this.where(HAS_OUTAGE)):
        return over | {"ending": Ending.RESOLVED}
    if situation.status is SituationStatus.STANDING:
        return {"settled_at": None}
    return over


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
        response=SituationResponse(
            summary=Summary(
                type=kind,
                events=found.events,
                first=found.first,
                last=found.last,
                example=dict(example.one()),
            )
        ),
    )
    connection.execute(SITUATIONS.insert(), situation_row(record))
    if connection.scalar(select(SITUATIONS.c.id).where(SITUATIONS.c.id == made, FIRES)):
        # Only counted, but not over: its source still tells of it.
        stands = {"status": SituationStatus.STANDING, "settled_at": None}
        connection.execute(update(SITUATIONS).where(SITUATIONS.c.id == made).values(stands))
        record = record.model_copy(update=stands)
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
