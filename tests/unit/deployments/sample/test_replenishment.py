"""The replay that gives the sample shop its stock, against slow and obvious references."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sample import history
from deployments.sample.history import Line
from deployments.sample.replenishment import (
    PurchaseOrder,
    StockRecord,
    launch_quantity,
    net_sales,
    replay,
    review_weekday,
)
from deployments.sample.store import _replay
from deployments.sample.suppliers import SUPPLIERS, Offer

MONDAY = date(2010, 3, 1)
PRODUCT = next(p for p in history.products() if review_weekday(p.sku) == 0)
"""A product that is looked at on Mondays."""


def offer_of(supplier_index: int) -> Offer:
    return Offer(SUPPLIERS[supplier_index], PRODUCT, 1.0)


def weekdays(count: int) -> list[date]:
    """Trading days from a Monday on, closed on Saturdays, as the shop is."""
    days = (MONDAY + timedelta(days=i) for i in range(2 * count))
    return [day for day in days if day.weekday() != 5][:count]


@st.composite
def sales(draw) -> dict[date, int]:
    days = draw(st.lists(st.sampled_from(weekdays(150)), min_size=1, unique=True))
    return {day: draw(st.integers(-50, 500)) for day in days}


def received(record: StockRecord) -> int:
    return sum(order.units for order in record.orders if order.received_on)


@given(sales(), st.integers(0, 2), st.integers(0, 1000))
def test_no_unit_is_lost_or_made(sold: dict[date, int], supplier: int, opening: int) -> None:
    days = weekdays(150)
    record = replay(sold, days, offer_of(supplier), opening)
    assert opening + received(record) - sum(sold.values()) == record.on_hand - record.backordered
    assert record.on_hand >= 0 <= record.backordered
    for order in record.orders:
        terms = SUPPLIERS[supplier]
        assert order.units >= terms.min_order_units
        assert order.units % terms.pack_units == 0
        assert (order.promised_on - order.ordered_on).days == terms.lead_time_days
        assert 0 <= (order.arrives_on - order.promised_on).days <= terms.late_days
        # Received on the first trading day from its arrival on, or still under way.
        assert order.received_on == min((d for d in days if d >= order.arrives_on), default=None)


@st.composite
def bought(draw) -> list[PurchaseOrder]:
    """Orders of somebody else, some before the first sale, some after the last."""
    placed = draw(st.lists(st.sampled_from(weekdays(170)), max_size=4))
    takes = [draw(st.integers(0, 40)) for _ in placed]
    return [
        PurchaseOrder(
            order_id=f"PO-{i}",
            sku=PRODUCT.sku,
            supplier="somebody",
            units=draw(st.integers(1, 500)),
            unit_cost=1.0,
            ordered_on=day,
            promised_on=day + timedelta(days=days),
            arrives_on=day + timedelta(days=days),
        )
        for i, (day, days) in enumerate(zip(placed, takes, strict=True))
    ]


@given(sales(), bought())
def test_what_somebody_else_bought_comes_on_its_day(sold, orders: list[PurchaseOrder]) -> None:
    days = weekdays(150)
    record = replay(sold, days, offer_of(0), 100, orders)
    came = received(record) + sum(order.units for order in record.bought if order.received_on)
    assert 100 + came - sum(sold.values()) == record.on_hand - record.backordered
    assert sorted(order.order_id for order in record.bought) == [o.order_id for o in orders]
    open_days = [day for day in days if day >= min(sold)]
    for order in record.bought:
        assert order.received_on == min(
            (day for day in open_days if day >= order.arrives_on), default=None
        )
    assert all(order.received_on is None for order in orders), "what was handed over stays as it is"


def test_the_buyer_counts_what_somebody_else_ordered() -> None:
    """As by hand below, where the buyer orders 48 on the second Monday."""
    days = weekdays(12)
    sold = dict.fromkeys(days, 2)
    first, later = date(2010, 3, 5), date(2010, 3, 20)
    other = PurchaseOrder("PO-1", PRODUCT.sku, "somebody", 24, 1.0, first, later, later)
    record = replay(sold, days, offer_of(0), 20, [other])
    assert record.orders == []
    assert record.on_order == 24


@given(sales(), st.integers(0, 2), st.integers(1, 149))
def test_what_happened_does_not_depend_on_what_comes(
    sold: dict[date, int], supplier: int, cut: int
) -> None:
    days = weekdays(150)
    past = {day: units for day, units in sold.items() if day <= days[cut]}
    if not past:
        return
    so_far = replay(past, days[: cut + 1], offer_of(supplier), 100)
    later = replay(sold, days, offer_of(supplier), 100)
    assert [o.order_id for o in so_far.orders] == [
        o.order_id for o in later.orders if o.ordered_on <= days[cut]
    ]
    assert [o.units for o in so_far.orders] == [o.units for o in later.orders][: len(so_far.orders)]


@given(sales())
def test_the_reorder_point_is_the_textbook_s(sold: dict[date, int]) -> None:
    days = weekdays(150)
    record = replay(sold, days, offer_of(0), 0)
    first = min(sold)
    by_week: dict[tuple[int, int], date] = {}
    for day in days:
        if day >= first:
            by_week.setdefault(day.isocalendar()[:2], day)
    review = max(by_week.values())
    window = [review - timedelta(days=i) for i in range(56)]
    known = [sold.get(day, 0) for day in window if day >= first]
    known += [0] * (28 - len(known))
    mean = max(statistics.fmean(known), 0)
    deviation = statistics.pstdev(known)
    protection = SUPPLIERS[0].lead_time_days + 7
    exact = mean * protection + deviation * math.sqrt(protection)
    assert -1e-6 < record.reorder_point - exact < 1 + 1e-6


def test_one_product_by_hand() -> None:
    """Two units a trading day; northwind: 9 days, minimum 48, packs of 12; R = 7."""
    days = weekdays(12)  # two weeks, Monday to Sunday without Saturday
    sold = dict.fromkeys(days, 2)
    record = replay(sold, days, offer_of(0), opening=30)
    # First Monday: 2 units in (at least) 28 days. Mean 1/14, mean square 1/7, so the deviation is
    # sqrt(1/7 - 1/196) = 0.371; s = ceil(16/14 + 0.371 * 4) = ceil(2.63) = 3, and 28 > 3.
    # Second Monday: 7 sales, 14 units: mean 0.5, deviation sqrt(1 - 0.25) = 0.866;
    # s = ceil(8 + 3.46) = 12, S = 12 + 14 = 26; position 30 - 14 = 16 > 12: no order.
    assert record.orders == []
    assert record.reorder_point == 12
    assert (record.on_hand, record.backordered) == (30 - 24, 0)
    short = replay(sold, days, offer_of(0), opening=20)
    # Now the position is 6 <= 12: up to 26 lacks 20, the minimum is 48 = 4 packs.
    (order,) = short.orders
    assert (order.units, order.ordered_on) == (48, date(2010, 3, 8))
    assert order.promised_on == date(2010, 3, 17)
    assert (short.on_hand, short.backordered, short.on_order) == (0, 4, 48)


def test_launch_quantity_is_the_net_of_the_first_28_days() -> None:
    start = MONDAY
    sold = {start: 10, start + timedelta(days=27): 5, start + timedelta(days=28): 100}
    assert launch_quantity(sold) == 15
    assert launch_quantity({start: -3}) == 0


def test_net_sales_takes_returns_off() -> None:
    at = datetime.fromisoformat("2010-03-01 09:00")
    lines = [Line("1", at, "A", 5, 1.0), Line("C2", at, "A", -2, 1.0), Line("3", at, "B", 1, 1.0)]
    assert net_sales(lines) == {"A": {at.date(): 3}, "B": {at.date(): 1}}


@pytest.fixture(scope="module")
def everything() -> list[Line]:
    return history.source_lines()


@pytest.mark.parametrize("cut", [date(2010, 8, 1), date(2010, 12, 13), date(2011, 3, 13)])
def test_the_real_sales_leave_some_items_low_and_some_overstocked(
    cut: date, everything: list[Line]
) -> None:
    lines = [line for line in everything if line.sold_at.date() < cut]
    records = _replay(lines, everything)
    sold = Counter[str]()
    recent = Counter[str]()
    for line in lines:
        sold[line.sku] += line.units
        if line.sold_at.date() >= cut - timedelta(days=56):
            recent[line.sku] += line.units
    for record in records:
        assert record.opening + received(record) - sold[record.sku] == record.level
    assert sum(record.on_hand <= record.reorder_point for record in records) >= 10
    half_a_year = [r for r in records if r.on_hand > max(recent[r.sku], 1) * 182 / 56]
    assert len(half_a_year) >= 10
    assert sum(record.on_order > 0 for record in records) >= 10
