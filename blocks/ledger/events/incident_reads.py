"""What is asked of the incidents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

from blocks.ledger.calls.queries import newest
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.ledger.events.tables import ALERTS, EVENTS, INCIDENTS
from blocks.vocabulary.messages import Severity

MOST = 2000
"""Incidents that are listed; ``counts`` counts all."""

OPEN = INCIDENTS.c.settled_at.is_(None)
STANDING = and_(OPEN, INCIDENTS.c.status == IncidentStatus.STANDING)


def among(connection: Connection, incident_ids: Collection[str]) -> ColumnElement[bool]:
    """However many they are: as parameters of their own there could be too many."""
    these = each_text(connection, incident_ids)
    return INCIDENTS.c.id.in_(select(these.c.value))


class IncidentReads:
    """Which incidents there are, and which are not over."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def open(
        self, limit: int | None = MOST, at_least: Severity = Severity.WARNING
    ) -> Sequence[IncidentRecord]:
        """All that are not over, the one opened last first; milder ones if they are somebody's."""
        ranks = [each for each in Severity if each >= at_least]
        told: ColumnElement[bool] = INCIDENTS.c.severity.in_(ranks)
        if at_least > Severity.WARNING:
            told |= INCIDENTS.c.assigned_to.is_not(None)
        return await self._records(newest(INCIDENTS.c.opened_at, limit).where(OPEN, told))

    async def counts(self) -> dict[Severity, int]:
        """How many are not over, by severity; news left out, of the others each is there."""
        query = (
            select(INCIDENTS.c.severity, func.count().label("incidents"))
            .where(OPEN)
            .group_by(INCIDENTS.c.severity)
        )
        found = {row["severity"]: row["incidents"] for row in await self._access.rows(query)}
        return {each: found.get(each, 0) for each in Severity if each is not Severity.INFO}

    async def get(self, which: str) -> IncidentRecord:
        """One incident, by enough of the beginning of its id, or an open one by its resource.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or what names it is too short.
        """
        about = select(INCIDENTS).where(OPEN, INCIDENTS.c.resource == which).limit(2)
        if found := await self._records(about):
            return the_one(found, which, "an incident", "./orchestrator incidents")
        require_enough(which, "an incident")
        begins = INCIDENTS.c.id.startswith(which, autoescape=True)
        found = await self._records(select(INCIDENTS).where(begins).limit(2))
        return the_one(found, which, "an incident", "./orchestrator incidents --all")

    async def of(self, incident_ids: Collection[str]) -> dict[str, IncidentRecord]:
        """These incidents, by their id; those that are forgotten are not there."""

        def read(connection: Connection) -> dict[str, IncidentRecord]:
            rows = connection.execute(select(INCIDENTS).where(among(connection, incident_ids)))
            return {row["id"]: IncidentRecord(**row) for row in rows.mappings()}

        return await self._access.read(read)

    async def list(
        self,
        *,
        over: bool = False,
        resource: str = "*",
        severity: Severity | None = None,
        assigned_to: str | None = None,
        limit: int = 100,
    ) -> Sequence[IncidentRecord]:
        """Incidents that are not over, the worst first; then those that are, the latest first.

        News is none. Of a thousand open ones the limit leaves out the mildest, and none for what
        is over.

        Args:
            over: Also those that are over.
            resource: What they are about, with ``*`` and ``?``.
            severity: From this one on.
            assigned_to: Only whose they are.
            limit: How many at most.
        """
        ranks = [each for each in Severity if each >= (severity or Severity.WARNING)]
        wanted: list[ColumnElement[bool]] = [INCIDENTS.c.severity.in_(ranks)]
        if resource != "*":
            wanted.append(INCIDENTS.c.resource.like(_like(resource), escape="/"))
        if assigned_to is not None:
            wanted.append(INCIDENTS.c.assigned_to == assigned_to)
        worst = case({each.value: -each.rank for each in ranks}, value=INCIDENTS.c.severity)
        latest = INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id
        query = select(INCIDENTS).where(*wanted)
        found = list(await self._records(query.where(OPEN).order_by(worst, *latest).limit(limit)))
        if over and len(found) < limit:
            ended = query.where(~OPEN).order_by(*latest).limit(limit - len(found))
            found += await self._records(ended)
        return found

    async def heard(self) -> dict[str, datetime]:
        """When a source was last heard of each incident whose outage goes on, by its id."""
        outage = and_(ALERTS.c.source == EVENTS.c.source, ALERTS.c.event_id == EVENTS.c.id)
        query = (
            select(INCIDENTS.c.id, func.max(ALERTS.c.heard_at).label("heard_at"))
            .join(EVENTS, EVENTS.c.incident_id == INCIDENTS.c.id)
            .join(ALERTS, outage)
            .where(STANDING, ALERTS.c.resolved_at.is_(None))
            .group_by(INCIDENTS.c.id)
        )
        return {row["id"]: row["heard_at"] for row in await self._access.rows(query)}

    async def things(self, incident_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """What each of these incidents has been told of: the fingerprints of its events."""
        query = (
            select(EVENTS.c.incident_id, EVENTS.c.fingerprint)
            .distinct()
            .where(EVENTS.c.incident_id.in_(sorted(incident_ids)))
        )
        found: dict[str, set[str]] = {}
        for row in await self._access.rows(query):
            found.setdefault(row["incident_id"], set()).add(row["fingerprint"])
        return {name: frozenset(things) for name, things in found.items()}

    async def _records(self, query: Select[tuple[object, ...]]) -> Sequence[IncidentRecord]:
        return [IncidentRecord(**row) for row in await self._access.rows(query)]


def _like(pattern: str) -> str:
    """A pattern with ``*`` and ``?`` as LIKE has it, with ``/`` before what is meant as it is."""
    spelled = "".join(f"/{c}" if c in "/%_" else c for c in pattern)
    return spelled.replace("*", "%").replace("?", "_")
