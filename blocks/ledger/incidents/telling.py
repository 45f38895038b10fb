"""What partners are told of an incident's life: some of its steps, as events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select

from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.webhooks.events import tell_in
from blocks.ledger.webhooks.records import PartnerEvent
from blocks.vocabulary.partner_events import EventType, IncidentNews
from blocks.vocabulary.severity import Severity

_TOLD = {
    "opened": EventType.INCIDENT_OPENED,
    "worsened": EventType.INCIDENT_WORSENED,
    "acknowledged": EventType.INCIDENT_ACKNOWLEDGED,
    "ended": EventType.INCIDENT_RESOLVED,
    "reopened": EventType.INCIDENT_REOPENED,
}
"""The kinds of steps that partners are told of."""


class Step(Protocol):
    """A step of an incident's life."""

    @property
    def incident_id(self) -> str:
        """Whose."""

    @property
    def id(self) -> str:
        """Equal for the same step."""

    @property
    def at(self) -> datetime:
        """When it was."""

    @property
    def kind(self) -> str:
        """What happened."""


def tell_of_steps(connection: Connection, entries: Sequence[Step]) -> None:
    """Tell partners of an incident's steps, in the transaction that keeps them; news are no matter.

    An incident whose row is not there (it was forgotten meanwhile) is told by its id alone.
    """
    told = [entry for entry in entries if entry.kind in _TOLD]
    if not told:
        return
    these = select(each_text(connection, {entry.incident_id for entry in told}).c.value)
    query = select(
        INCIDENTS.c.id,
        INCIDENTS.c.resource,
        INCIDENTS.c.title,
        INCIDENTS.c.severity,
        INCIDENTS.c.opened_at,
    ).where(INCIDENTS.c.id.in_(these))
    known = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    events = []
    for entry in told:
        row = known.get(entry.incident_id, {})
        if row.get("severity") != Severity.INFO:
            events.append(_event(entry, row))
    tell_in(connection, events)


def _event(entry: Step, row: Mapping[str, object]) -> PartnerEvent:
    kind = _TOLD[entry.kind]
    names = ("resource", "title", "severity", "opened_at")
    news = IncidentNews.model_validate(
        {"id": entry.incident_id, **{name: row.get(name) for name in names}}
    )
    return PartnerEvent(
        need_key=f"{kind} {entry.incident_id} {entry.id}",
        type=kind,
        subject=f"incident:{entry.incident_id}",
        resource=news.resource or "",
        at=entry.at,
        data=news.model_dump(mode="json"),
    )
