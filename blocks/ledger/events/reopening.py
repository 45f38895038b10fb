"""An alert that fires again: the incident that it reopens, or that its new one comes after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, tuple_, update

from blocks.ledger.events import steps
from blocks.ledger.events.alerts import FIRES, among
from blocks.ledger.events.records import EventKey, IncidentRecord, IncidentStatus
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import EntryKind, enter
from blocks.ledger.incidents.tables import INCIDENT_ENTRIES
from blocks.policy.watching.incident_rules import IncidentRules


@dataclass(frozen=True)
class Earlier:
    """The incident of an alert's last outage.

    Attributes:
        fires: Whether something else of it fires still: a person, or a look of ours, ended it.
    """

    incident: IncidentRecord
    fires: bool

    def may_reopen(self, rules: IncidentRules, now: datetime) -> bool:
        """Whether a new outage is a part of it.

        What somebody ended though it fires stays ended for what fired then; one summary of many
        events in a storm is no incident that could come back.
        """
        ended = self.incident.settled_at
        if ended is None or self.fires or self.incident.summary:
            return False
        return now - ended <= rules.reopening


def earlier(connection: Connection, keys: Collection[EventKey]) -> dict[EventKey, Earlier]:
    """The incident of the last outage before the one that each of these events begins.

    Not there: what begins no outage, or the first of its alert that is known.
    """
    if not keys:
        return {}
    this, own, before = EVENTS.alias(), ALERTS.alias(), ALERTS.alias()
    last = (
        select(func.max(before.c.number))
        .where(before.c.fingerprint == own.c.fingerprint, before.c.number < own.c.number)
        .scalar_subquery()
    )
    begins = and_(own.c.source == this.c.source, own.c.event_id == this.c.id)
    ended = and_(ALERTS.c.fingerprint == own.c.fingerprint, ALERTS.c.number == last)
    began = and_(EVENTS.c.source == ALERTS.c.source, EVENTS.c.id == ALERTS.c.event_id)
    query = (
        select(this.c.source, this.c.id, EVENTS.c.incident_id)
        .select_from(this)
        .join(own, begins)
        .join(ALERTS, ended)
        .join(EVENTS, began)
        .where(tuple_(this.c.source, this.c.id).in_(list(keys)))
        .where(EVENTS.c.incident_id.is_not(None))
    )
    homes = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    these = INCIDENTS.c.id.in_(sorted(set(homes.values())))
    rows = connection.execute(select(INCIDENTS, FIRES.label("fires")).where(these)).mappings()
    found = {row["id"]: _earlier(dict(row)) for row in rows}
    return {key: found[home] for key, home in homes.items() if home in found}


def _earlier(row: dict[str, object]) -> Earlier:
    fires = bool(row.pop("fires"))
    return Earlier(IncidentRecord.model_validate(row), fires)


def reopen(
    connection: Connection,
    incident: IncidentRecord,
    keys: Sequence[EventKey],
    rules: IncidentRules,
    now: datetime,
) -> IncidentRecord:
    """Open an incident again for a new outage; what was said of the last one is history.

    Args:
        connection: In a transaction for writing, which has locked the incident.
        incident: As it ended.
        keys: The events of the new outage.
        rules: When it flaps.
        now: The instant of reopening.
    """
    came = connection.scalar(select(func.min(EVENTS.c.received_at)).where(among(keys)))
    times = 1 + _reopenings(connection, incident.id, now - rules.flapping, now)
    flaps = times >= rules.flapping_reopenings
    values = {
        "status": IncidentStatus.OPEN,
        "run_id": None,
        "settled_at": None,
        "ending": None,
        "ended_by": None,
        "response": None,
        "responded_at": None,
        "outages": incident.outages + 1,
        "reopened_at": came or now,
        "worsened_at": None,
        "flapping_since": now if flaps else None,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "acknowledged_until": None,
    }
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == incident.id).values(values))
    again = incident.model_copy(update=values)
    told = [steps.reopened(again, now, by=keys[0][0])]
    told += [steps.flapping(again, now, times)] if flaps else []
    enter(connection, told)
    return again


def _reopenings(connection: Connection, incident_id: str, since: datetime, now: datetime) -> int:
    """How often it was reopened from then until just before now."""
    query = select(func.count()).where(
        INCIDENT_ENTRIES.c.incident_id == incident_id,
        INCIDENT_ENTRIES.c.kind == EntryKind.REOPENED,
        INCIDENT_ENTRIES.c.at > since,
        INCIDENT_ENTRIES.c.at < now,
    )
    return connection.scalar(query) or 0
