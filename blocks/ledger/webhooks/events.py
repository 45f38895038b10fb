"""Events for partners: written along with what they tell of, and shared out to the endpoints later.

So no change waits for, or fails with, whatever it takes to know who wants to be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.webhooks.records import DISABLED, QUEUE, EndpointState, PartnerEvent
from blocks.ledger.webhooks.tables import DELIVERIES, PARTNER_EVENTS
from blocks.ledger.work.effects import WEBHOOK, EffectOutcome, EffectRecord, intend_in
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
        ids = [event.id for event, _ in shares]

        def write(connection: Connection) -> None:
            for event, endpoints in shares:
                for endpoint in endpoints:
                    deliver_in(connection, event, endpoint, now)
            these = select(each_text(connection, ids).c.value)
            done = update(PARTNER_EVENTS).where(PARTNER_EVENTS.c.id.in_(these))
            connection.execute(done.values(shared_at=now))

        await self._access.write(write)

    async def tell_one(
        self, event: PartnerEvent, endpoint: EndpointState, now: datetime
    ) -> EffectRecord:
        """Write an event for one endpoint alone, and its delivery, which nobody sweeps."""
        effect = delivery_effect(event, endpoint.name, now).model_copy(
            update={"queue": None, "next_at": None}
        )

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


def deliver_in(
    connection: Connection, event: PartnerEvent, endpoint: EndpointState, now: datetime
) -> None:
    """Put a delivery on record, unless it is."""
    effect = delivery_effect(event, endpoint.name, now)
    if not endpoint.enabled:
        outcome = EffectOutcome(reason=DISABLED, detail="Its endpoint is disabled.")
        missed = {"status": EffectStatus.REFUSED, "finished_at": now, "outcome": outcome}
        effect = effect.model_copy(update=missed | {"next_at": None})
    if intend_in(connection, effect):
        row = _row(event, endpoint, effect, event.line(endpoint.ordered_by))
        connection.execute(DELIVERIES.insert(), row)


def delivery_effect(event: PartnerEvent, endpoint: str, now: datetime) -> EffectRecord:
    """The effect by which an event is sent to an endpoint."""
    target = f"{QUEUE}{endpoint}"
    return EffectRecord(
        kind=WEBHOOK,
        target=target,
        queue=target,
        need_key=f"webhook {event.id} to {endpoint}",
        idempotency_key=event.id,
        cause=event.subject,
        payload={"type": event.type},
        intended_at=now,
        next_at=now,
    )


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
