"""Purchase orders under way, as short as the status page tells them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.purchasing.stages import due_on, still_to_come
from flows.status.page_model import OpenOrder, OpenOrders

MOST = 12
"""Orders that the page names."""


def open_orders_in_short(orders: Sequence[OrderRecord]) -> OpenOrders:
    """A line per order, and what all of them cost."""
    total: dict[str, Decimal] = {}
    for order in orders:
        total[order.currency] = total.get(order.currency, Decimal(0)) + order.total
    soonest = sorted(orders, key=lambda order: (due_on(order), order.reference))
    return OpenOrders(
        orders=[_in_short(order) for order in soonest[:MOST]],
        left_out=max(0, len(orders) - MOST),
        worth=[f"{amount:,.2f} {currency}" for currency, amount in sorted(total.items())],
    )


def _in_short(order: OrderRecord) -> OpenOrder:
    left = still_to_come(order)
    most = max(order.lines, key=lambda line: left.get(line.sku, 0), default=None)
    return OpenOrder(
        reference=order.reference,
        supplier=order.supplier,
        stage=order.stage.value,
        total=f"{order.total:,.2f}",
        currency=order.currency,
        items=len(order.lines),
        units=sum(left.values()),
        first=f"{left.get(most.sku, 0):,} of {most.name or most.sku}" if most else "",
        due_on=due_on(order),
    )
