"""The timeline of an incident, as far as no other record tells it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, select

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.incidents.tables import INCIDENT_ENTRIES
from blocks.ledger.incidents.telling import tell_of_steps
from blocks.models import Frozen
from blocks.vocabulary.messages import ORCHESTRATOR, new_id


class EntryKind(StrEnum):
    """What happened in an incident's life."""

    OPENED = "opened"
    WORSENED = "worsened"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    NOTED = "noted"
    ESCALATED = "escalated"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    FLAPPING = "flapping"
    STEADY = "steady"
    RESPONDED = "responded"
    ENDED = "ended"
    REOPENED = "reopened"


class IncidentEntry(Frozen):
    """One step in an incident's life.

    Attributes:
        incident_id: Whose.
        id: Equal for the same step, however often it is written.
        at: When it happened.
        kind: What happened.
        by: Who did it: a person, an agent, a source, or the orchestrator.
        text: One sentence a manager understands; plain text, it may come from outside.
        data: The values behind it.
    """

    incident_id: str
    id: str = Field(default_factory=new_id)
    at: AwareDatetime
    kind: EntryKind
    by: str = ORCHESTRATOR
    text: str = ""
    data: dict[str, Any] = Field(default_factory=dict)


class IncidentEntries:
    """The timelines in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def add(self, entries: Sequence[IncidentEntry]) -> None:
        """Keep steps; one that is known already changes nothing."""
        await self._access.write(lambda connection: enter(connection, entries))

    async def of(self, incident_ids: Collection[str]) -> list[IncidentEntry]:
        """The steps of some incidents, the earliest first."""
        query = (
            select(INCIDENT_ENTRIES)
            .where(INCIDENT_ENTRIES.c.incident_id.in_(sorted(incident_ids)))
            .order_by(INCIDENT_ENTRIES.c.at, INCIDENT_ENTRIES.c.id)
        )
        return [IncidentEntry(**row) for row in await self._access.rows(query)]


def enter(connection: Connection, entries: Sequence[IncidentEntry]) -> None:
    """Keep steps along with what they tell of, in one transaction; partners are told of some."""
    if entries:
        rows = [dict(entry) | {"data": to_json(entry.data)} for entry in entries]
        _ENTER.execute(connection, rows)
        tell_of_steps(connection, entries)


_ENTER = Prepared(lambda dialect: insert(dialect, INCIDENT_ENTRIES).on_conflict_do_nothing())
