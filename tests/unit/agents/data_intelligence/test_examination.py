"""Unusual days whose cause is known, because they were made so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from agents.data_intelligence.anomaly_detection.examination import AnomalyExamination, examine
from blocks.errors import ContractViolation, InvalidMessage
from blocks.vocabulary.frames import Problem
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    orders_of,
    sales_of,
    snapshot_of,
    without,
)

LAST = TODAY - timedelta(days=1)
DAYS = days_before(TODAY, 120, closed=())
GOODS = [f"s{i:02}" for i in range(40)]


def seen_with(
    units: Callable[[str], float], *, price: float = 2.0, orders: float = 10.0
) -> AnomalyExamination:
    """A shop that sells two of each good every day, but these units on the last."""

    def of(sku: str) -> Callable[[date], float]:
        return lambda day: units(sku) if day == LAST else 2.0

    sales = sales_of(DAYS, {sku: of(sku) for sku in GOODS})
    on_last = sales["date"].dt.date == LAST
    sales.loc[on_last, "revenue"] *= price / 2.0
    frame = orders_of(sales)
    frame.loc[frame["date"].dt.date == LAST, "orders"] = orders
    return examine(snapshot_of(sales, orders=frame), NOW)


def test_a_usual_day_is_told_in_a_sentence():
    seen = seen_with(lambda _: 2)
    assert (seen.judgement, seen.examined, seen.day) == ("nothing-unusual", [], LAST)
    assert seen.summary == "Nothing about Sunday 2026-03-01 is unusual."


def test_one_goods_bulk_order_is_an_event_of_the_business():
    seen = seen_with(lambda sku: 202 if sku == "s07" else 2)
    revenue = seen.examined[0]
    # 400 more than the usual 160, and all of it from one of 40 goods.
    assert (revenue.metric.name, revenue.metric.value, revenue.metric.expected) == (
        "revenue",
        560,
        160,
    )
    (only,) = revenue.skus
    assert (only.sku, only.value, only.usual, only.deviation, only.share) == ("s07", 404, 4, 400, 1)


@pytest.mark.parametrize(
    ("units", "concentration"),
    [
        # 100 and 4 more of two goods: of the quarter (at least one) of those that moved.
        (lambda sku: {"s07": 102.0, "s08": 6.0}.get(sku, 2.0), 100 / 104),
        (lambda sku: 12.0 if sku < "s30" else 2.0, 5 / 30),
    ],
)
def test_a_deviation_concentrates_on_the_few_or_does_not(units, concentration):
    seen = seen_with(units, orders=20)
    assert seen.examined[0].concentration == pytest.approx(concentration)
    assert seen.judgement == "business-event"
    expected = "comes from s07" if concentration > 0.5 else "spread over 30 goods"
    assert expected in seen.reasons[0]
    assert expected in seen.summary


@pytest.mark.parametrize(("left", "judgement"), [(0.3, "data-fault"), (1.0, "business-event")])
def test_all_goods_collapsing_alike_is_a_fault_of_the_data(left, judgement):
    seen = seen_with(lambda _: left, orders=10 * left / 2)
    assert seen.judgement == judgement
    assert ("All goods fell alike, by 85%" in seen.reasons[0]) == (judgement == "data-fault")
    assert "revenue" in {f.resource.removeprefix("metric:") for f in seen.findings}


def test_faulty_sales_are_the_reason_before_all_others_and_faulty_stock_is_none():
    sales = sales_of(DAYS, {sku: lambda day: 9 if day == LAST else 2 for sku in GOODS})
    snapshot = snapshot_of(sales)
    assert examine(snapshot, NOW).judgement == "business-event"
    snapshot.problems.append(Problem("stock", "on_hand", "below 0", 100_000))
    assert examine(snapshot, NOW).judgement == "business-event"
    snapshot.problems.append(Problem("sale_lines", "units", "empty or unreadable", 100_000))
    seen = examine(snapshot, NOW)
    assert seen.judgement == "data-fault"
    assert "sale_lines.units: empty or unreadable" in seen.reasons[0]


def test_revenue_alone_is_a_fault_of_prices():
    seen = seen_with(lambda _: 2, price=4.0)
    assert seen.judgement == "data-fault"
    assert "prices are recorded wrongly" in seen.reasons[0]


def test_the_parts_add_up_to_the_whole():
    sales = sales_of(DAYS, {"a": lambda d: 9 if d == LAST else 2, "b": lambda d: 1 + d.day % 2})
    seen = examine(snapshot_of(sales), NOW, "units")
    (units,) = seen.examined
    sundays = [LAST - timedelta(days=7 * i) for i in range(1, 9)]
    usual = sum(1 + d.day % 2 for d in sundays) / 8
    assert sum(s.usual for s in units.skus) <= usual + 2
    assert {s.sku: s.deviation for s in units.skus}["a"] == 7


def test_a_figure_that_is_asked_for_is_examined_though_it_is_usual():
    snapshot = snapshot_of(sales_of(DAYS, {"a": lambda _: 2}))
    seen = examine(snapshot, NOW, "orders")
    assert [d.metric.name for d in seen.examined] == ["orders"]
    assert (seen.judgement, seen.examined[0].skus) == ("nothing-unusual", [])
    with pytest.raises(InvalidMessage, match="Did you mean revenue"):
        examine(snapshot, NOW, "revenues")
    with pytest.raises(ContractViolation, match="no 'sales' frame"):
        examine(without(snapshot, "sales"), NOW)
