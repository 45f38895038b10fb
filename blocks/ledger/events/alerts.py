"""Outages: what sources tell of their alerts, from the event with which one fires to its end.

How an alert stands is what was said of it last. Firing after its end is another outage; firing
while it goes on is a repeat, which only says that its source still lives. An incident whose
outages are all resolved is over in the very commit in which the last of them is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, tuple_, update

from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.upsert import insert
from blocks.ledger.events import steps
from blocks.ledger.events.records import Ending, EventKey, IncidentStatus
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import enter
from blocks.vocabulary.messages import FIRING, Severity, SystemEvent

_THIS = and_(
    ALERTS.c.fingerprint == bindparam("of_fingerprint"), ALERTS.c.number == bindparam("of_number")
)
_BEGAN = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
_OF_INCIDENT = and_(EVENTS.c.incident_id == INCIDENTS.c.id, _BEGAN)

HAS_OUTAGE = select(ALERTS.c.number).where(_OF_INCIDENT).correlate(INCIDENTS).exists()
"""Of an incident: whether there is a source that says when it is over."""

FIRES = (
    select(ALERTS.c.number)
    .where(
        _OF_INCIDENT,
        ALERTS.c.resolved_at.is_(None),
        ALERTS.c.rank >= Severity.WARNING.rank,  # news that goes on is no trouble
    )
    .correlate(INCIDENTS)
    .exists()
)
"""Of an incident: whether one of its outages goes on."""


@dataclass
class _Outage:
    """The latest outage of an alert, as it stands while notifications are heard.

    Attributes:
        event_id: The event with which it began, or last got worse.
        rank: The highest that was told of it.
        is_new: Whether it has no row yet.
    """

    fingerprint: str
    number: int
    source: str
    event_id: str
    rank: int
    heard_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    is_new: bool = False


def hear(
    connection: Connection,
    events: Sequence[SystemEvent],
    keys: Sequence[EventKey],
    now: datetime,
) -> None:
    """Note what events say of how alerts stand, in their order; of other events nothing.

    Args:
        connection: In a transaction for writing, in which the events are not written yet.
        events: What arrives.
        keys: Source and id that they have in the ledger.
        now: The instant of their arrival.
    """
    told = [(event, key) for event, key in zip(events, keys, strict=True) if event.status]
    if not told:
        return
    latest = _latest(connection, {event.fingerprint for event, _ in told})
    seen = _known(connection, {key for event, key in told if not event.tells_how_it_stands})
    touched: dict[tuple[str, int], _Outage] = {}
    for event, key in told:
        if key in seen:
            continue  # delivered again: it says nothing of now
        if not event.tells_how_it_stands:
            seen.add(key)
        outage = _heard(latest.get(event.fingerprint), event, key, now)
        if outage is not None:
            latest[event.fingerprint] = outage
            touched[outage.fingerprint, outage.number] = outage
    _write(connection, list(touched.values()), now)


def _heard(
    last: _Outage | None, event: SystemEvent, key: EventKey, now: datetime
) -> _Outage | None:
    """The outage that an event tells of, as it stands then; None when it tells of none."""
    goes_on = last is not None and last.resolved_at is None
    if event.status == FIRING and not goes_on:
        number = 0 if last is None else last.number + 1
        return _Outage(event.fingerprint, number, *key, event.severity.rank, now, is_new=True)
    if last is None or not goes_on:
        return None  # the end of what is over, or was never heard to fire
    last.heard_at = now
    if event.status != FIRING:
        last.resolved_at, last.resolved_by = now, key[1]
    elif event.severity.rank > last.rank:
        last.rank, last.event_id = event.severity.rank, key[1]
    return last


def _write(connection: Connection, touched: Sequence[_Outage], now: datetime) -> None:
    if new := [_row(one) for one in touched if one.is_new]:
        # Of two processes that hear the same at the same moment, one writes it.
        connection.execute(insert(connection.dialect.name, ALERTS).on_conflict_do_nothing(), new)
    if known := [_row(one) for one in touched if not one.is_new]:
        named = [
            {"of_fingerprint": row.pop("fingerprint"), "of_number": row.pop("number"), **row}
            for row in known
        ]
        connection.execute(update(ALERTS).where(_THIS), named)
    if over := [(one.source, one.event_id) for one in touched if one.resolved_at is not None]:
        end_resolved(connection, now, over)


def end_resolved(
    connection: Connection, now: datetime, began: Collection[EventKey] | None = None
) -> None:
    """End the standing incidents whose outages are all resolved.

    Args:
        connection: In a transaction for writing.
        now: The instant of the end.
        began: Look only at the incidents of these events, with which outages began.
    """
    # What flaps stays open until it is steady.
    steady = INCIDENTS.c.flapping_since.is_(None)
    over = [INCIDENTS.c.status == IncidentStatus.STANDING, HAS_OUTAGE, ~FIRES, steady]
    if began is not None:
        home = select(EVENTS.c.incident_id).where(among(began), EVENTS.c.incident_id.is_not(None))
        # Locked, not only looked at: whoever settles one just now must see what was resolved, or
        # be seen.
        these = INCIDENTS.c.id.in_(home), INCIDENTS.c.settled_at.is_(None)
        locked = connection.scalars(select(INCIDENTS.c.id).where(*these).with_for_update()).all()
        if not locked:
            return
        over.append(INCIDENTS.c.id.in_(locked))
    ended = {"status": IncidentStatus.SETTLED, "ending": Ending.RESOLVED, "settled_at": now}
    ids = list(connection.scalars(update(INCIDENTS).where(*over).values(ended).returning(_ID)))
    if ids:
        by = _sources(connection, ids)
        enter(connection, steps.all_ended(ids, Ending.RESOLVED, now, by))


_ID = INCIDENTS.c.id


def _sources(connection: Connection, incident_ids: Collection[str]) -> dict[str, str]:
    """Who told of the outages of each incident; of several the first by name."""
    these = EVENTS.c.incident_id.in_(select(each_text(connection, incident_ids).c.value))
    query = select(EVENTS.c.incident_id, func.min(ALERTS.c.source)).join(ALERTS, _BEGAN)
    query = query.where(these).group_by(EVENTS.c.incident_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def homes_of(connection: Connection, keys: Collection[EventKey]) -> dict[EventKey, str]:
    """The incident of the outage that each of these events goes on with, or ends.

    Not there: what begins an outage, or is of one that is in no incident yet.
    """
    this, later, own = EVENTS.alias(), ALERTS.alias(), ALERTS.alias()
    newest = select(func.max(later.c.number)).where(later.c.fingerprint == this.c.fingerprint)
    begins = select(own.c.number).where(own.c.source == this.c.source, own.c.event_id == this.c.id)
    goes_on = and_(
        ALERTS.c.fingerprint == this.c.fingerprint,
        ALERTS.c.number == newest.scalar_subquery(),
        ~begins.exists(),
    )
    ends = and_(ALERTS.c.source == this.c.source, ALERTS.c.resolved_by == this.c.id)
    homes: dict[EventKey, str] = {}
    for of_outage in (goes_on, ends):  # what ended an earlier outage belongs to that one
        query = (
            select(this.c.source, this.c.id, EVENTS.c.incident_id)
            .select_from(this)
            .join(ALERTS, of_outage)
            .join(EVENTS, _BEGAN)
            .where(tuple_(this.c.source, this.c.id).in_(list(keys)))
            .where(EVENTS.c.incident_id.is_not(None))
        )
        homes |= {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return homes


def among(keys: Collection[EventKey]) -> ColumnElement[bool]:
    """The events of these keys."""
    return tuple_(EVENTS.c.source, EVENTS.c.id).in_(list(keys))


def _known(connection: Connection, keys: Collection[EventKey]) -> set[EventKey]:
    if not keys:
        return set()
    query = select(EVENTS.c.source, EVENTS.c.id).where(among(keys))
    return {(source, name) for source, name in connection.execute(query)}


def _latest(connection: Connection, fingerprints: Collection[str]) -> dict[str, _Outage]:
    """The latest outage of each alert."""
    asked = each_text(connection, sorted(fingerprints))
    later = ALERTS.alias()
    newest = select(func.max(later.c.number)).where(later.c.fingerprint == ALERTS.c.fingerprint)
    query = select(ALERTS).where(
        ALERTS.c.fingerprint.in_(select(asked.c.value)),
        ALERTS.c.number == newest.scalar_subquery(),
    )
    return {row["fingerprint"]: _Outage(**row) for row in connection.execute(query).mappings()}


def _row(outage: _Outage) -> dict[str, Any]:
    return {name: value for name, value in vars(outage).items() if name != "is_new"}
