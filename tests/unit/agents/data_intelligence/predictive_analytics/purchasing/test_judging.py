"""What came of orders, told by a store's sales: figures by hand, and when nothing can be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.purchasing.hindsight import (
    Costs,
    Delivery,
    Onward,
    Past,
)
from agents.data_intelligence.predictive_analytics.purchasing.judging import (
    JUDGED,
    JudgedOrders,
    judge_orders,
)
from blocks.ledger.purchasing.records import (
    EntryKind,
    OrderEntry,
    OrderRecord,
    OrderStage,
)
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.purchasing import ConfirmedLine
from tests.unit.agents.data_intelligence.shops import (
    DAYS,
    NOW,
    TODAY,
    sales_of,
    snapshot_of,
    stock,
)

SALES = sales_of(DAYS, {sku: lambda day: 3.0 for sku in "abcd"}, price=2.0)
SHOP = snapshot_of(SALES, stock=stock(a=10, b=10, c=10, d=10))
BEGIN = TODAY - timedelta(days=20)
"""The day that decided: lead time and review, 14 days, are over."""


def at(day: date) -> datetime:
    return datetime.combine(day, time(6), UTC)


def facts(sku: str, **more: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": sku,
        "units": 60,
        "unit_cost": "1.00",
        "value": "60.00",
        "free": 15.0,
        "on_order": 6.0,
        "reorder_point": 40.0,
        "order_up_to": 80.0,
        "protection_days": 14,
        "demand": 42.0,
        "days_of_cover": 5.0,
        "probability": 0.5,
        "waiting_cost_per_day": None,
        "why_item": "",
        "why_units": "",
        "why_supplier": "",
    } | more


def line(sku: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "units": 60,
        "unit_cost": "1.00",
        "group": "tea",
        "rule_units": {"Tryton": 20, "Odoo": 36, "ERPNext": 120},
        "facts": facts(sku),
    } | more


def order(*lines: dict[str, Any], **more: Any) -> OrderRecord:
    given: dict[str, Any] = {
        "id": "one",
        "reference": "PO-1",
        "effect_id": "effect",
        "supplier": "acme",
        "currency": "GBP",
        "lines": list(lines) or [line()],
        "goods": "60.00",
        "freight": "0",
        "total": "60.00",
        "total_in_store_currency": "60.00",
        "level": Approval.ASK,
        "proposed_at": at(BEGIN),
        "expected_on": BEGIN + timedelta(days=7),
        "stage": OrderStage.RECEIVED,
        "entries": [came(7)],
    }
    return OrderRecord.model_validate(given | more)


def came(day: int, *lines: ConfirmedLine) -> OrderEntry:
    return OrderEntry(
        key=f"came-{day}",
        kind=EntryKind.RECEIVED,
        at=at(BEGIN + timedelta(days=day)),
        by="store",
        lines=list(lines),
    )


def judged(*orders: OrderRecord, snapshot: Snapshot = SHOP, **more: Any) -> JudgedOrders:
    return judge_orders(snapshot, list(orders), NOW, **more)


ONWARD = Onward(np.full(7 * 26, 3.0), minimum=84.0, maximum=210.0, lead_days=7)
"""At 3 a day: lead time and 21 days' safety below, 42 days more above, as it is of class A."""


def past(**more: Any) -> Past:
    given: dict[str, Any] = {
        "position": 21.0,
        "demand": sales(14),
        "deliveries": (Delivery(7, 1.0),),
        "costs": Costs(unit_cost=1.0, margin=1.0),
        "onward": ONWARD,
    }
    return Past(**(given | more))


def sales(days: int, units: float = 3.0) -> Any:
    return np.full(days, units)


def cents(money: float) -> Decimal:
    return Decimal(money).quantize(Decimal("0.01"))


def test_a_received_line_is_judged_by_what_was_sold_since():
    (found,) = judged(order()).outcomes
    assert (found.order_id, found.sku, found.group, found.level) == ("one", "a", "tea", "ask")
    assert (found.decided_at, found.settled_at) == (at(BEGIN), NOW)
    assert found.ours == cents(past().cost(60))
    assert found.rule == cents(past().cost(36)), "the median of the three"
    assert found.savings == found.rule - found.ours != 0
    assert (found.value, found.currency) == (Decimal("60.00"), "GBP")
    assert found.detail == {
        "days": 14,
        "wanted": 42.0,
        "days_assumed": 0,
        "units": 60,
        "rule_units": 36.0,
    }


def test_what_came_late_and_in_parts_lengthens_the_days():
    parts = [came(5, ConfirmedLine(sku="a", units=15)), came(9)]
    (found,) = judged(order(entries=parts)).outcomes
    expected = past(demand=sales(16), deliveries=(Delivery(5, 0.25), Delivery(9, 0.75)))
    assert found.ours == cents(expected.cost(60))
    assert found.rule == cents(expected.cost(36)), "the supplier is as late with the rule's"


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (OrderStage.SHADOW, "shadow"),
        (OrderStage.DECLINED, "rejected"),
        (OrderStage.DECLINED, "expired"),
    ],
)
def test_what_was_never_sent_is_taken_to_have_come_as_expected(stage, reason):
    (found,) = judged(order(stage=stage, effect_reason=reason, entries=[])).outcomes
    assert found.ours == cents(past().cost(60))


def test_what_was_ordered_otherwise_meanwhile_says_nothing():
    assert judged(order(stage=OrderStage.DECLINED, entries=[])).outcomes == []


def test_money_is_the_stores():
    dear = order(currency="USD", total="120.00", total_in_store_currency="60.00")
    (found,) = judged(dear).outcomes
    assert found.value == Decimal("30.00")
    assert found.ours == cents(past(costs=Costs(unit_cost=0.5, margin=1.5)).cost(60))


def test_what_is_not_over_waits_and_what_is_settled_is_left():
    fresh = order(proposed_at=at(TODAY - timedelta(days=13)), id="two")
    late = order(entries=[came(14)], id="three")  # its days end today: tomorrow they are known
    end = order(proposed_at=at(TODAY - timedelta(days=14)), id="four", stage=OrderStage.SHADOW)
    found = judged(order(), fresh, late, end, settled={("one", "a")})
    assert [each.order_id for each in found.outcomes] == ["four"]
    assert found.too_early == 2


@pytest.mark.parametrize("stage", [s for s in OrderStage if s not in JUDGED])
def test_orders_that_are_under_way_or_were_never_to_come_say_nothing(stage):
    found = judged(order(stage=stage))
    assert (found.outcomes, found.too_early) == ([], 0)


def test_days_on_which_it_was_out_are_taken_to_be_as_the_others():
    def until_it_was_out(day: date) -> float:
        return 3.0 if day < BEGIN + timedelta(days=10) else 0.0

    there = {"a": until_it_was_out, "b": lambda day: 3.0}
    shop = snapshot_of(sales_of(DAYS, there), stock=stock(a=0, b=10))
    (found,) = judged(order(), snapshot=shop).outcomes
    assert found.detail["days_assumed"] == 4
    assert found.ours == cents(past().cost(60)), "as if it had sold three a day throughout"
    known = pd.DataFrame(
        {
            "sku": ["a"],
            "first": [pd.Timestamp(BEGIN)],
            "last": [pd.Timestamp(BEGIN + timedelta(days=9))],
        }
    )
    (other,) = judged(order(), snapshot=SHOP, known_out=known).outcomes
    assert other.savings is None
    assert other.detail["untold"].startswith("It was out on 10 of the 14 days")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (order(line(rule_units={})), "What the simple rules would have ordered"),
        (order(line(facts={"free": 3})), "What it was decided by is not on record"),
        (order(line("gone", facts=facts("gone"))), "The store does not know gone any more"),
        (order(line("dust", facts=facts("dust"))), "Nobody knows what a unit of it brings"),
        (order(currency="USD", total_in_store_currency=None), "No rate"),
        (order(entries=[came(7, ConfirmedLine(sku="b", units=60))]), "Nothing of it came"),
        (order(proposed_at=at(TODAY - timedelta(days=190))), "Sales by day reach back to"),
    ],
)
def test_where_nothing_can_be_told_there_is_the_reason_and_no_figure(changed, why):
    there = replace(SHOP, frames=SHOP.frames | snapshot_of(SALES, stock=stock(a=1, dust=1)).frames)
    (found,) = judged(changed, snapshot=there).outcomes
    assert (found.ours, found.rule, found.savings) == (None, None, None)
    assert found.detail["untold"].startswith(why)


def test_a_snapshot_of_last_week_tells_nothing_of_this_one():
    old = replace(SHOP, taken_at=NOW - timedelta(days=7))
    assert judged(order(), snapshot=old).too_early == 1
