"""Purchase orders: proposed once per need, each with its effect; what becomes known is added."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from sqlalchemy import Connection, and_, func, or_, select, update

from blocks.errors import NotFound
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.prefixes import require_enough, the_one
from blocks.ledger.engine.upsert import insert
from blocks.ledger.purchasing.proposing import Taken, propose_in
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.purchasing.rows import entry_row, load, query_of_orders
from blocks.ledger.purchasing.stages import promised_on, stage_of, units_of
from blocks.ledger.purchasing.tables import ORDER_ENTRIES, ORDER_LINES, ORDERS
from blocks.ledger.purchasing.telling import tell_of_order
from blocks.ledger.work.effects import EffectRecord
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.effects import EffectStatus

_PAGE = 200  # orders that are read at once while those of a stage are looked for

_MAY_COME = (
    EffectStatus.INTENDED,
    EffectStatus.ACTING,
    EffectStatus.DONE,
    EffectStatus.UNKNOWN,
)


@dataclass(frozen=True)
class LeadTime:
    """How long one order took.

    Attributes:
        sent_on: Day on which the supplier was sent it, UTC.
        promised_on: Day by which the supplier last said that all is there; None: it never said.
        received_on: Day on which the last of it came, UTC.
        units: Pieces ordered.
    """

    sent_on: date
    promised_on: date | None
    received_on: date
    units: int


class Orders:
    """The purchase orders in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def propose(
        self, order: OrderRecord, effect: EffectRecord, seen: Collection[str] = ()
    ) -> OrderRecord | Taken:
        """Put an order and its effect on record, or nothing of both.

        An item is ordered once per need: of those who decide at the same time, one orders it; and
        who did not know of an order that is under way may not order it after that one. An item
        of which an order may be sent, or may have been, is not ordered again before that is known.

        Args:
            order: What is wanted; the need keys of its lines are made here.
            effect: By which it is sent.
            seen: Ids of the orders under way that the decision took into account.

        Returns:
            The order as it is on record; Taken when some of its items are another one's.

        Raises:
            LedgerError: It cannot be kept, for instance as it has an item twice; nothing was.
        """
        return await self._access.write(
            lambda connection: propose_in(connection, order, effect, seen)
        )

    async def enter(self, order_id: str, entry: OrderEntry) -> bool:
        """Add what became known of an order.

        Returns:
            False when an entry with that key is there already; nothing is changed then.

        Raises:
            NotFound: There is no such order.
        """
        this = ORDERS.c.id == order_id

        def write(connection: Connection) -> bool | None:
            # On PostgreSQL too those who enter something of one order do so one after another.
            if connection.scalar(select(ORDERS.c.id).where(this).with_for_update()) is None:
                return None
            (before,) = load(connection, query_of_orders(this))
            of_order = ORDER_ENTRIES.c.order_id == order_id
            number = connection.scalar(select(func.count()).where(of_order)) or 0
            statement = (
                insert(connection.dialect.name, ORDER_ENTRIES)
                .values(entry_row(order_id, entry, number + 1))
                .on_conflict_do_nothing()
                .returning(ORDER_ENTRIES.c.number)
            )
            if connection.scalar(statement) is None:
                return False
            (order,) = load(connection, query_of_orders(this))
            ended_at = entry.at if _ends_when_sent(order) else None
            connection.execute(update(ORDERS).where(this).values(ended_at=ended_at))
            if order.stage is not before.stage:
                tell_of_order(connection, order, entry.at)
            return True

        entered = await self._access.write(write)
        if entered is None:
            raise NotFound(f"There is no order {order_id!r}.", hint=_SEE)
        return entered

    async def get(self, which: str) -> OrderRecord:
        """One order, by its reference, its id, or enough of the beginning of either.

        Raises:
            NotFound: There is none.
            RequestError: There are several, or the beginning is too short.
        """
        require_enough(which, "an order")
        begins = or_(
            ORDERS.c.reference == which,
            ORDERS.c.reference.startswith(which, autoescape=True),
            ORDERS.c.id.startswith(which, autoescape=True),
        )
        # One reference may be the beginning of another.
        query = query_of_orders(begins).order_by(ORDERS.c.reference != which).limit(2)
        found = await self._access.read(partial(load, query=query))
        exact = [order for order in found if order.reference == which]
        return the_one(exact or found, which, "an order", "./orchestrator orders --all")

    async def of_effect(self, effect_id: str) -> OrderRecord | None:
        """The order that an effect sends; None when the effect is another thing's."""
        query = query_of_orders(ORDERS.c.effect_id == effect_id)
        found = await self._access.read(partial(load, query=query))
        return found[0] if found else None

    async def list(
        self, stages: Collection[OrderStage] = (), *, limit: int = 100
    ) -> list[OrderRecord]:
        """Orders at these stages (at any, when none is named), newest first."""

        def read(connection: Connection) -> list[OrderRecord]:
            found: list[OrderRecord] = []
            for page in _pages(connection):
                found += [order for order in page if not stages or order.stage in stages]
                if len(found) >= limit:
                    break
            return found[:limit]

        return await self._access.read(read)

    async def under_way(self) -> Sequence[OrderRecord]:
        """Orders of which goods may come, oldest first."""
        open_ = and_(ORDERS.c.ended_at.is_(None), EFFECTS.c.status.in_(_MAY_COME))
        query = query_of_orders(open_).order_by(ORDERS.c.proposed_at, ORDERS.c.id)
        found = await self._access.read(partial(load, query=query))
        return [order for order in found if order.stage.is_under_way]

    async def proposed_since(self, since: datetime) -> Sequence[OrderRecord]:
        """Orders proposed at this instant or later, oldest first."""
        query = query_of_orders(ORDERS.c.proposed_at >= since)
        query = query.order_by(ORDERS.c.proposed_at, ORDERS.c.id)
        return await self._access.read(partial(load, query=query))

    async def heard_of(self, since: datetime) -> Sequence[OrderRecord]:
        """Orders of which something became known at this instant or later, oldest first."""
        told = select(ORDER_ENTRIES.c.order_id).where(ORDER_ENTRIES.c.at >= since)
        query = query_of_orders(ORDERS.c.id.in_(told))
        query = query.order_by(ORDERS.c.proposed_at, ORDERS.c.id)
        return await self._access.read(partial(load, query=query))

    async def of_skus(self, skus: Collection[str], *, limit: int = 1000) -> Sequence[OrderRecord]:
        """Orders with any of these items, newest first."""

        def read(connection: Connection) -> Sequence[OrderRecord]:
            these = select(each_text(connection, sorted(skus)).c.value)
            having = select(ORDER_LINES.c.order_id).where(ORDER_LINES.c.sku.in_(these))
            query = query_of_orders(ORDERS.c.id.in_(having))
            query = query.order_by(ORDERS.c.proposed_at.desc(), ORDERS.c.id).limit(limit)
            return load(connection, query)

        return await self._access.read(read)

    async def later_than(self, order: OrderRecord) -> Sequence[str]:
        """References of orders that were proposed after this one for any of its items there."""
        mine, others = ORDER_LINES.alias(), ORDER_LINES
        later = and_(
            mine.c.order_id == order.id,
            others.c.sku == mine.c.sku,
            others.c.site == mine.c.site,
            others.c.cycle > mine.c.cycle,
        )
        query = select(ORDERS.c.reference).where(ORDERS.c.id == others.c.order_id, later)
        rows = await self._access.rows(query.distinct().order_by(ORDERS.c.reference))
        return [row["reference"] for row in rows]

    async def lead_times(self, supplier: str, *, limit: int = 500) -> Sequence[LeadTime]:
        """How long the supplier's last orders took that came, newest first."""
        came = and_(ORDERS.c.supplier == supplier, ORDERS.c.ended_at.is_not(None))
        query = query_of_orders(came, EFFECTS.c.status == EffectStatus.DONE)
        query = query.order_by(ORDERS.c.proposed_at.desc(), ORDERS.c.id).limit(limit)
        found = await self._access.read(partial(load, query=query))
        return [_lead_time(order) for order in found if order.stage is OrderStage.RECEIVED]


def _ends_when_sent(order: OrderRecord) -> bool:
    """Whether nothing more comes of it by its entries: the first comes before it is sent."""
    return stage_of(EffectStatus.DONE, "", False, order.entries, units_of(order)).is_over


_SEE = "See ./orchestrator orders --all"


def _pages(connection: Connection) -> Iterator[list[OrderRecord]]:
    """All orders, newest first, page by page."""
    query = query_of_orders().order_by(ORDERS.c.proposed_at.desc(), ORDERS.c.id)
    start = 0
    while page := load(connection, query.limit(_PAGE).offset(start)):
        yield page
        start += len(page)


def _lead_time(order: OrderRecord) -> LeadTime:
    assert order.sent_at is not None, "it was sent"
    came = max(entry.at for entry in order.entries if entry.kind is EntryKind.RECEIVED)
    return LeadTime(
        sent_on=order.sent_at.date(),
        promised_on=promised_on(order),
        received_on=came.date(),
        units=sum(units_of(order).values()),
    )
