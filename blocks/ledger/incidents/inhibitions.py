"""Incidents that another one explains: silent while that goes on, and trouble of their own after.

What is released is put back into the inbox with its incident, so that the next run responds to it
as to anything that a run left behind when it died.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select, update

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import replacing
from blocks.ledger.events import steps
from blocks.ledger.events.alerts import FIRES, HAS_OUTAGE, end_resolved
from blocks.ledger.events.grouping import RESOURCE
from blocks.ledger.events.records import (
    Ending,
    EventStatus,
    IncidentRecord,
    IncidentStatus,
    incident_row,
    taken_event,
)
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry, enter
from blocks.ledger.incidents.tables import INCIDENT_INHIBITIONS as INHIBITIONS
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.told import group_of, told_by

_OPEN = INCIDENTS.c.settled_at.is_(None)
_NOT_RELEASED = INHIBITIONS.c.released_at.is_(None)
_WITH_IT = "It was put down to another one, which is over."
_BEGAN = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)


@dataclass(frozen=True)
class Inhibited:
    """An incident that is not over, and the one that explains it.

    Attributes:
        cause_over_at: When that was over; None while it goes on.
    """

    incident_id: str
    cause_id: str
    cause: str
    cause_over_at: datetime | None


class Inhibitions:
    """Which incidents are silent, and because of which."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def current(self) -> dict[str, Inhibited]:
        """The incidents that are explained now, by their ids."""
        cause = INCIDENTS.alias()
        query = (
            select(
                INHIBITIONS.c.incident_id,
                INHIBITIONS.c.cause_id,
                cause.c.resource.label("cause"),
                cause.c.settled_at.label("cause_over_at"),
            )
            .join(INCIDENTS, INCIDENTS.c.id == INHIBITIONS.c.incident_id)
            .join(cause, cause.c.id == INHIBITIONS.c.cause_id)
            .where(_NOT_RELEASED, _OPEN)
        )
        return {row["incident_id"]: Inhibited(**row) for row in await self._access.rows(query)}

    async def open_about(self, resources: Collection[str]) -> list[IncidentRecord]:
        """The incidents of these resources that are not over, news left out."""
        query = select(INCIDENTS).where(
            _OPEN, INCIDENTS.c.severity != Severity.INFO, INCIDENTS.c.resource.in_(resources)
        )
        return [IncidentRecord(**row) for row in await self._access.rows(query)]

    async def inhibit(
        self, explained: Mapping[str, IncidentRecord], now: datetime
    ) -> list[IncidentEntry]:
        """Put incidents down to others; whom they were to be asked about need not answer.

        A cause is as grave as the gravest that it explains, and puts as much at risk.

        Args:
            explained: Incident to its cause.
            now: The instant of the finding.

        Returns:
            What was written into their timelines.
        """

        def write(connection: Connection) -> list[IncidentEntry]:
            entries = []
            for incident_id, cause in sorted(explained.items()):
                row = {"incident_id": incident_id, "cause_id": cause.id, "since": now}
                connection.execute(
                    replacing(self._access.dialect, INHIBITIONS).values(**row, released_at=None)
                )
                silent = {"group_key": None, "approval_id": None}
                this = update(INCIDENTS).where(INCIDENTS.c.id == incident_id, _OPEN)
                connection.execute(this.values(silent))
                entries += _worsen(connection, incident_id, cause, now)
            enter(connection, entries)
            return entries

        return await self._access.write(write)

    async def release(self, incident_ids: Sequence[str], now: datetime) -> int:
        """Incidents whose cause is over: those that still fire are trouble of their own.

        Those of which no source tells are over with it.

        Returns:
            How many still fire.
        """

        def write(connection: Connection) -> int:
            these = INCIDENTS.c.id.in_(incident_ids)
            over = {"status": IncidentStatus.SETTLED, "ending": Ending.RESOLVED, "settled_at": now}
            standing = INCIDENTS.c.status == IncidentStatus.STANDING
            ended = update(INCIDENTS).where(these, standing, ~HAS_OUTAGE).values(over)
            gone = connection.scalars(ended.returning(INCIDENTS.c.id)).all()
            locked = select(INCIDENTS.c.id).where(these, standing, FIRES).with_for_update()
            firing = list(connection.scalars(locked))
            _respond_anew(connection, firing)
            released = update(INHIBITIONS).where(INHIBITIONS.c.incident_id.in_(incident_ids))
            connection.execute(released.values(released_at=now))
            enter(
                connection,
                [
                    IncidentEntry(
                        incident_id=each,
                        id=f"released {now.isoformat()}",
                        at=now,
                        kind=EntryKind.REOPENED,
                        text="What explained it is over, and it still fires.",
                    )
                    for each in firing
                ]
                + [steps.ended(each, Ending.RESOLVED, now, note=_WITH_IT) for each in gone],
            )
            return len(firing)

        return await self._access.write(write)

    async def split(
        self, resources: Collection[str], resolved_before: datetime, now: datetime
    ) -> list[IncidentRecord]:
        """Incidents whose own outages are over, while what they explained still fires.

        What came within the window stands in one incident with its cause. Each resource that still
        fires becomes an incident of its own; the cause's ends with the last of its outages.

        Args:
            resources: Which causes may be.
            resolved_before: When the cause must have been over.
            now: The instant of the split.
        """
        return await self._access.write(lambda c: _split(c, resources, resolved_before, now))


def _worsen(
    connection: Connection, incident_id: str, cause: IncidentRecord, now: datetime
) -> list[IncidentEntry]:
    both = select(INCIDENTS).where(INCIDENTS.c.id.in_([incident_id, cause.id]))
    found = {row["id"]: row for row in connection.execute(both).mappings()}
    one, other = found[incident_id], found[cause.id]
    impacts = [r["impact_per_hour"] for r in (one, other) if r["impact_per_hour"] is not None]
    severity = max(Severity(one["severity"]), Severity(other["severity"]))
    graver = {"severity": severity, "impact_per_hour": max(impacts, default=None)}
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == cause.id).values(graver))
    about = {"cause": cause.id, "incident": incident_id}
    return [
        IncidentEntry(
            incident_id=incident_id,
            id=f"inhibited {cause.id}",
            at=now,
            kind=EntryKind.INHIBITED,
            text=f"Put down to {cause.resource}, on which it depends: nothing is tried and nobody "
            "is told while that goes on.",
            data=about,
        ),
        IncidentEntry(
            incident_id=cause.id,
            id=f"explains {incident_id}",
            at=now,
            kind=EntryKind.NOTED,
            text=f"It explains the {one['severity']} trouble with {one['resource']}.",
            data=about,
        ),
    ]


def _respond_anew(connection: Connection, incident_ids: Sequence[str]) -> None:
    """Open standing incidents again, and put what fires of them back into the inbox."""
    opened = {"status": IncidentStatus.OPEN, "run_id": None}
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.id.in_(incident_ids)).values(opened))
    goes_on = select(ALERTS.c.number).where(_BEGAN, ALERTS.c.resolved_at.is_(None)).exists()
    waits = {"status": EventStatus.WAITING, "settled_at": None, "taken_by": None, "tries": 0}
    connection.execute(
        update(EVENTS).where(EVENTS.c.incident_id.in_(incident_ids), goes_on).values(waits)
    )


def _split(
    connection: Connection, resources: Collection[str], resolved_before: datetime, now: datetime
) -> list[IncidentRecord]:
    of_it, its_own = EVENTS.c.incident_id == INCIDENTS.c.id, INCIDENTS.c.resource == RESOURCE
    outage = select(ALERTS.c.number).join(EVENTS, _BEGAN).where(of_it).correlate(INCIDENTS)
    too_soon = ALERTS.c.resolved_at.is_(None) | (ALERTS.c.resolved_at > resolved_before)
    causes = connection.execute(
        select(INCIDENTS.c.id)
        .where(_OPEN, INCIDENTS.c.status == IncidentStatus.STANDING, FIRES)
        .where(INCIDENTS.c.resource.in_(resources))
        .where(outage.where(its_own).exists(), ~outage.where(its_own, too_soon).exists())
        .with_for_update()
    )
    made = []
    for cause_id in causes.scalars().all():
        cause = IncidentRecord(
            **connection.execute(select(INCIDENTS).where(INCIDENTS.c.id == cause_id))
            .mappings()
            .one()
        )
        others = connection.execute(
            select(RESOURCE.label("resource"), func.max(EVENTS.c.rank).label("rank"))
            .join(ALERTS, _BEGAN)
            .where(EVENTS.c.incident_id == cause.id, ALERTS.c.resolved_at.is_(None))
            .group_by(RESOURCE)
        )
        for resource, rank in others.all():
            made.append(_own_incident(connection, cause, resource, list(Severity)[rank], now))
    if made:
        end_resolved(connection, now)
    return made


def _own_incident(
    connection: Connection,
    cause: IncidentRecord,
    resource: str,
    severity: Severity,
    now: datetime,
) -> IncidentRecord:
    mine = and_(EVENTS.c.incident_id == cause.id, RESOURCE.in_([resource]))
    last = select(EVENTS).where(mine).order_by(EVENTS.c.rank.desc(), EVENTS.c.received_at.desc())
    lead = taken_event(connection.execute(last.limit(1)).mappings().one()).event
    record = IncidentRecord(
        need_key=f"after {cause.id} {resource} at {now.isoformat()}",  # it may come back
        resource=resource,
        severity=severity,
        title=f"{resource} still fires, though {cause.resource} is well again",
        opened_at=now,
        updated_at=now,
        type=lead.type,
        labels=told_by(lead).labels,
        notice_group=group_of(lead),
        previous_id=cause.id,
    )
    connection.execute(INCIDENTS.insert(), incident_row(record))
    moved = connection.execute(update(EVENTS).where(mine).values(incident_id=record.id)).rowcount
    _respond_anew(connection, [record.id])
    connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == record.id).values(events=moved))
    enter(
        connection,
        [
            IncidentEntry(
                incident_id=record.id,
                id="opened",
                at=now,
                kind=EntryKind.OPENED,
                text=f"It was put down to {cause.resource}. That is over, and it still fires.",
                data={"cause": cause.id},
            )
        ],
    )
    return record
