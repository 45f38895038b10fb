"""Events for partners: written along with what they tell of, and shared out to the endpoints later.

So no change waits for, or fails with, whatever it takes to know who wants to be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.webhooks.records import DISABLED, QUEUE, EndpointState, PartnerEvent
from blocks.ledger.webhooks.tables import DELIVERIES, PARTNER_EVENTS
from blocks.ledger.work.effects import (
    WEBHOOK,
    EffectOutcome,
    EffectRecord,
    effect_row,
    intend_in,
)
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.partner_events import EventType, ReportNews

_FIELDS = list(PartnerEvent.model_fields)


class PartnerEvents:
    """The events for partners in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def tell(self, events: Sequence[PartnerEvent]) -> None:
        """Write events that tell of nothing else that is written; one that is known is left."""
        await self._access.write(lambda connection: tell_in(connection, events))

    async def unshared(self, limit: int) -> list[PartnerEvent]:
        """Events that endpoints have to be told of, in their order."""
        query = (
            select(*(PARTNER_EVENTS.c[name] for name in _FIELDS))
            .where(PARTNER_EVENTS.c.shared_at.is_(None))
            .order_by(PARTNER_EVENTS.c.number)
            .limit(limit)
        )
        return [event_of(row) for row in await self._access.rows(query)]

    async def share(
        self,
        shares: Sequence[tuple[PartnerEvent, Sequence[EndpointState]]],
        now: datetime,
    ) -> None:
        """Give each endpoint its deliveries, once, whoever else does so at the same time.

        Args:
            shares: Each event with the endpoints that want it; of a disabled one it is put on
                record that it missed the event.
            now: When.
        """
        wanted = [(event, each) for event, endpoints in shares for each in endpoints]
        effects = [delivery_effect(event, endpoint, now) for event, endpoint in wanted]
        rows = [
            _row(event, endpoint, effect, event.line(endpoint.ordered_by))
            for (event, endpoint), effect in zip(wanted, effects, strict=True)
        ]

        def write(connection: Connection) -> None:
            if effects:
                _INTEND.execute(connection, [effect_row(effect) for effect in effects])
                ours = _among(connection, EFFECTS.c.id, [effect.id for effect in effects])
                written = set(connection.scalars(select(EFFECTS.c.id).where(ours)))
                fresh = [row for row in rows if row["effect_id"] in written]
                if fresh:
                    connection.execute(DELIVERIES.insert(), fresh)
            told = _among(connection, PARTNER_EVENTS.c.id, [event.id for event, _ in shares])
            connection.execute(update(PARTNER_EVENTS).where(told).values(shared_at=now))

        await self._access.write(write)

    async def tell_one(
        self, event: PartnerEvent, endpoint: EndpointState, now: datetime
    ) -> EffectRecord:
        """Write an event for one endpoint alone, and its delivery, which nobody sweeps."""
        is_well = endpoint.model_copy(update={"enabled": True})  # it is asked all the same
        unswept = {"queue": None, "next_at": None}
        effect = delivery_effect(event, is_well, now).model_copy(update=unswept)

        def write(connection: Connection) -> None:
            tell_in(connection, [event], shared_at=now)
            intend_in(connection, effect)
            connection.execute(DELIVERIES.insert(), _row(event, endpoint, effect, line=""))

        await self._access.write(write)
        return effect


def tell_in(
    connection: Connection, events: Sequence[PartnerEvent], shared_at: datetime | None = None
) -> None:
    """Write events within the transaction that writes what they tell of."""
    if not events:
        return
    last: int = connection.scalar(select(func.max(PARTNER_EVENTS.c.number))) or 0
    rows = [
        dict(event) | {"number": number, "data": to_json(event.data), "shared_at": shared_at}
        for number, event in enumerate(events, start=last + 1)
    ]
    _TELL.execute(connection, rows)


_TELL = Prepared(lambda dialect: insert(dialect, PARTNER_EVENTS).on_conflict_do_nothing())


def report_ready(run_id: str, workflow: str, at: datetime) -> PartnerEvent:
    """That a run's report is there, told once per run."""
    return PartnerEvent(
        need_key=f"{EventType.REPORT_READY} {run_id}",
        type=EventType.REPORT_READY,
        subject=f"report:{run_id}",
        resource=f"workflow:{workflow}",
        at=at,
        data=ReportNews(run_id=run_id, workflow=workflow).model_dump(mode="json"),
    )


def delivery_effect(event: PartnerEvent, endpoint: EndpointState, now: datetime) -> EffectRecord:
    """The effect by which an event is sent to an endpoint; over at once for one that is disabled.

    Its webhook has the event's id, whichever endpoint it goes to.
    """
    target = f"{QUEUE}{endpoint.name}"
    effect = EffectRecord(
        kind=WEBHOOK,
        target=target,
        queue=target,
        need_key=f"webhook {event.id} to {endpoint.name}",
        idempotency_key=event.id,
        cause=event.subject,
        payload={"type": event.type},
        intended_at=now,
        next_at=now,
    )
    if endpoint.enabled:
        return effect
    outcome = EffectOutcome(reason=DISABLED, detail="Its endpoint is disabled.")
    missed = {"status": EffectStatus.REFUSED, "finished_at": now, "outcome": outcome}
    return effect.model_copy(update={**missed, "next_at": None})


_INTEND = Prepared(lambda dialect: insert(dialect, EFFECTS).on_conflict_do_nothing())


def _among(
    connection: Connection, column: ColumnElement[str], ids: Sequence[str]
) -> ColumnElement[bool]:
    return column.in_(select(each_text(connection, ids).c.value))


def event_of(row: RowMapping, prefix: str = "") -> PartnerEvent:
    """The event of a row, whose columns may have a prefix."""
    return PartnerEvent(**{name: row[f"{prefix}{name}"] for name in _FIELDS})


def _row(
    event: PartnerEvent, endpoint: EndpointState, effect: EffectRecord, line: str
) -> dict[str, Any]:
    return {
        "effect_id": effect.id,
        "event_id": event.id,
        "number": event.number,
        "endpoint": endpoint.name,
        "type": event.type,
        "subject": event.subject,
        "line": line,
        "at": effect.intended_at,
    }
