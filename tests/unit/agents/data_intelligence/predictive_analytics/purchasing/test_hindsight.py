"""What a quantity would have cost: by hand, against a slow reference, and its laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.data_intelligence.predictive_analytics.purchasing.hindsight import (
    HOLDING_PER_DAY,
    Costs,
    Delivery,
    Onward,
    Past,
)

NOTHING = Onward(np.zeros(7), 0.0, 0.0, 3)
"""Nothing is wanted any more, and nothing ordered."""

STEADY = Past(
    position=4.0,
    demand=np.full(6, 2.0),
    deliveries=(Delivery(3, 1.0),),
    costs=Costs(unit_cost=365.0, margin=7.0, line_cost=15.0),
    onward=NOTHING,
)
"""Two a day; four are there, so that two are lost before the order comes on the fourth day. A unit
costs a quarter of money a night to hold."""


def test_by_hand():
    assert HOLDING_PER_DAY * 365 == STEADY.costs.holding == 0.25
    # Nights with 2, 0, 0, 4, 2, 0 units; two lost on the third day; all six of the order sold.
    assert STEADY.cost(6) == pytest.approx(15 + 0.25 * 8 + 7 * 2)
    # No order: no order line, and six more lost.
    assert STEADY.cost(0) == pytest.approx(0.25 * 2 + 7 * 8)
    # One too many: held for three nights, and from then on.
    assert STEADY.cost(7) == pytest.approx(15 + 0.25 * 11 + 7 * 2 + NOTHING.cost(1, STEADY.costs))


def test_the_rule_goes_on_by_hand():
    onward = Onward(np.full(14, 2.0), minimum=5.0, maximum=20.0, lead_days=3)
    # Nothing is there: 20 ordered on the first day, three days are lost; on the eighth day 12 are
    # left, on the fourteenth none: no second order.
    nights = sum(20 - 2 * n for n in range(1, 11)) + 0
    lost = 3 * 2 + 1 * 2
    assert onward.cost(0, STEADY.costs) == pytest.approx(15 + 0.25 * nights + 7 * lost)
    # Four are there: 16 ordered, one day is lost before they come, and two at the end.
    nights = 2 + 0 + 0 + sum(16 - 2 * n for n in range(1, 9))
    assert onward.cost(4, STEADY.costs) == pytest.approx(15 + 0.25 * nights + 7 * (2 + 3 * 2))


def test_each_week_of_the_half_year_may_be_the_first():
    onward = Onward(np.concatenate([np.zeros(7), np.full(7, 2.0)]), 0.0, 0.0, 3)
    later = 0.25 * (14 * 7 + sum(14 - 2 * n for n in range(1, 8)))
    sooner = 0.25 * sum(14 - 2 * n for n in range(1, 8))
    assert onward.cost(14, STEADY.costs) == pytest.approx((later + sooner) / 2)


def test_what_no_half_year_sells_is_held_on_and_never_costs_more_than_it_did():
    half = Onward(np.full(14, 2.0), minimum=0.0, maximum=0.0, lead_days=3)
    held = 0.25 * sum(38 - 2 * n for n in range(1, 15))
    assert half.cost(38, STEADY.costs) == pytest.approx(held + 0.25 * 10**2 / (2 * 2))
    dust = Costs(unit_cost=0.0001, margin=1.0, line_cost=15.0)
    night = 1e6 * dust.holding * 14
    assert half.cost(1e6, dust) == pytest.approx(night + 1e6 * 0.0001, rel=1e-3)


def test_goods_that_come_in_parts_or_not_within_the_days_count_when_they_come():
    parts = replace(STEADY, deliveries=(Delivery(2, 0.5), Delivery(4, 0.5)))
    # 2, 0, then 3 come: 1 left, 0 left and one lost; then 3 come: 1 left, 0 left and one lost.
    assert parts.cost(6) == pytest.approx(15 + 0.25 * 4 + 7 * 2)
    late = replace(STEADY, deliveries=(Delivery(9, 1.0),))
    assert late.cost(6) == pytest.approx(15 + STEADY.cost(0))


def test_what_is_owed_is_served_first():
    owed = replace(STEADY, position=-3.0, demand=np.array([0.0, 0.0, 0.0, 1.0]))
    assert owed.cost(4) == pytest.approx(15)
    assert owed.cost(3) == pytest.approx(15 + 7)


ONWARDS = st.builds(
    Onward,
    demand=st.lists(st.floats(0, 30), min_size=7, max_size=7).map(np.array),
    minimum=st.floats(0, 50),
    maximum=st.floats(50, 200),
    lead_days=st.integers(0, 20),
)
COSTS = st.builds(Costs, unit_cost=st.floats(0.01, 500), margin=st.floats(-5, 200))
PASTS = st.builds(
    Past,
    position=st.floats(-20, 200),
    demand=st.lists(st.floats(0, 30), min_size=1, max_size=40).map(np.array),
    deliveries=st.lists(st.builds(Delivery, st.integers(0, 45), st.floats(0, 1)), max_size=3).map(
        tuple
    ),
    costs=COSTS,
    onward=ONWARDS,
)


@given(PASTS, st.floats(0.5, 500))
def test_it_is_what_a_slow_reference_counts(past, units):
    stock, held, lost = past.position, 0.0, 0.0
    for day, wanted in enumerate(past.demand):
        stock += sum(each.share * units for each in past.deliveries if each.day == day)
        if stock <= 0:
            lost += wanted
        elif stock < wanted:
            lost, stock = lost + wanted - stock, 0.0
        else:
            stock -= wanted
        held += stock if stock > 0 else 0.0
    fined = lost * past.costs.margin if past.costs.margin > 0 else 0.0
    expected = 15 + held * past.costs.unit_cost * 0.25 / 365 + fined
    after = past.onward.cost(max(stock, 0.0), past.costs)
    assert past.cost(units) == pytest.approx(expected + after, abs=1e-6)


@given(ONWARDS, COSTS, st.floats(0, 300))
def test_the_rule_goes_on_as_a_slow_reference_counts(onward, costs, units):
    stock, coming, spent = units, {}, 0.0
    for day, wanted in enumerate(onward.demand):
        stock += coming.pop(day, 0.0)
        position = stock + sum(coming.values())
        if day % 7 == 0 and position < onward.minimum:
            spent += costs.line_cost
            ordered = math.ceil(round(onward.maximum - position, 9))
            if onward.lead_days:
                coming[day + onward.lead_days] = ordered
            else:
                stock += ordered
        spent += max(wanted - stock, 0.0) * max(costs.margin, 0.0)
        stock = max(stock - wanted, 0.0)
        spent += stock * costs.holding
    beyond = max(stock + sum(coming.values()) - onward.maximum, 0.0)
    rate = max(sum(onward.demand), 1.0) / 7
    spent += min(costs.holding * beyond**2 / (2 * rate), costs.unit_cost * beyond)
    assert onward.cost(units, costs) == pytest.approx(spent, abs=1e-6)


@given(PASTS, st.integers(1, 400), st.integers(1, 400))
def test_where_nothing_is_wanted_holding_more_costs_more(past, units, more):
    idle = replace(past, demand=np.zeros(30), deliveries=(Delivery(0, 1.0),), onward=NOTHING)
    assert idle.cost(units + more) >= idle.cost(units)


@given(PASTS, st.integers(1, 400), st.integers(1, 400))
def test_where_all_is_sold_at_once_more_units_never_cost_more(past, units, more):
    """With a margin, and a demand that empties the shelf however much comes."""
    costs = replace(past.costs, margin=3.0)
    hungry = replace(past, demand=np.full(20, 1e6), deliveries=(Delivery(5, 1.0),), costs=costs)
    assert hungry.cost(units + more) <= hungry.cost(units)
