"""Deliveries: which of them come next, the log of all, and having some sent again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    update,
)

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.engine.values import to_json
from blocks.ledger.webhooks.events import event_of
from blocks.ledger.webhooks.records import (
    DISABLED,
    QUEUE,
    Delivery,
    DeliveryAttempt,
    PartnerEvent,
)
from blocks.ledger.webhooks.tables import DELIVERIES, DELIVERY_ATTEMPTS, PARTNER_EVENTS
from blocks.ledger.work.effects import EffectOutcome, EffectRecord
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.effects import EffectStatus

AT_ONCE = 100
"""Deliveries of an endpoint that are read at once."""

OF_LINE = 20
"""Of one line so many of them."""

MISSED = (EffectStatus.FAILED, EffectStatus.REFUSED, EffectStatus.UNKNOWN)
"""How a delivery stands that its endpoint did not take, and is not sent any more."""

_OVER = (*MISSED, EffectStatus.DONE)


@dataclass(frozen=True)
class Search:
    """Which deliveries are looked for; what is None, or empty, is of no matter.

    Attributes:
        types: Types of events.
        subject: What they are about: ``incident:ID``, ``order:REFERENCE``.
        text: A part of the event's data, of an attempt's fault, or of an answer.
    """

    endpoint: str | None = None
    types: Collection[str] = ()
    statuses: Collection[EffectStatus] = ()
    subject: str | None = None
    since: datetime | None = None
    text: str = ""
    limit: int = 100

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """As the database is asked."""
        which: list[ColumnElement[bool]] = []
        if self.endpoint is not None:
            which.append(DELIVERIES.c.endpoint == self.endpoint)
        if self.types:
            which.append(DELIVERIES.c.type.in_(self.types))
        if self.statuses:
            which.append(EFFECTS.c.status.in_(self.statuses))
        if self.subject is not None:
            which.append(DELIVERIES.c.subject == self.subject)
        if self.since is not None:
            which.append(DELIVERIES.c.at >= self.since)
        if self.text:
            of_it = DELIVERY_ATTEMPTS.c.effect_id == DELIVERIES.c.effect_id
            told = (DELIVERY_ATTEMPTS.c.fault, DELIVERY_ATTEMPTS.c.answer)
            said = or_(*(each.icontains(self.text, autoescape=True) for each in told))
            data = cast(PARTNER_EVENTS.c.data, Text).icontains(self.text, autoescape=True)
            which.append(or_(data, select(DELIVERY_ATTEMPTS).where(of_it, said).exists()))
        return which


class Deliveries:
    """The deliveries in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def next(self, endpoint: str, now: datetime) -> list[list[Delivery]]:
        """What an endpoint is to be sent now, by line, each line in its order.

        In no line comes anything before what was told earlier is over. What waits in no line is
        one by itself.
        """
        no_line = DELIVERIES.c.line == ""
        place = func.row_number().over(
            partition_by=case((no_line, DELIVERIES.c.effect_id), else_=DELIVERIES.c.line),
            order_by=(DELIVERIES.c.number, DELIVERIES.c.effect_id),
        )
        open_ = (
            select(DELIVERIES.c.effect_id, place.label("place"))
            .join_from(EFFECTS, DELIVERIES, DELIVERIES.c.effect_id == EFFECTS.c.id)
            .where(EFFECTS.c.queue == f"{QUEUE}{endpoint}", EFFECTS.c.finished_at.is_(None))
            .subquery()
        )
        query = (
            _DELIVERIES.add_columns(open_.c.place)
            .join(open_, open_.c.effect_id == DELIVERIES.c.effect_id)
            .where(
                open_.c.place <= OF_LINE,
                EFFECTS.c.status == EffectStatus.INTENDED,
                EFFECTS.c.next_at <= now,
            )
            .order_by(DELIVERIES.c.number, DELIVERIES.c.effect_id)
            .limit(AT_ONCE)
        )
        lines: dict[str, list[Delivery]] = defaultdict(list)
        for row in await self._access.rows(query):
            delivery = _delivery(row)
            line = lines[delivery.line or delivery.id]
            if row["place"] == len(line) + 1:  # else something before it is not over
                line.append(delivery)
        return [line for line in lines.values() if line]

    async def of_effect(self, effect_id: str) -> Delivery | None:
        """The delivery that an effect makes, without its attempts; None: it makes none."""
        rows = await self._access.rows(_DELIVERIES.where(EFFECTS.c.id == effect_id))
        return _delivery(rows[0]) if rows else None

    async def found(self, search: Search) -> list[Delivery]:
        """Deliveries that are looked for, newest first, with their attempts."""
        query = _DELIVERIES.where(*search.conditions).limit(search.limit)
        query = query.order_by(DELIVERIES.c.at.desc(), DELIVERIES.c.number.desc())
        return await self._with_attempts(query)

    async def get(self, id_or_prefix: str) -> Delivery:
        """One delivery, by its id or by enough of its beginning.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or the beginning is too short.
        """
        require_enough(id_or_prefix, "a delivery")
        begins = DELIVERIES.c.effect_id.startswith(id_or_prefix, autoescape=True)
        found = await self._with_attempts(_DELIVERIES.where(begins).limit(2))
        return the_one(found, id_or_prefix, "a delivery", "./orchestrator webhooks")

    async def refuse_waiting(self, endpoint: str, now: datetime) -> int:
        """Close what waits for an endpoint that takes none; how many those were."""
        outcome = EffectOutcome(reason=DISABLED, detail="Its endpoint was disabled.")
        waits = and_(
            EFFECTS.c.queue == f"{QUEUE}{endpoint}",
            EFFECTS.c.finished_at.is_(None),
            EFFECTS.c.status == EffectStatus.INTENDED,
        )
        closed = {
            "status": EffectStatus.REFUSED,
            "outcome": to_json(outcome.model_dump(mode="json")),
            "next_at": None,
            "finished_at": now,
        }
        return await self._access.change(update(EFFECTS).where(waits).values(closed))

    async def send_again(self, effect_id: str, now: datetime) -> bool:
        """Have a delivery that is over sent again, by the whole schedule; False: it is not over."""
        again = _again(EFFECTS.c.id == effect_id, _OVER, now)
        return bool(await self._access.change(again))

    async def send_missed(self, endpoint: str, now: datetime, since: datetime | None = None) -> int:
        """Have all sent that an endpoint missed, in its order; how many those are."""
        which = [DELIVERIES.c.endpoint == endpoint]
        which += [DELIVERIES.c.at >= since] if since is not None else []
        missed = EFFECTS.c.id.in_(select(DELIVERIES.c.effect_id).where(*which))
        in_queue = EFFECTS.c.queue.is_not(None)  # else it was a test
        return await self._access.change(_again(and_(missed, in_queue), MISSED, now))

    async def _with_attempts(self, query: Select[Any]) -> list[Delivery]:
        def read(connection: Connection) -> list[Delivery]:
            found = [_delivery(row) for row in connection.execute(query).mappings()]
            these = select(each_text(connection, [each.id for each in found]).c.value)
            made = select(DELIVERY_ATTEMPTS).where(DELIVERY_ATTEMPTS.c.effect_id.in_(these))
            attempts: dict[str, list[DeliveryAttempt]] = defaultdict(list)
            for row in connection.execute(made).mappings():
                attempts[row["effect_id"]].append(DeliveryAttempt(**row))
            return [
                each.model_copy(
                    update={"attempts": sorted(attempts[each.id], key=lambda one: one.number)}
                )
                for each in found
            ]

        return await self._access.read(read)


def _again(which: ColumnElement[bool], statuses: Sequence[EffectStatus], now: datetime) -> Any:
    return (
        update(EFFECTS)
        .where(which, EFFECTS.c.status.in_(statuses))
        .values(
            status=EffectStatus.INTENDED,
            tries_before=EFFECTS.c.attempts,
            queue=EFFECTS.c.target,
            next_at=now,
            finished_at=None,
        )
    )


def _columns(table: Any, prefix: str, names: Collection[str]) -> list[ColumnElement[Any]]:
    return [table.c[name].label(f"{prefix}{name}") for name in names]


_DELIVERIES: Select[Any] = (
    select(
        DELIVERIES.c.endpoint,
        DELIVERIES.c.line,
        *_columns(EFFECTS, "effect_", EffectRecord.model_fields),
        *_columns(PARTNER_EVENTS, "event_", PartnerEvent.model_fields),
    )
    .join_from(DELIVERIES, EFFECTS, EFFECTS.c.id == DELIVERIES.c.effect_id)
    .join(PARTNER_EVENTS, PARTNER_EVENTS.c.id == DELIVERIES.c.event_id)
)


def _delivery(row: RowMapping) -> Delivery:
    effect = {name: row[f"effect_{name}"] for name in EffectRecord.model_fields}
    return Delivery(
        event=event_of(row, "event_"),
        endpoint=row["endpoint"],
        line=row["line"],
        effect=EffectRecord(**effect),
    )
