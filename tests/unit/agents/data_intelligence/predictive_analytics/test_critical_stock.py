"""Critical stock, on shops where the answer is plain."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.critical_stock import identify_critical_stock
from agents.data_intelligence.predictive_analytics.demand.fitting import fit
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import (
    CriticalItem,
    CriticalStock,
    Why,
    reason_of,
)
from agents.data_intelligence.predictive_analytics.stock_facts import may_run_out
from blocks.errors import InvalidMessage
from blocks.vocabulary.frames import STOCK, Problem
from tests.unit.agents.data_intelligence.shops import (
    DAYS,
    NOW,
    STEADY,
    TODAY,
    days_before,
    order,
    sales_of,
    snapshot_of,
    stock,
    without,
)


def offer(supplier: str, sku: str, days: float, cost: float = 1.0, **more: Any) -> dict[str, Any]:
    terms = {"unit_cost": cost, "lead_time_days": days, "min_order_units": 1.0}
    return {"supplier": supplier, "sku": sku, **terms, **more}


def product(sku: str, price: float | None = 2.0, cost: float | None = None) -> dict[str, Any]:
    return {"sku": sku, "name": sku.upper(), "unit_price": price, "unit_cost": cost}


def critical(sales: pd.DataFrame = STEADY, more: dict[str, Any] | None = None, **frames: Any):
    return identify_critical_stock(snapshot_of(sales, **frames), NOW, **(more or {}))


def by_sku(found: CriticalStock) -> dict[str, CriticalItem]:
    return {item.sku: item for item in found.items}


def test_what_is_owed_comes_first_then_what_is_out_then_what_may_run_out():
    # In the order of what they lose, b would be last: it is owed one unit of a slow seller.
    sales = sales_of(
        DAYS, {"a": lambda d: 9.0, "b": lambda d: 0.2, "c": lambda d: 4.0, "d": lambda d: 3.0}
    )
    found = critical(sales, stock=stock(a=20, b=-1, c=0, d=500))
    assert [(item.sku, item.why) for item in found.items] == [
        ("b", Why.OWED),
        ("c", Why.OUT),
        ("a", Why.RUNS_OUT),
    ]
    assert [item.owed for item in found.items] == [1, 0, 0]
    assert found.looked_at == 4
    losses = [item.lost_margin_per_day for item in found.items]
    assert losses == pytest.approx([(0.2 * 7 + 1) / 7 * 2, 4 * 2, (63 - 20) / 7 * 2])
    assert found.lost_margin_per_day == pytest.approx(sum(losses))


def test_at_or_below_the_threshold_and_no_further():
    slow = sales_of(DAYS, {sku: lambda d: 0.1 for sku in "abc"})
    found = critical(slow, stock=stock(a=5, b=5.5, c=6))
    assert [(item.sku, item.why) for item in found.items if item.why is Why.LOW] == [("a", Why.LOW)]
    higher = critical(slow, {"threshold": 6}, stock=stock(a=5, b=5.5, c=6))
    assert {item.sku for item in higher.items if item.why is Why.LOW} == {"a", "b", "c"}
    none = critical(slow, {"threshold": 0}, stock=stock(a=5, b=5.5, c=6))
    assert [item for item in none.items if item.why is Why.LOW] == []
    assert higher.threshold == 6


@pytest.mark.parametrize("threshold", [-1, float("nan"), float("inf")])
def test_a_threshold_that_is_none_is_refused(threshold: float):
    with pytest.raises(InvalidMessage, match=rf"threshold is {threshold}"):
        critical(more={"threshold": threshold}, stock=stock(a=1))


def test_what_nobody_wants_is_told_last():
    found = critical(stock=stock(a=0, unwanted=0, b=2))
    assert [item.sku for item in found.items] == ["a", "b", "unwanted"]
    unwanted = found.items[-1]
    assert (unwanted.days_of_cover, unwanted.lost_margin_per_day) == (None, None)
    assert unwanted.out_since is None
    assert [f.resource for f in found.findings] == ["sku:a", "sku:b"]


def test_what_has_been_out_for_long_is_wanted_as_it_was_when_it_was_there():
    gone = TODAY - timedelta(days=120)
    sales = sales_of(
        DAYS, {"a": lambda d: 3.0, "b": lambda d: 40.0 if d < gone else 0.0, "c": lambda d: 1.0}
    )
    found = critical(sales, stock=stock(a=0, b=0, c=500))
    first, second = found.items
    assert (first.sku, second.sku) == ("b", "a")
    assert first.out_since == gone
    assert first.demand_per_day == pytest.approx(40, rel=0.02)
    assert first.lost_margin_per_day == pytest.approx(80, rel=0.02)
    assert "nothing sold since 2025-11-02" in reason_of(first)
    # What is in stock and does not sell is not out: its demand has faded.
    there = by_sku(critical(sales, stock=stock(a=0, b=4, c=500)))["b"]
    assert (there.why, there.out_since) == (Why.LOW, None)
    assert there.demand_per_day < 1


def test_what_has_been_out_for_years_is_told_without_a_guess():
    days = days_before(TODAY, 7 * 80, closed=())
    gone = TODAY - timedelta(days=400)
    sales = sales_of(days, {"a": lambda d: 3.0, "b": lambda d: 40.0 if d < gone else 0.0})
    found = critical(sales, stock=stock(a=0, b=0))
    assert [(item.sku, item.lost_margin_per_day) for item in found.items] == [
        ("a", pytest.approx(6)),
        ("b", None),
    ]
    assert found.unpriced == 1
    assert "1 item that did not sell for more than a year" in found.missing[0]


def test_open_orders_count_on_the_day_they_come_and_overdue_ones_are_chased():
    found = by_sku(
        critical(
            stock=stock(a=7, b=12, c=6, d=30),
            open_orders=[
                order("a", 100, 2),  # 7 units for the 6 of the two days before it
                order("b", 100, 6),  # 12 units for 18
                order("c", 100, -3),
                order("d", 100, None),
            ],
        )
    )
    assert set(found) == {"b", "c"}
    assert (found["b"].arriving, found["b"].probability) == (100, 1)
    assert found["b"].lost_units == pytest.approx(6)
    assert (found["c"].overdue, found["c"].arriving) == (100, 0)
    assert "chase the 100 that are overdue" in reason_of(found["c"])
    later = by_sku(critical(stock=stock(a=1), open_orders=[order("a", 50, 20)]))["a"]
    assert (later.due_later, later.next_due) == (50, TODAY + timedelta(days=20))


def test_a_supplier_that_is_down_makes_its_items_more_urgent_and_never_less():
    offers = [offer("fast", "a", 2), offer("slow", "a", 20), offer("slow", "b", 20)]
    shop: dict[str, Any] = {"stock": stock(a=9, b=9, c=500), "offers": offers}
    usual = by_sku(critical(**shop))
    assert set(usual) == {"b"}  # 9 units last for the two days of a
    without_fast = by_sku(critical(more={"down": ["fast"]}, **shop))
    assert set(without_fast) == {"a", "b"}
    assert without_fast["a"].lead_time_days == 20
    assert without_fast["a"].suppliers_down == ["fast"]
    # Where nobody else offers it, what it offered last holds; not the usual 7 days.
    without_slow = by_sku(critical(more={"down": ["slow"]}, **shop))
    assert without_slow["b"].lead_time_days == 20
    assert without_slow["b"].lost_margin_per_day == usual["b"].lost_margin_per_day
    assert "slow did not answer" in reason_of(without_slow["b"])


def test_margin_counts_where_the_cost_is_known_and_the_price_of_now():
    # a sold at 10.00 for most of the year, and sells at 4.00 now.
    last_weeks = TODAY - timedelta(days=21)
    sales = sales_of(DAYS, {sku: lambda d: 3.0 for sku in "abcd"}, price=4.0)
    dear = (sales["sku"] == "a") & (sales["date"] < pd.Timestamp(last_weeks))
    sales = sales.assign(revenue=sales["revenue"].where(~dear, sales["units"] * 10.0))
    found = by_sku(
        critical(
            sales,
            stock=stock(a=0, b=0, c=0, d=0),
            products=[product("a", 10, 1.0), product("b", 4, 3.5), product("c", 4, 5.0)],
            offers=[
                offer("s", "d", 7, 3.0),
                offer("t", "d", 7, 0.1, currency="JPY"),
                offer("u", "d", 7, 0.2, unit="dozen"),
            ],
        )
    )
    assert {sku: item.unit_margin for sku, item in found.items()} == pytest.approx(
        {"a": 3.0, "d": 1.0, "b": 0.5, "c": 0.0}
    )
    assert list(found) == ["a", "d", "b", "c"], "by margin: c sells at a loss"
    assert all(item.knows_cost for item in found.values())
    unknown = critical(sales, stock=stock(b=0))
    assert (unknown.costless, unknown.items[0].unit_margin) == (1, 4.0)
    assert not unknown.items[0].knows_cost


def test_an_item_whose_price_nobody_knows_has_no_loss_instead_of_none():
    free = STEADY.assign(revenue=STEADY["revenue"].where(STEADY["sku"] != "a", 0.0))
    found = critical(free, stock=stock(a=0, b=0))
    assert [(item.sku, item.lost_margin_per_day) for item in found.items] == [
        ("b", pytest.approx(6)),
        ("a", None),
    ]
    assert "NaN" not in found.model_dump_json()


def test_stock_that_is_kept_apart_by_place_is_judged_apart():
    sales = sales_of(DAYS, {"a@north": lambda d: 3.0, "a@south": lambda d: 3.0})
    found = critical(
        sales, stock=[{"sku": "a@north", "on_hand": 0}, {"sku": "a@south", "on_hand": 900}]
    )
    assert [item.sku for item in found.items] == ["a@north"]


def test_reserved_units_are_not_free():
    rows = [{"sku": "a", "on_hand": 30, "reserved": 28}, {"sku": "b", "on_hand": 30, "reserved": 0}]
    found = by_sku(critical(stock=rows))
    assert (found["a"].free, found["a"].why) == (2, Why.LOW)
    assert "b" not in found


def test_records_that_fail_validation_are_held_with_their_reason_and_not_acted_on():
    rows = pd.DataFrame(
        {
            "sku": ["a", "b", "c", "d", "d"],
            "on_hand": [np.nan, 1e11, 2.0, 1.0, 7.0],
            "reserved": [0.0, 0.0, -4.0, 0.0, 0.0],
        }
    )
    found = critical(stock=rows, products=[product("a")])
    assert found.items == []
    reasons = {record.sku: record.reason for record in found.held}
    assert set(reasons) == {"a", "b", "c", "d"}
    assert "no number (nan)" in reasons["a"]
    assert "more than anybody has (100000000000.0)" in reasons["b"]
    assert "below zero or no number (-4.0)" in reasons["c"]
    assert "more than once" in reasons["d"]
    assert {record.name for record in found.held if record.sku == "a"} == {"A"}


def test_what_the_reading_set_aside_is_held_too():
    snapshot = snapshot_of(STEADY, stock=stock(b=0), products=[product("a"), product("x")])
    bad = Problem("stock", "on_hand", "empty or unreadable", 1, "n/a")
    snapshot.problems += [bad, Problem("sale_lines", "units", "unreadable", 3)]
    found = identify_critical_stock(snapshot, NOW)
    assert [(record.sku, record.rows) for record in found.held] == [("", 1), ("a", 1)]
    assert found.held[0].reason == str(bad)
    assert "nobody knows its stock" in found.held[1].reason
    assert [item.sku for item in found.items] == ["b"]
    # Where all rows could be read, what has none is not counted: no record is wrong.
    snapshot.problems.clear()
    assert identify_critical_stock(snapshot, NOW).held == []


def test_learned_demand_can_be_handed_in():
    snapshot = snapshot_of(STEADY, stock=stock(a=50, b=500))
    assert identify_critical_stock(snapshot, NOW).items == []
    rates = fit(demand_model(snapshot, NOW))
    found = identify_critical_stock(
        snapshot, NOW, learned=replace(rates, weekly=rates.weekly * np.float32(10))
    )
    assert [item.sku for item in found.items] == ["a"]


def test_the_list_is_cut_by_what_is_lost_and_not_by_chance_alone():
    items = pd.DataFrame(
        {
            "probability": [0.1, 0.6, 0.3, 0.3],
            "lost_units": [5.0, 0.1, 0.1, 2.0],
            "lost_per_day": [90.0, 0.5, 0.5, np.nan],
        },
        index=["dear", "likely", "neither", "unpriced"],
    )
    assert list(items.index[may_run_out(items)]) == ["dear", "likely", "unpriced"]
    assert may_run_out(items.iloc[:0]).empty


def test_frames_that_are_needed_and_frames_that_are_not():
    whole = snapshot_of(
        STEADY, stock=stock(a=0), offers=[offer("s", "a", 9)], products=[product("a")]
    )
    bare = identify_critical_stock(without(whole, "offers", "products"), NOW)
    assert bare.items[0].lead_time_days == 7
    assert STOCK.name not in bare.missing
