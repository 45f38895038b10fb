"""What is ordered of whom, in shops where the answer is plain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.baskets import basket as module
from agents.data_intelligence.predictive_analytics.baskets.basket import Basket, plan_orders
from agents.data_intelligence.predictive_analytics.baskets.drafts import Hold
from blocks.errors import ContractViolation
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import (
    Steady,
    economics,
    items,
    market,
    offer,
)

ONE = Steady({"a": 4.0})
"""An item of 4 a day: 40 in three days of lead time and a week."""

DUE = items(a=(30.0, 50.0, 120.0))


def bought(basket: Basket) -> dict[str, dict[str, int]]:
    """Units by supplier and SKU."""
    orders: dict[str, dict[str, int]] = {}
    for line in basket.lines.itertuples():
        orders.setdefault(str(line.supplier), {})[str(line.sku)] = int(line.units)
    return orders


def held(basket: Basket) -> dict[str, Hold]:
    return {item.sku: item.hold for item in basket.held}


def test_where_nothing_binds_the_cheapest_is_bought_up_to_the_level(
    monkeypatch: pytest.MonkeyPatch,
):
    def no_program(*_: object) -> None:
        raise AssertionError("a program was solved")

    monkeypatch.setattr(module, "solve", no_program)
    there = market([offer("dear", "a", 220.0), offer("cheap", "a", 200.0)])
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    assert bought(basket) == {"cheap": {"a": 90}}
    (line,) = basket.lines.itertuples()
    assert (line.unit_cost, line.value, line.next_unit_cost) == (200.0, 18_000.0, 220.0)
    assert basket.gap == 0


def test_what_is_not_due_is_not_ordered():
    there = market([offer("s", "a", 200.0)])
    basket = plan_orders(items(a=(51.0, 50.0, 120.0)), ONE, there, economics(ONE))
    assert basket.lines.empty
    assert basket.held == []


def test_a_price_step_within_reach_is_taken_and_one_beyond_the_cover_is_not():
    def units(step: float) -> int:
        rows = [offer("s", "a", 200.0), offer("s", "a", 180.0, from_units=step)]
        return bought(plan_orders(DUE, ONE, market(rows), economics(ONE)))["s"]["a"]

    assert units(110.0) == 110
    assert units(5_000.0) == 90


def test_a_slow_supplier_must_be_cheaper_by_what_is_lost_until_it_delivers():
    def suppliers(price: float, free: float) -> set[str]:
        rows = [offer("fast", "a", 200.0), offer("slow", "a", price, days=20.0)]
        table = items(a=(free, 50.0, 120.0))
        return set(bought(plan_orders(table, ONE, market(rows), economics(ONE))))

    assert suppliers(202.0, 30.0) == {"fast"}
    assert "slow" in suppliers(120.0, 45.0)
    assert suppliers(120.0, 290.0) == set()


def test_an_order_is_split_where_the_slow_one_comes_too_late_for_all():
    """Some from near until the cheap ones arrive: buying all there would cost 40 a unit more."""
    rows = [offer("near", "a", 240.0), offer("far", "a", 200.0, days=30.0)]
    demand = Steady({"a": 4.0})
    table = items(a=(2.0, 160.0, 400.0))
    basket = plan_orders(table, demand, market(rows), economics(demand, margin=400.0))
    orders = bought(basket)
    assert set(orders) == {"near", "far"}
    assert orders["far"]["a"] > orders["near"]["a"] >= 40
    assert basket.lines["due"].all()


MINIMUM = {"min_order_value": 20_000}


def test_a_minimum_is_filled_up_with_what_sells_anyway():
    """90 due units make 18,000; the other item is not due yet and brings the rest."""
    demand = Steady({"a": 4.0, "b": 4.0})
    there = market([offer("s", "a", 200.0), offer("s", "b", 200.0)], s=MINIMUM)
    table = items(a=(30.0, 50.0, 120.0), b=(60.0, 50.0, 120.0))
    basket = plan_orders(table, demand, there, economics(demand))
    assert basket.lines["value"].sum() >= 20_000
    assert held(basket) == {}


def test_a_minimum_does_not_create_demand():
    """100,000 are 500 units, of which 364 sell in 13 weeks: the item is held with the numbers."""
    there = market([offer("s", "a", 200.0)], s={"min_order_value": 100_000})
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    assert basket.lines.empty
    (item,) = basket.held
    assert item.hold is Hold.MINIMUM
    assert "no order below 100,000.00" in item.reason
    assert f"what is due there comes to {200 * (item.units or 0):,.2f}" in item.reason
    assert item.loss_per_day is not None
    assert item.loss_per_day > 0


def test_nor_does_a_pack_or_the_smallest_order():
    for more in ({"pack_units": 500.0}, {"min_order_units": 500.0}):
        basket = plan_orders(DUE, ONE, market([offer("s", "a", 200.0, **more)]), economics(ONE))
        assert basket.lines.empty
        (item,) = basket.held
        assert item.hold is Hold.MINIMUM
        assert "takes no order below 500 units, what sells in 18 weeks" in item.reason


def test_a_smallest_order_beyond_need_waits_until_that_costs_more_than_to_hold_it():
    """One piece in ten days, one wanted, sold by the four: with three there, nothing hurries."""
    demand = Steady({"a": 0.1})
    packed = market([offer("s", "a", 200.0, min_order_units=4.0)])
    there, out = items(a=(3.0, 3.0, 4.0)), items(a=(0.0, 3.0, 4.0))
    waits = plan_orders(there, demand, packed, economics(demand))
    assert waits.lines.empty
    (held,) = waits.held
    assert (held.sku, held.hold, held.units) == ("a", Hold.WAITS, 4)
    assert "s would bring 4 units for 800.00" in held.reason
    assert (
        plan_orders(out, demand, packed, economics(demand, margin=5_000.0)).lines["units"][0] == 4
    )
    by_the_piece = market([offer("s", "a", 200.0)])
    assert len(plan_orders(there, demand, by_the_piece, economics(demand)).lines) == 1


def test_nor_is_more_bought_than_sells_before_it_spoils():
    rows = [offer("s", "a", 200.0, shelf_life_days=14.0)]
    basket = plan_orders(DUE, ONE, market(rows), economics(ONE))
    # 17 days from now it is spoilt: 68 will be sold, 30 are there.
    assert bought(basket) == {"s": {"a": 38}}


def test_free_freight_is_reached_exactly():
    """91 units instead of 90 save the freight of 5: 18,200 of 18,200."""
    there = market([offer("s", "a", 200.0)], s={"freight": 5, "free_freight_from": 18_200})
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    assert bought(basket) == {"s": {"a": 91}}
    cents = market([offer("s", "a", 199.99)], s={"freight": 5, "free_freight_from": 18_199.09})
    assert bought(plan_orders(DUE, ONE, cents, economics(ONE))) == {"s": {"a": 91}}


def test_free_freight_is_not_chased_where_holding_costs_more():
    there = market([offer("s", "a", 200.0)], s={"freight": 1, "free_freight_from": 60_000})
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    assert basket.lines["value"].sum() < 60_000


def test_two_items_share_one_delivery():
    """Each is a little cheaper elsewhere, but a second delivery costs more than that."""
    demand = Steady({"a": 4.0, "b": 4.0})
    rows = [offer("s", "a", 200.0), offer("s", "b", 205.0), offer("t", "b", 200.0)]
    table = items(a=(30.0, 50.0, 120.0), b=(30.0, 50.0, 120.0))
    freight = {"freight": 1_000}
    together = plan_orders(table, demand, market(rows, s=freight, t=freight), economics(demand))
    assert set(bought(together)) == {"s"}
    apart = plan_orders(table, demand, market(rows), economics(demand))
    assert set(bought(apart)) == {"s", "t"}


def test_a_delivery_that_costs_more_than_waiting_is_put_off():
    there = market([offer("s", "a", 200.0)], s={"freight": 500_000})
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    assert held(basket) == {"a": Hold.MINIMUM}
    assert "a delivery by s costs 500,000.00" in basket.held[0].reason


def test_a_budget_goes_to_what_would_lose_most():
    demand = Steady({"a": 4.0, "b": 4.0})
    costs = economics(demand)
    costs = replace(costs, margin=np.array([10.0, 500.0]))
    there = market([offer("s", "a", 200.0), offer("s", "b", 200.0)])
    table = items(a=(10.0, 50.0, 120.0), b=(10.0, 50.0, 120.0))
    basket = plan_orders(table, demand, there, costs, budget=Decimal(6_000))
    assert "b" in bought(basket)["s"]
    assert basket.lines["value"].sum() <= 6_000
    assert held(basket) == {"a": Hold.BUDGET}
    assert "beyond the budget of 6,000.00" in basket.held[0].reason
    nothing = plan_orders(table, demand, there, costs, budget=Decimal(0))
    assert held(nothing) == {"a": Hold.BUDGET, "b": Hold.BUDGET}


def test_freight_counts_against_the_budget():
    there = market([offer("s", "a", 200.0)], s={"freight": 5})
    assert plan_orders(DUE, ONE, there, economics(ONE), budget=Decimal(18_005)).held == []
    tight = plan_orders(DUE, ONE, there, economics(ONE), budget=Decimal(18_004))
    assert tight.lines["value"].sum() <= 17_999


def test_who_is_offered_by_nobody_or_held_by_a_guard_is_told():
    demand = Steady({"a": 4.0, "b": 4.0, "c": 4.0})
    rows = [offer("s", "b", 0.0), offer("s", "c", 200.0)]
    level = (30.0, 50.0, 120.0)
    table = items(a=level, b=level, c=level).assign(held=["", "", "more than ever sold"])
    basket = plan_orders(table, demand, market(rows), economics(demand))
    assert held(basket) == {"a": Hold.NO_OFFER, "b": Hold.INVALID, "c": Hold.GUARD}
    reasons = {item.sku: item.reason for item in basket.held}
    assert reasons["b"].startswith("s: it has no price")
    assert reasons["c"] == "more than ever sold"


def test_an_unknown_margin_is_taken_as_the_usual_share_and_told():
    demand = Steady({"a": 4.0, "b": 4.0})
    costs = economics(demand)
    costs = replace(costs, margin=np.array([100.0, np.nan]))
    level = (30.0, 50.0, 120.0)
    there = market([offer("s", "a", 200.0), offer("s", "b", 200.0)])
    basket = plan_orders(items(a=level, b=level), demand, there, costs)
    assert bought(basket) == {"s": {"a": 90, "b": 90}}
    assert basket.notes == [
        "The margin of 1 item is not known: it is taken as the usual share of the cost."
    ]


def test_a_limit_of_a_guard_holds():
    table = DUE.assign(most_units=60.0)
    assert bought(plan_orders(table, ONE, market([offer("s", "a", 200.0)]), economics(ONE))) == {
        "s": {"a": 60}
    }


def test_what_is_under_way_is_not_ordered_again():
    """Day by day until it arrives, as long as nothing unusual is sold."""
    there = market([offer("s", "a", 200.0)])
    free = 50.0
    first = plan_orders(items(a=(free, 50.0, 120.0)), ONE, there, economics(ONE))
    on_order = float(first.lines["units"].sum())
    for day in range(1, 4):
        table = items(a=(free - 4 * day, 50.0, 120.0)).assign(on_order=on_order)
        assert plan_orders(table, ONE, there, economics(ONE)).lines.empty


def test_suppliers_without_a_common_item_are_solved_apart():
    demand = Steady({"a": 4.0, "b": 4.0})
    rows = [offer("s", "a", 200.0), offer("t", "b", 200.0)]
    level = (30.0, 50.0, 120.0)
    there = market(rows, s=MINIMUM, t={"min_order_value": 1_000_000})
    basket = plan_orders(items(a=level, b=level), demand, there, economics(demand))
    assert set(bought(basket)) == {"s"}
    assert basket.lines["value"].sum() >= 20_000
    assert held(basket) == {"b": Hold.MINIMUM}


def test_bad_tables_are_refused_in_words():
    there = market([offer("s", "a", 200.0)])
    with pytest.raises(ContractViolation, match="order_up_to"):
        plan_orders(DUE.drop(columns="order_up_to"), ONE, there, economics(ONE))
    with pytest.raises(ContractViolation, match="'a' is to be ordered twice"):
        plan_orders(pd.concat([DUE, DUE]), ONE, there, economics(ONE))
    with pytest.raises(ContractViolation, match="demand of 'z'"):
        plan_orders(
            DUE.rename(index={"a": "z"}), ONE, market([offer("s", "z", 200.0)]), economics(ONE)
        )
