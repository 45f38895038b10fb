"""What people, silences and time change about an incident, each with its step in the timeline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.events import steps
from blocks.ledger.events.alerts import end_resolved
from blocks.ledger.events.incident_reads import OPEN
from blocks.ledger.events.records import Ending, EventStatus, IncidentRecord, IncidentStatus
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry, enter
from blocks.ledger.incidents.silences import SilenceRecord, covering, silences_at
from blocks.vocabulary.messages import Severity

FLAPS = INCIDENTS.c.flapping_since.is_not(None)
"""What began and ended again and again, and is kept open until it is steady."""


@dataclass(frozen=True)
class Change:
    """What becomes of an incident: fields to their new values, and the step that tells of it."""

    values: Mapping[str, Any]
    entry: IncidentEntry


def change(
    connection: Connection,
    incident_id: str,
    judge: Callable[[IncidentRecord], Change | None],
) -> IncidentRecord | None:
    """Change an incident as somebody decides who has seen it; see ``Incidents.change``."""
    this = INCIDENTS.c.id == incident_id
    row = connection.execute(select(INCIDENTS).where(this).with_for_update()).mappings().first()
    if row is None:
        return None
    incident = IncidentRecord(**row)
    wanted = judge(incident)
    if wanted is None:
        return incident
    if wanted.values:
        connection.execute(update(INCIDENTS).where(this).values(dict(wanted.values)))
    enter(connection, [wanted.entry])
    return incident.model_copy(update=dict(wanted.values))


def end(
    connection: Connection, incident_ids: Collection[str], by: str, now: datetime, note: str = ""
) -> list[str]:
    """End incidents because a person says so; their events need no response any more.

    Returns:
        Those that this ended; the others were over.
    """
    these = each_text(connection, incident_ids)
    values = {
        "status": IncidentStatus.SETTLED,
        "settled_at": now,
        "ending": Ending.ANSWERED,
        "ended_by": by,
        "flapping_since": None,
    }
    statement = update(INCIDENTS).where(OPEN, INCIDENTS.c.id.in_(select(these.c.value)))
    done = connection.scalars(statement.values(values).returning(INCIDENTS.c.id)).all()
    if done:
        mine = EVENTS.c.incident_id.in_(select(each_text(connection, done).c.value))
        settled = {"status": EventStatus.SETTLED, "settled_at": now}
        connection.execute(
            update(EVENTS).where(mine, EVENTS.c.settled_at.is_(None)).values(settled)
        )
        enter(connection, [steps.ended(each, Ending.ANSWERED, now, by, note) for each in done])
    return list(done)


def silence(connection: Connection, now: datetime) -> int:
    """Note which open incidents silences cover at an instant; see ``Incidents.silence``."""
    silences = silences_at(connection, now)
    query = select(INCIDENTS).where(OPEN, INCIDENTS.c.severity != Severity.INFO)
    if not silences:
        query = query.where(INCIDENTS.c.silence_id.is_not(None))
    told = []
    for row in connection.execute(query).mappings():
        incident = IncidentRecord(**row)
        covers = covering(silences, incident, now)
        if (covers.id if covers else None) == incident.silence_id:
            continue
        values = {"silence_id": covers.id if covers else None}
        connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == incident.id).values(values))
        told.append(_silenced(incident, covers, now))
    enter(connection, told)
    return len(told)


def _silenced(incident: IncidentRecord, by: SilenceRecord | None, now: datetime) -> IncidentEntry:
    if by is None:
        return steps.step(incident.id, EntryKind.SILENCED, now, "No silence covers it any more.")
    what = "In maintenance" if by.maintenance else "Silenced"
    return steps.step(
        incident.id,
        EntryKind.SILENCED,
        now,
        f"{what} until {by.ends_at:%Y-%m-%d %H:%M} UTC: {by.reason}",
        by.by,
        silence=by.id,
    )


def calm(connection: Connection, now: datetime, unchanged: timedelta) -> int:
    """Let those be steady that flapped and no longer do; see ``Incidents.calm``."""
    began = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
    of_it = EVENTS.c.incident_id == INCIDENTS.c.id
    last_end = select(func.max(ALERTS.c.resolved_at)).select_from(EVENTS).join(ALERTS, began)
    last_event = select(func.max(EVENTS.c.received_at)).where(of_it).correlate(INCIDENTS)
    query = select(
        INCIDENTS.c.id,
        INCIDENTS.c.flapping_since,
        last_event.scalar_subquery().label("event"),
        last_end.where(of_it).correlate(INCIDENTS).scalar_subquery().label("end"),
    ).where(OPEN, FLAPS, INCIDENTS.c.status == IncidentStatus.STANDING)
    quiet = [
        row.id
        for row in connection.execute(query)
        if now - max(at for at in row[1:] if at is not None) >= unchanged
    ]
    for each in quiet:
        this = INCIDENTS.c.id == each
        connection.execute(update(INCIDENTS).where(this).values(flapping_since=None))
        enter(connection, [steps.steady(each, now)])
    if quiet:
        end_resolved(connection, now)
    return len(quiet)
