"""Stock below zero, stock that is spoken for, and items that nobody knows a price of."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from agents.data_intelligence.business_intelligence.analysis import run_analysis
from agents.data_intelligence.pattern_recognition import find_patterns
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk
from agents.data_intelligence.predictive_analytics.stock_risk import assess_stock_risk
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    orders_of,
    sales_of,
    snapshot_of,
)

DAYS = days_before(TODAY, 7 * 40, closed=())
STEADY = sales_of(DAYS, {sku: lambda day: 3.0 for sku in "abc"}, price=2.0)
"""Three items at 3 a day and 2.00 each: 21 units in a week of lead time."""


def row(sku: str, on_hand: float, reserved: float | None = None) -> dict[str, object]:
    return {"sku": sku, "on_hand": on_hand, "reserved": reserved}


def due(sku: str, units: float, days: float) -> dict[str, object]:
    return {
        "order_id": f"po-{sku}-{days}",
        "supplier": "s",
        "sku": sku,
        "units": units,
        "ordered_at": NOW - timedelta(days=20),
        "expected_at": NOW + timedelta(days=days),
    }


def risk_of(sales: pd.DataFrame = STEADY, **frames: object) -> StockRisk:
    return assess_stock_risk(snapshot_of(sales, **frames), NOW)


def test_what_is_owed_is_lost_too_where_nothing_arrives_for_it():
    risk = risk_of(stock=[row("a", -4), row("b", 0), row("c", 500)])
    owing, empty = risk.out_of_stock
    assert (owing.sku, owing.on_hand, owing.owed) == ("a", -4, 4)
    assert (owing.lost_units, empty.lost_units) == (pytest.approx(25), pytest.approx(21))
    assert owing.lost_revenue_per_day == pytest.approx(25 * 2 / 7)
    assert (risk.owed_items, risk.owed_units) == (1, 4)
    finding = risk.findings[0]
    assert finding.title == "a is out of stock, 4 owed to customers; 3.0 a day are wanted"
    assert finding.advice == "Order now: it takes 7 days. Serve the 4 owed first."
    assert finding.evidence["owed"] == 4


def test_what_arrives_goes_to_those_who_wait():
    # 6 are wanted until it arrives. Of 20 units 4 are owed: 16 are left for the 21 of the week.
    risk = risk_of(
        stock=[row("a", -4), row("b", -4)], open_orders=[due("a", 20, 2), due("b", 4, 2)]
    )
    lost = {item.sku: item.lost_units for item in risk.out_of_stock}
    assert lost == pytest.approx({"a": 6, "b": 21})
    enough = risk_of(stock=[row("a", -4)], open_orders=[due("a", 3 * 35 + 4, 2)])
    assert "Order no more" in enough.findings[0].advice
    short = risk_of(stock=[row("a", -4)], open_orders=[due("a", 3 * 35 + 3, 2)])
    assert "Order now" in short.findings[0].advice


def test_who_waits_for_an_item_that_sells_no_more_is_not_forgotten():
    sold_out = TODAY - timedelta(days=120)
    sales = sales_of(DAYS, {"a": lambda d: 900.0, "b": lambda d: 1.0 if d < sold_out else 0.0})
    risk = risk_of(sales, stock=[row("a", 1e5), row("b", -2)])
    (item,) = risk.out_of_stock
    assert (item.sku, item.owed) == ("b", 2)
    assert item.lost_units == pytest.approx(2 + item.demand)
    assert risk.findings[0].resource == "sku:b"
    assert risk.findings[0].severity == Severity.WARNING  # of a shop that sells 900 a day
    assert risk.dead == []


def test_the_stock_is_judged_by_what_is_free_where_the_store_tells():
    risk = risk_of(stock=[row("a", 30, 25), row("b", 30, 30), row("c", 30, 33)])
    assert [(i.sku, i.free) for i in risk.at_risk] == [("a", 5)]
    assert {i.sku: (i.on_hand, i.free, i.owed) for i in risk.out_of_stock} == {
        "b": (30, 0, 0),
        "c": (30, -3, 3),
    }
    titles = {f.resource: f.title for f in risk.findings}
    assert "5 units (free: 5, 30 on hand less 25 reserved) for an expected 21" in titles["sku:a"]
    assert "c is out of stock (30 on hand less 33 reserved), 3 owed" in titles["sku:c"]
    assert "on hand less what is reserved" in risk.basis
    assert [i.sku for i in risk_of(stock=[row("a", 30), row("b", 30)]).at_risk] == []
    few = risk_of(stock=[row("a", 200, 190)])
    assert few.findings[0].advice == "Order now: it takes 7 days."
    assert [i.sku for i in risk_of(stock=[row("a", 2000, 1500)]).overstock] == []
    assert [i.cover_days for i in risk_of(stock=[row("a", 2000, 200)]).overstock] == [
        pytest.approx(600)
    ]
    assert "the store does not tell" in risk_of(stock=[row("a", 30)]).basis
    assert "the store does not tell" in risk_of(stock=[{"sku": "a", "on_hand": 30}]).basis


def test_what_is_owed_lowers_no_stocks_value():
    products = [
        {"sku": sku, "name": sku, "unit_price": 5.0, "unit_cost": cost}
        for sku, cost in (("a", 1.5), ("b", 1.0))
    ]
    risk = risk_of(stock=[row("a", -100), row("b", 10)], products=products)
    assert risk.stock_value == 10


@pytest.mark.parametrize("price", [None, 0.0])
def test_an_item_without_a_price_has_no_loss_instead_of_none(price):
    products = [{"sku": "x", "name": "x", "unit_price": price}]
    free = STEADY.assign(revenue=STEADY["revenue"].where(STEADY["sku"] != "a", 0.0))
    stock = [row("a", -1), row("b", 0), row("x", 7)]
    snapshot = snapshot_of(free, stock=stock, products=products)
    risk = assess_stock_risk(snapshot, NOW)
    assert [(i.sku, i.lost_revenue_per_day) for i in risk.out_of_stock] == [
        ("b", pytest.approx(6)),
        ("a", None),
    ]
    assert [(i.sku, i.value) for i in risk.dead] == [("x", None)]
    assert (risk.unpriced, risk.stock_value, risk.dead_value) == (2, 0, 0)
    assert risk.lost_revenue_per_day == pytest.approx(6)
    findings = {f.resource: f for f in risk.findings}
    assert (findings["sku:a"].impact_per_day, findings["sku:a"].severity) == (None, "warning")
    assert "1 item not sold for a quarter: nobody knows their price" in {
        f.title for f in risk.findings
    }
    assert "NaN" not in risk.model_dump_json()


def test_others_that_share_a_finding_are_told_with_what_they_owe():
    skus = [f"s{i}" for i in range(6)]
    sales = sales_of(DAYS, dict.fromkeys(skus, lambda d: 3.0))
    snapshot = snapshot_of(sales, stock=[row(sku, -2) for sku in skus])
    risk = assess_stock_risk(snapshot, NOW, top=2)
    assert "4 more items out of stock, 8 owed to customers" in {f.title for f in risk.findings}


def test_a_month_of_sales_tells_of_no_quarter():
    young = sales_of(days_before(TODAY, 30, closed=()), {"a": lambda d: 3.0})
    risk = risk_of(young, stock=[row("a", 100), row("old", 5)])
    assert (risk.dead, risk.findings) == ([], [])
    assert risk.missing == ["dead stock: sales go back 30 days, which is less than a quarter"]
    assert risk_of(stock=[row("a", 100), row("old", 5)]).missing == []
    whole = run_analysis(snapshot_of(young, stock=[row("a", 100)]), NOW)
    assert risk.missing[0] in whole.missing


def test_a_best_seller_that_is_oversold_after_flat_sales():
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    days = [date(2026, 8, 1) + timedelta(days=n) for n in range(120)]
    sales = sales_of(days, {"A": lambda d: 8.0, "B": lambda d: 2.0}, price=10.0)
    frames = snapshot_of(sales, stock=[row("A", -3), row("B", 500)]).frames
    snapshot = Snapshot(now, frames | {"orders": orders_of(sales)})
    risk = assess_stock_risk(snapshot, now)
    (item,) = risk.out_of_stock
    assert (item.sku, item.owed, item.demand_per_day) == ("A", 3, pytest.approx(8))
    assert risk.findings[0].severity == Severity.ERROR
    sellers = find_patterns(snapshot, now).top_by_revenue
    assert [(s.sku, s.share, s.change_percent, s.new) for s in sellers] == [
        ("A", pytest.approx(0.8), None, False),
        ("B", pytest.approx(0.2), None, False),
    ]
