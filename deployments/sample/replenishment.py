"""Where the sample shop's stock comes from: its real sales replayed against a buyer's rule.

The source tells what was sold, not what was in stock. Per SKU, day by day:

- In the morning deliveries that are due arrive; in the evening the day's sales leave, returns come
  back. A sale that stock could not cover is a backorder: the next delivery fills it first.
- Once a week, each fifth of the range on its own weekday or the next trading day, the buyer looks
  (review period R = 7 days). Daily demand and its deviation are those of the last 56 calendar days.
  The reorder point covers lead time and review: s = mean (L + R) + z sd sqrt(L + R), z = 1.0
  (about 84 % of the cycles).
- If the inventory position (on hand + on order - backorders) is at or below s, the buyer orders up
  to S = s + 28 days of demand, at least the supplier's minimum, in whole packs.
- A product starts with what its first 28 days will sell: the launch quantity, or the stock that the
  shop had when the records begin.

A buyer who looks back eight weeks is late for the autumn rise and left with stock after it, and
suppliers are late at times: so some items are low or out and others overstocked, for real reasons.
(s, S) with periodic review: Silver, Pyke, Thomas, Inventory and Production Management in Supply
Chains, 4th ed., section 6.2. Everything is deterministic, and what happened up to a day depends on
nothing after it, so that tomorrow's replay continues today's.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import accumulate

from deployments.sample.history import Line
from deployments.sample.suppliers import Offer, chance

REVIEW_DAYS = 7
LOOK_BACK_DAYS = 56
COVER_DAYS = 28
LAUNCH_DAYS = 28
SAFETY_FACTOR = 1.0

Sold = dict[date, int]
"""Net units per trading day: sales less returns."""


@dataclass
class PurchaseOrder:
    """One order of one SKU at its supplier; ``arrives_on`` is known to the replay alone."""

    order_id: str
    sku: str
    supplier: str
    units: int
    unit_cost: float
    ordered_on: date
    promised_on: date
    arrives_on: date
    received_on: date | None = None


@dataclass
class StockRecord:
    """A SKU at the end of the replay.

    ``opening + received - sold = on_hand - backordered``, with net sales.

    Attributes:
        orders: The buyer's.
        bought: Those of somebody else.
    """

    sku: str
    offer: Offer
    opening: int
    level: int
    reorder_point: int = 0
    orders: list[PurchaseOrder] = field(default_factory=list)
    bought: list[PurchaseOrder] = field(default_factory=list)

    @property
    def on_hand(self) -> int:
        """Units on the shelf."""
        return max(self.level, 0)

    @property
    def backordered(self) -> int:
        """Units sold that still have to come in."""
        return max(-self.level, 0)

    @property
    def on_order(self) -> int:
        """Units ordered that have not arrived."""
        under_way = [o for o in (*self.orders, *self.bought) if o.received_on is None]
        return sum(order.units for order in under_way)


def net_sales(lines: Iterable[Line]) -> dict[str, Sold]:
    """Net units per SKU and trading day."""
    sold: dict[str, Counter[date]] = {}
    for line in lines:
        sold.setdefault(line.sku, Counter())[line.sold_at.date()] += line.units
    return {sku: dict(days) for sku, days in sold.items()}


def launch_quantity(sold: Sold) -> int:
    """Units a product starts with: net sales of its first 28 days."""
    end = min(sold) + timedelta(days=LAUNCH_DAYS)
    return max(0, sum(units for day, units in sold.items() if day < end))


def review_weekday(sku: str) -> int:
    """The weekday, Monday (0) to Friday (4), on which the buyer looks at a product."""
    return int(chance("review", sku) * 5)


def replay(
    sold: Sold,
    trading_days: Sequence[date],
    offer: Offer,
    opening: int,
    bought: Iterable[PurchaseOrder] = (),
) -> StockRecord:
    """Replay one SKU from its first sale to the last of ``trading_days``.

    Args:
        sold: Its net sales; nothing after the last trading day is looked at.
        trading_days: The shop's trading days in order, none before the SKU's first sale needed.
        offer: The supplier it is ordered from.
        opening: Units on hand before the first sale.
        bought: What somebody else than the buyer ordered of it, from whomever. The buyer counts it.
    """
    first = min(sold)
    demand = _Demand(sold, first, trading_days[-1])
    record = StockRecord(offer.product.sku, offer, opening, level=opening)
    record.bought = [replace(order) for order in sorted(bought, key=lambda o: o.ordered_on)]
    to_come = deque(record.bought)
    due: list[PurchaseOrder] = []
    weekday = review_weekday(record.sku)
    reviewed_week = -1
    for day in trading_days:
        if day < first:
            continue
        while to_come and to_come[0].ordered_on <= day:
            due.append(to_come.popleft())
        for order in [order for order in due if order.arrives_on <= day]:
            order.received_on = day
            record.level += order.units
            due.remove(order)
        record.level -= sold.get(day, 0)
        # Weeks that begin on the review's weekday; date.min was a Monday.
        week = ((day - date.min).days - weekday) // 7
        if week != reviewed_week:
            reviewed_week = week
            record.reorder_point, up_to = _levels(demand, day, offer.supplier.lead_time_days)
            position = record.level + sum(order.units for order in due)
            if position <= record.reorder_point and up_to > position:
                order = _order(record, day, up_to - position)
                record.orders.append(order)
                due.append(order)
    return record


class _Demand:
    """Mean and deviation of daily net sales over the last days, from running sums."""

    def __init__(self, sold: Sold, first: date, last: date) -> None:
        daily = [sold.get(first + timedelta(days=i), 0) for i in range((last - first).days + 1)]
        self._first = first
        self._sums = list(accumulate(daily, initial=0))
        self._squares = list(accumulate((units * units for units in daily), initial=0))

    def up_to(self, day: date) -> tuple[float, float]:
        """Mean (not below 0) and standard deviation of units a day."""
        end = (day - self._first).days + 1
        start = max(0, end - LOOK_BACK_DAYS)
        days = max(end - start, LAUNCH_DAYS)  # one good first day is no trend
        mean = (self._sums[end] - self._sums[start]) / days
        square = (self._squares[end] - self._squares[start]) / days
        return max(mean, 0.0), math.sqrt(max(square - mean * mean, 0.0))


def _levels(demand: _Demand, day: date, lead_time_days: int) -> tuple[int, int]:
    """Reorder point and order-up-to level, in units."""
    mean, deviation = demand.up_to(day)
    protection = lead_time_days + REVIEW_DAYS
    reorder_point = math.ceil(mean * protection + SAFETY_FACTOR * deviation * math.sqrt(protection))
    return reorder_point, reorder_point + math.ceil(mean * COVER_DAYS)


def _order(record: StockRecord, day: date, wanted: int) -> PurchaseOrder:
    supplier = record.offer.supplier
    number = len(record.orders) + 1
    packs = math.ceil(max(wanted, supplier.min_order_units) / supplier.pack_units)
    promised = day + timedelta(days=supplier.lead_time_days)
    delay = 0
    if chance("late", record.sku, number) < supplier.late_share:
        delay = 1 + int(chance("delay", record.sku, number) * supplier.late_days)
    return PurchaseOrder(
        order_id=f"PO-{record.sku}-{number:03d}",
        sku=record.sku,
        supplier=supplier.name,
        units=packs * supplier.pack_units,
        unit_cost=record.offer.unit_cost,
        ordered_on=day,
        promised_on=promised,
        arrives_on=promised + timedelta(days=delay),
    )
