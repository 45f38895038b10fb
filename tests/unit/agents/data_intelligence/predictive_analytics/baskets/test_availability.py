"""What suppliers have bounds what is ordered from them."""

from __future__ import annotations

from agents.data_intelligence.predictive_analytics.baskets.basket import plan_orders
from agents.data_intelligence.predictive_analytics.baskets.drafting import draft_orders
from agents.data_intelligence.predictive_analytics.baskets.drafts import Hold
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import (
    TODAY,
    Steady,
    economics,
    items,
    market,
    offer,
)

ONE = Steady({"a": 4.0})
DUE = items(a=(30.0, 50.0, 120.0))
"""90 are wanted."""


def bought(*offers: dict) -> dict[str, int]:
    """Units by supplier."""
    lines = plan_orders(DUE, ONE, market(list(offers)), economics(ONE)).lines
    return dict(zip(lines["supplier"], lines["units"], strict=True))


def test_no_more_is_ordered_than_there_is():
    assert bought(offer("s", "a", 200.0, available_units=50.0)) == {"s": 50}
    assert bought(offer("s", "a", 200.0, available_units=50.0, pack_units=12.0)) == {"s": 48}


def test_who_does_not_say_what_it_has_is_taken_to_have_it():
    assert bought(offer("s", "a", 200.0, available_units=float("nan"))) == {"s": 90}
    assert bought(offer("s", "a", 200.0, available_units=1e6)) == {"s": 90}


def test_who_has_none_is_passed_over():
    rows = [offer("cheap", "a", 180.0, available_units=0.0), offer("dear", "a", 200.0)]
    assert bought(*rows) == {"dear": 90}


def test_the_rest_comes_from_another():
    fast = offer("fast", "a", 200.0, available_units=20.0)
    slow = offer("slow", "a", 150.0, days=20.0, available_units=60.0)
    units = bought(fast, slow)
    assert set(units) == {"fast", "slow"}
    assert units["fast"] <= 20
    assert units["slow"] <= 60


def test_an_item_that_nobody_has_enough_of_is_held_with_what_there_is():
    rows = [offer("s", "a", 200.0, available_units=3.0) | {"min_order_units": 10.0}]
    basket = plan_orders(DUE, ONE, market(rows), economics(ONE))
    assert basket.lines.empty
    (item,) = basket.held
    assert item.hold is Hold.UNAVAILABLE
    assert item.reason.startswith("s: it has 3 and takes no order below 10: ask when")


def test_a_line_says_that_there_was_no_more():
    there = market([offer("s", "a", 200.0, available_units=50.0)])
    basket = plan_orders(DUE, ONE, there, economics(ONE))
    ((order,), _) = draft_orders(basket, DUE, there, TODAY)
    assert order.lines[0].why_units.endswith("50 units: its supplier has 50 of it.")


def test_a_price_step_beyond_what_there_is_counts_for_nothing():
    alone = offer("s", "a", 200.0, available_units=40.0)
    step = offer("s", "a", 100.0, from_units=60.0, available_units=80.0)
    assert bought(alone, step) == bought(alone)
