"""Stock at risk, on shops where the answer is plain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.data_intelligence.predictive_analytics.stock_risk import assess_stock_risk
from blocks.errors import ContractViolation
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import Severity
from tests.unit.agents.data_intelligence.shops import (
    DAYS,
    NOW,
    STEADY,
    TODAY,
    order,
    sales_of,
    snapshot_of,
    stock,
    without,
)


def test_out_of_stock_at_risk_and_safe():
    risk = assess_stock_risk(snapshot_of(STEADY, stock=stock(a=0, b=10, c=22)), NOW)
    assert [item.sku for item in risk.out_of_stock] == ["a"]
    assert [item.sku for item in risk.at_risk] == ["b"]
    assert risk.items == 3
    (out,) = risk.out_of_stock
    assert out.demand == pytest.approx(21)
    assert out.lost_revenue_per_day == pytest.approx(6)
    (low,) = risk.at_risk
    assert low.probability == 1
    assert low.lost_units == pytest.approx(11)
    assert low.lost_revenue_per_day == pytest.approx(11 / 7 * 2)
    assert risk.lost_revenue_per_day == pytest.approx(6 + 22 / 7)


def test_what_arrives_in_time_counts_and_what_is_overdue_does_not():
    lines = [order("a", 30, 6), order("b", 30, 8), order("c", 30, -2), order("d", 30, None)]
    snapshot = snapshot_of(STEADY, stock=stock(a=1, b=1, c=1, d=1), open_orders=lines)
    risk = assess_stock_risk(snapshot, NOW)
    # What is due on the sixth day does not serve the five before it.
    assert {item.sku: item.lost_units for item in risk.at_risk} == pytest.approx(
        {"b": 20, "c": 20, "d": 20, "a": 17}
    )
    assert {item.sku: item.overdue for item in risk.at_risk} == {"a": 0, "b": 0, "c": 30, "d": 30}
    advice = {f.resource: f.advice for f in risk.findings}
    assert "30 units that are overdue" in advice["sku:c"]
    assert "overdue" not in advice["sku:b"]
    titles = {f.resource: f.title for f in risk.findings}
    # Its chance is that of the days before they come: they are told apart from what is there.
    assert "1 units, 30 more by then, for an expected" in titles["sku:a"]
    assert "1 units for an expected" in titles["sku:c"]


def test_what_is_due_after_the_lead_time_is_expedited_instead_of_ordered_again():
    # 35 days want 105 units; the lead time of 7 ends on March 9th, the 28 days after it on April 6.
    lines = [
        order("a", 60, 8),
        order("a", 40, 35),
        order("b", 103, 8),
        order("b", 1, 35),
        order("b", 500, 36),
        order("c", 105, 7),
        order("d", 104, 7),
    ]
    snapshot = snapshot_of(STEADY, stock=stock(a=5, b=0, c=0, d=0), open_orders=lines)
    risk = assess_stock_risk(snapshot, NOW)
    found = {item.sku: item for item in [*risk.out_of_stock, *risk.at_risk]}
    assert {sku: item.arriving for sku, item in found.items()} == {
        "a": 0,
        "b": 0,
        "c": 105,
        "d": 104,
    }
    assert {sku: item.due_later for sku, item in found.items()} == {
        "a": 100,
        "b": 104,
        "c": 0,
        "d": 0,
    }
    assert found["a"].next_due == TODAY + timedelta(days=8)
    assert found["c"].next_due is None
    assert {f.resource: f.advice for f in risk.findings} == {
        "sku:a": "Expedite the 100 units due on 2026-03-10 or later.",
        "sku:b": "Order now: it takes 7 days.",
        "sku:c": "Order no more: the 105 units due in time suffice.",
        "sku:d": "Order now: it takes 7 days.",
    }
    evidence = next(f.evidence for f in risk.findings if f.resource == "sku:a")
    assert (evidence["due_later"], evidence["next_due"]) == (100, "2026-03-10")


def test_what_is_due_today_in_the_stores_time_zone_is_not_overdue():
    now = datetime(2026, 3, 3, 20, tzinfo=UTC)  # 22:00 in Helsinki
    due = {
        "a": datetime(2026, 3, 2, 22, tzinfo=UTC),  # midnight: the first instant of today
        "b": datetime(2026, 3, 2, 21, 59, tzinfo=UTC),  # yesterday
        "c": datetime(2026, 3, 10, 21, 59, tzinfo=UTC),  # the last minute of the lead time
        "d": datetime(2026, 3, 10, 22, tzinfo=UTC),  # the day after it
    }
    lines = [order(sku, 9, 0) | {"expected_at": at} for sku, at in due.items()]
    utc = snapshot_of(STEADY, stock=stock(a=0, b=0, c=0, d=0), open_orders=lines)
    risk = assess_stock_risk(Snapshot(utc.taken_at, utc.frames, timezone="Europe/Helsinki"), now)
    found = {i.sku: (i.arriving, i.due_later, i.overdue) for i in risk.out_of_stock}
    assert found == {"a": (9, 0, 0), "b": (0, 0, 9), "c": (9, 0, 0), "d": (0, 9, 0)}


def test_the_loss_counts_the_days_until_goods_arrive():
    # 3 a day for 7 days, at 2.00.
    lines = [
        order("a", 100, 2),  # nothing for 2 days: 6
        order("b", 5, 2),  # 6 before it, but 21 - 5 = 16 by the end, the 6 among them
        order("c", 4, 1),  # 3 before it,
        order("c", 100, 5),  # 15 - 4 = 11 before this one, the 3 among them; none after it
        order("d", 3, 0),  # there today: 21 - 3 = 18
    ]
    snapshot = snapshot_of(STEADY, stock=stock(a=0, b=0, c=0, d=0), open_orders=lines)
    found = {item.sku: item for item in assess_stock_risk(snapshot, NOW).out_of_stock}
    lost = {sku: item.lost_units for sku, item in found.items()}
    assert lost == pytest.approx({"a": 6, "b": 16, "c": 11, "d": 18})
    assert found["a"].lost_revenue_per_day == pytest.approx(6 / 7 * 2)


def test_no_open_order_is_the_same_as_none_known():
    none = snapshot_of(STEADY, stock=stock(a=0), open_orders=[order("a", 9, 1)])
    none.frames["open_orders"] = none.frames["open_orders"].iloc[:0]
    unknown = snapshot_of(STEADY, stock=stock(a=0))
    assert assess_stock_risk(none, NOW) == assess_stock_risk(unknown, NOW)


def test_the_fastest_offer_is_the_lead_time():
    offers = [
        {"supplier": s, "sku": "a", "unit_cost": 1.0, "lead_time_days": t, "min_order_units": 1.0}
        for s, t in (("slow", 9.0), ("fast", 2.5))
    ]
    snapshot = snapshot_of(STEADY, stock=stock(a=10, b=10), offers=offers)
    risk = assess_stock_risk(snapshot, NOW)
    # Three days take 9 of the 10 of "a"; "b" has no offer and waits a week.
    assert [(item.sku, item.lead_time_days) for item in risk.at_risk] == [("b", 7)]
    assert [i.sku for i in assess_stock_risk(snapshot, NOW, lead_time_days=3).at_risk] == []


def test_dead_stock_and_overstock():
    quiet = TODAY - timedelta(days=91)
    sales = sales_of(DAYS, {"a": lambda d: 3.0, "b": lambda d: 3.0 if d < quiet else 0.0})
    products = [
        {"sku": sku, "name": f"Item {sku}", "unit_price": 5.0, "unit_cost": 1.5} for sku in "abc"
    ]
    snapshot = snapshot_of(sales, stock=stock(a=2000, b=10, c=4), products=products)
    risk = assess_stock_risk(snapshot, NOW)
    assert [(i.sku, i.value) for i in risk.overstock] == [("a", 3000)]
    assert risk.overstock[0].cover_days == pytest.approx(2000 / 3)
    assert [(i.sku, i.value) for i in risk.dead] == [("b", 15), ("c", 6)]
    assert [i.last_sold for i in risk.dead] == [quiet - timedelta(days=1), None]
    assert risk.stock_value == 3021
    assert {f.title for f in risk.findings} == {
        "2 items not sold for a quarter: 21 GBP tied up",
        "1 item with stock for more than a year: 3,000 GBP tied up",
    }


def test_an_empty_shelf_that_nobody_asks_for_is_no_finding():
    quiet = TODAY - timedelta(days=91)
    sales = sales_of(DAYS, {"a": lambda d: 3.0, "b": lambda d: 3.0 if d < quiet else 0.0})
    risk = assess_stock_risk(snapshot_of(sales, stock=stock(a=100, b=0)), NOW)
    assert risk.findings == []


def test_few_findings_by_money_however_many_items():
    skus = [f"s{i:03}" for i in range(80)]
    sales = sales_of(DAYS, {sku: lambda d, i=i: 1.0 + i for i, sku in enumerate(skus)})
    shelf = stock(**{sku: 0.0 if i % 2 else 1.0 for i, sku in enumerate(skus)})
    risk = assess_stock_risk(snapshot_of(sales, stock=shelf), NOW, top=3)
    assert len(risk.out_of_stock) + len(risk.at_risk) == 80
    assert len(risk.findings) == 5
    single = [f for f in risk.findings if f.resource.startswith("sku:")]
    assert {f.resource for f in single} == {"sku:s079", "sku:s078", "sku:s077"}
    assert {f.title for f in risk.findings if f not in single} == {
        "38 more items out of stock",
        "39 more items that may run out before an order could arrive",
    }
    assert sum(f.impact_per_day or 0 for f in risk.findings) == pytest.approx(
        risk.lost_revenue_per_day
    )
    assert not any(f.title.endswith(".") for f in risk.findings)


def test_severity_follows_the_share_of_the_shops_demand():
    sales = sales_of(DAYS, {"big": lambda d: 1000.0, "small": lambda d: 5.0, "tiny": lambda d: 0.5})
    risk = assess_stock_risk(snapshot_of(sales, stock=stock(big=1e6, small=0, tiny=0)), NOW)
    severity = {f.resource: f.severity for f in risk.findings}
    assert severity["sku:small"] == Severity.WARNING
    assert severity["sku:tiny"] == Severity.INFO
    risk = assess_stock_risk(snapshot_of(sales, stock=stock(big=0, small=0)), NOW)
    assert risk.findings[0].resource == "sku:big"
    assert risk.findings[0].severity == Severity.ERROR


def test_without_stock_it_says_so():
    with pytest.raises(ContractViolation, match="no 'stock' frame"):
        assess_stock_risk(snapshot_of(STEADY), NOW)


def test_an_empty_stock_is_an_answer():
    snapshot = without(snapshot_of(STEADY, stock=stock(a=1)), "stock")
    empty = snapshot_of(STEADY, stock=stock(a=1)).frames["stock"].iloc[:0]
    snapshot.frames["stock"] = empty
    risk = assess_stock_risk(snapshot, NOW)
    assert (risk.items, risk.findings) == (0, [])


def test_what_is_lost_is_worth_what_a_unit_brings_now():
    # Long at 2.00, the last two weeks at 8.00: nobody pays the mean of it all.
    raised = STEADY.assign(
        revenue=lambda rows: (
            rows["units"]
            * rows["date"].dt.date.ge(TODAY - timedelta(days=14)).map({True: 8.0, False: 2.0})
        )
    )
    risk = assess_stock_risk(snapshot_of(raised, stock=stock(a=0)), NOW)
    (out,) = risk.out_of_stock
    assert out.lost_revenue_per_day == pytest.approx(3 * 8.0)


def test_one_odd_day_is_no_price():
    odd = STEADY.assign(
        revenue=lambda rows: (
            rows["units"]
            * rows["date"].dt.date.eq(TODAY - timedelta(days=1)).map({True: 0.01, False: 2.0})
        )
    )
    risk = assess_stock_risk(snapshot_of(odd, stock=stock(a=0)), NOW)
    assert risk.out_of_stock[0].lost_revenue_per_day == pytest.approx(3 * 2.0)
