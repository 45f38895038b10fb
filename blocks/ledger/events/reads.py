"""What is asked of the inbox."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, func, literal_column, or_, select

from blocks.ledger.calls.queries import matching, newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prefixes import SHORTEST_PREFIX
from blocks.ledger.events.grouping import UNSETTLED
from blocks.ledger.events.records import (
    Depth,
    FiringAlert,
    IncidentRecord,
    IncidentStatus,
    Waiting,
    taken_event,
)
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.vocabulary.messages import Severity, SystemEvent


class InboxReads:
    """How much waits, and what became of the rest."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def depth(self, now: datetime) -> Depth:
        """How many events are not settled yet, by severity, and since when."""
        query = (
            select(
                EVENTS.c.rank,
                func.count().label("events"),
                func.min(EVENTS.c.received_at).label("oldest"),
                func.max(EVENTS.c.received_at).label("newest"),
            )
            .where(UNSETTLED)
            .group_by(EVENTS.c.rank)
        )
        scale = list(Severity)
        found = {scale[row["rank"]]: row for row in await self._access.rows(query)}
        return Depth(
            at=now,
            waiting={
                severity: Waiting(events=row["events"], oldest=row["oldest"], newest=row["newest"])
                for severity, row in found.items()
            },
        )

    async def arrivals(self, since: datetime) -> dict[datetime, dict[Severity, int]]:
        """How many events came in each minute from ``since`` on, by severity; empty minutes not."""
        if self._access.dialect == "sqlite":
            minute: ColumnElement[Any] = func.substr(cast(EVENTS.c.received_at, Text), 1, 16)
        else:
            minute = func.to_char(func.timezone("UTC", EVENTS.c.received_at), "YYYY-MM-DD HH24:MI")
        minute = minute.label("minute")
        query = (
            select(minute, EVENTS.c.rank, func.count().label("events"))
            .where(EVENTS.c.received_at >= since)
            .group_by(literal_column("minute"), EVENTS.c.rank)
            .order_by(literal_column("minute"))
        )
        found: dict[datetime, dict[Severity, int]] = {}
        for row in await self._access.rows(query):
            at = datetime.fromisoformat(row["minute"]).replace(tzinfo=UTC)
            found.setdefault(at, {})[list(Severity)[row["rank"]]] = row["events"]
        return found

    async def earlier(self, event: SystemEvent, since: datetime) -> int:
        """How many other events of its type about the same thing came at ``since`` or later."""
        same = select(func.count()).where(
            EVENTS.c.fingerprint == event.fingerprint, EVENTS.c.received_at >= since
        )
        # Counted from the index alone, in a storm, too; then it is no other one itself.
        itself = same.where(EVENTS.c.source == event.source, EVENTS.c.id == event.id)
        query = select(same.scalar_subquery() - itself.scalar_subquery())
        return await self._access.read(lambda connection: connection.scalar(query) or 0)

    async def firing(self, source: str) -> list[FiringAlert]:
        """The alerts of a source that fire, in the order of their fingerprints."""
        began = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
        query = (
            select(EVENTS, INCIDENTS.c.ending, INCIDENTS.c.settled_at.label("ended_at"))
            .select_from(ALERTS)
            .join(EVENTS, began)
            .outerjoin(INCIDENTS, EVENTS.c.incident_id == INCIDENTS.c.id)
            .where(ALERTS.c.source == source, ALERTS.c.resolved_at.is_(None))
        )
        found = [
            FiringAlert(taken_event(row).event, row["ending"], row["ended_at"])
            for row in await self._access.rows(query)
        ]
        return sorted(found, key=lambda alert: alert.event.fingerprint)

    async def about(self, resources: Collection[str], since: datetime) -> list[IncidentRecord]:
        """Incidents of these resources that are open, or were opened at ``since`` or later."""
        query = newest(INCIDENTS.c.opened_at, None).where(
            INCIDENTS.c.resource.in_(sorted(resources)),
            or_(INCIDENTS.c.settled_at.is_(None), INCIDENTS.c.opened_at >= since),
        )
        return [IncidentRecord(**row) for row in await self._access.rows(query)]

    async def incidents(
        self,
        *,
        resource: str | None = None,
        run_id: str | None = None,
        status: IncidentStatus | None = None,
        limit: int = 100,
    ) -> list[IncidentRecord]:
        """Incidents, the one opened last first."""
        query = newest(INCIDENTS.c.opened_at, limit)
        query = matching(query, INCIDENTS, resource=resource, run_id=run_id, status=status)
        if status not in (None, IncidentStatus.SETTLED):
            query = query.where(INCIDENTS.c.settled_at.is_(None))
        return [IncidentRecord(**row) for row in await self._access.rows(query)]

    async def incident(self, incident_id: str) -> IncidentRecord | None:
        """One incident."""
        found = await self._access.rows(select(INCIDENTS).where(INCIDENTS.c.id == incident_id))
        return IncidentRecord(**found[0]) if found else None

    async def received(self, since: datetime, limit: int) -> list[SystemEvent]:
        """The events that came in at ``since`` or later, the newest ``limit`` of them."""
        query = select(EVENTS).where(EVENTS.c.received_at >= since)
        query = query.order_by(EVENTS.c.received_at.desc(), EVENTS.c.source, EVENTS.c.id)
        return [taken_event(row).event for row in await self._access.rows(query.limit(limit))]

    async def named(self, name: str, limit: int = 100) -> list[SystemEvent]:
        """The events of an id, of an alert, or of an incident, the first to arrive first.

        Args:
            name: An event's id, what the ids of an alert's events begin with, or an incident's id;
                of an incident the first six characters are enough.
            limit: How many at most.
        """
        same = EVENTS.c.id == name
        if len(name) >= SHORTEST_PREFIX:
            same |= EVENTS.c.incident_id.startswith(name, autoescape=True)
            same |= EVENTS.c.id.startswith(f"{name}-", autoescape=True)
        query = select(EVENTS).where(same).limit(limit)
        query = query.order_by(EVENTS.c.received_at, EVENTS.c.source, EVENTS.c.id)
        return [taken_event(row).event for row in await self._access.rows(query)]

    async def events(self, incident_id: str, limit: int = 100) -> list[SystemEvent]:
        """The events of an incident, the first to arrive first."""
        query = (
            select(EVENTS)
            .where(EVENTS.c.incident_id == incident_id)
            .order_by(EVENTS.c.received_at, EVENTS.c.source, EVENTS.c.id)
            .limit(limit)
        )
        return [taken_event(row).event for row in await self._access.rows(query)]
