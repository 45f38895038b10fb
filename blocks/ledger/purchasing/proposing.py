"""One order per need: an order goes on record with its lines and its effect, or nothing of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, select

from blocks.errors import LedgerError
from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.upsert import insert
from blocks.ledger.purchasing.records import OrderRecord, OrderStage
from blocks.ledger.purchasing.rows import line_row, load, order_row, query_of_orders
from blocks.ledger.purchasing.tables import ORDER_LINES, ORDERS
from blocks.ledger.work.effects import EffectRecord, intend_in

_TRIES = 3  # each failure means that another one ordered an item just then

_NOT_SENT_FOR_SURE = (
    OrderStage.PROPOSED,
    OrderStage.APPROVED,
    OrderStage.SENDING,
    OrderStage.UNKNOWN,
)
"""An item of which an order stands so is not ordered again, however its stock is."""


@dataclass(frozen=True)
class Taken:
    """Why an order was not put on record: some of its items are being ordered already.

    Attributes:
        by: The order that each of these items is under way with, by SKU.
    """

    by: Mapping[str, OrderRecord]


def propose_in(
    connection: Connection, order: OrderRecord, effect: EffectRecord, seen: Collection[str]
) -> OrderRecord | Taken:
    """``Orders.propose`` within a transaction."""
    for _ in range(_TRIES):
        last = _last_orders(connection, order)
        if by := {sku: o for sku, (o, _) in last.items() if _bars(o, seen)}:
            return Taken(by)
        with connection.begin_nested() as point:
            if kept := _keep(connection, order, effect, last):
                return kept
            point.rollback()
        # Somebody else was first with an item, and that is committed by now: look again.
    raise LedgerError(f"{order.reference} orders an item twice, or was proposed before.")


def _bars(order: OrderRecord, seen: Collection[str]) -> bool:
    """Whether the last order of an item stands in the way of another one."""
    if not order.stage.is_under_way:
        return False
    return order.id not in seen or order.stage in _NOT_SENT_FOR_SURE


def _last_orders(connection: Connection, order: OrderRecord) -> dict[str, tuple[OrderRecord, int]]:
    """The last order of each item of an order at its site with its cycle, by SKU."""
    these = select(each_text(connection, [line.sku for line in order.lines]).c.value)
    here = and_(ORDER_LINES.c.sku.in_(these), ORDER_LINES.c.site == order.site)
    lines = ORDER_LINES.alias()
    later = and_(
        lines.c.sku == ORDER_LINES.c.sku,
        lines.c.site == ORDER_LINES.c.site,
        lines.c.cycle > ORDER_LINES.c.cycle,
    )
    query = select(ORDER_LINES.c.sku, ORDER_LINES.c.cycle, ORDER_LINES.c.order_id)
    rows = connection.execute(query.where(here, ~select(1).where(later).exists())).all()
    ids = select(each_text(connection, sorted({row.order_id for row in rows})).c.value)
    orders = {o.id: o for o in load(connection, query_of_orders(ORDERS.c.id.in_(ids)))}
    return {row.sku: (orders[row.order_id], row.cycle) for row in rows if row.order_id in orders}


def _keep(
    connection: Connection,
    order: OrderRecord,
    effect: EffectRecord,
    last: Mapping[str, tuple[OrderRecord, int]],
) -> OrderRecord | None:
    """Write down an order with all that belongs to it; None when a need is taken."""
    if not intend_in(connection, effect):
        return None
    lines = []
    for line in order.lines:
        after = last[line.sku][0].id if line.sku in last else "none"
        key = f"{line.sku}@{order.site} after {after}"
        lines.append(line.model_copy(update={"need_key": key}))
    kept = order.model_copy(update={"lines": lines})
    connection.execute(insert(connection.dialect.name, ORDERS).values(order_row(kept)))
    for number, line in enumerate(kept.lines, start=1):
        cycle = last[line.sku][1] + 1 if line.sku in last else 1
        statement = (
            insert(connection.dialect.name, ORDER_LINES)
            .values(line_row(kept, number, cycle))
            .on_conflict_do_nothing(index_elements=["need_key"])
            .returning(ORDER_LINES.c.order_id)
        )
        if connection.scalar(statement) is None:
            return None
    (kept,) = load(connection, query_of_orders(ORDERS.c.id == order.id))
    return kept
