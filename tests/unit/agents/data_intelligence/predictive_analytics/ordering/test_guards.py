"""What guards cut, round and hold, and that they say why with the values."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.ordering.guards import (
    Guarded,
    Limits,
    guard,
    history,
    order_value_reason,
)
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales

USUAL = {
    "wanted": 100.0,
    "position": 5.0,
    "reorder": 30.0,
    "rate": 2.0,
    "lead_days": 7.0,
    "pack_units": 1.0,
    "min_order_units": 0.0,
    "unit_cost": 3.0,
    "usual_cost": 3.0,
    "history_weeks": 60.0,
    "most_sold": 120.0,
}


def guarded(limits: Limits | None = None, **more: object) -> Guarded:
    return guard(pd.DataFrame([USUAL | more]), limits or Limits())


def units(limits: Limits | None = None, **more: object) -> float:
    return float(guarded(limits, **more).units[0])


def test_what_nothing_questions_is_ordered_as_it_is():
    found = guarded()
    assert (found.units.tolist(), found.reasons, found.held) == ([100.0], [[]], [""])


def test_more_than_was_ever_sold_is_cut():
    found = guarded(wanted=500.0)
    assert found.units[0] == 240
    assert "from 500 to 240" in found.reasons[0][0]
    assert "most it ever sold in such a span is 120" in found.reasons[0][0]


def test_what_never_sold_is_held():
    found = guarded(most_sold=0.0)
    assert (found.units[0], "never sold" in found.held[0]) == (0, True)


@pytest.mark.parametrize(("cost", "usual"), [(30.0, 3.0), (0.3, 3.0)])
def test_cost_that_jumped_tenfold_holds(cost: float, usual: float):
    found = guarded(unit_cost=cost, usual_cost=usual)
    assert found.units[0] == 0
    assert f"{cost:.2f}" in found.held[0]
    assert f"{usual:.2f}" in found.held[0]
    assert units(unit_cost=0.9 * cost if cost > usual else 1.2 * cost, usual_cost=usual) == 100


def test_short_history_holds():
    found = guarded(history_weeks=3.0)
    assert found.units[0] == 0
    assert "3 weeks" in found.held[0]
    assert units(history_weeks=4.0) == 100


def test_two_units_of_measure_are_refused():
    found = guarded(unit="piece", offer_unit="carton")
    assert found.units[0] == 0
    assert "piece" in found.held[0]
    assert "carton" in found.held[0]
    assert units(unit="piece", offer_unit="piece") == 100
    assert units(unit="piece", offer_unit="") == 100


def test_shelf_life_caps_at_what_sells_within_it():
    """5 are there and are gone in 7 days at 2 a day: 20 days sell 40."""
    found = guarded(shelf_life_days=20.0)
    assert found.units[0] == 40
    assert "20 days" in found.reasons[0][0]
    # Of 30 there are 16 left when it comes, and they sell first.
    assert units(shelf_life_days=20.0, position=30.0) == 24
    assert "no further unit" in guarded(shelf_life_days=20.0, rate=0.01).held[0]


def test_packs_are_whole_and_the_nearer_number_of_them():
    assert units(pack_units=12.0) == 96
    assert units(pack_units=30.0, wanted=110.0) == 120
    # Down would leave it at its reorder point: it would be due again at once.
    found = guarded(pack_units=24.0, wanted=33.0, position=0.0)
    assert found.units[0] == 48
    assert found.reasons == [[]], "it is not questioned"


def test_pack_does_not_create_demand():
    """4 are wanted, 2 sell in 91 days: a pack of 6 adds 2, one of 100 adds 96."""
    slow = {"wanted": 4.0, "rate": 2 / 91, "position": 0.0, "reorder": 0.0}
    assert units(**slow, pack_units=6.0) == 6
    found = guarded(**slow, pack_units=100.0)
    assert found.units[0] == 0
    assert "a pack is 100" in found.held[0]
    assert "96 more would not sell in 91 days" in found.held[0]


def test_minimum_does_not_create_demand():
    assert units(min_order_units=150.0) == 150
    found = guarded(min_order_units=500.0)
    assert found.units[0] == 0
    assert "the minimum is 500" in found.held[0]


def test_minimum_is_in_whole_packs():
    assert units(min_order_units=110.0, pack_units=25.0) == 125


def test_pack_that_goes_off_is_not_rounded_up():
    """40 sell before they go off: a pack of 25 is ordered once, not twice."""
    assert units(shelf_life_days=20.0, pack_units=25.0) == 25
    assert "keeps for 20 days" in guarded(shelf_life_days=20.0, pack_units=60.0).held[0]


def test_value_of_a_line_is_limited_to_the_cent():
    limits = Limits(line_value=Decimal("299.99"))
    found = guarded(limits)
    assert found.units[0] == 99
    assert "299.99" in found.reasons[0][0]
    assert units(Limits(line_value=Decimal(300))) == 100
    assert "no smaller order" in guarded(limits, pack_units=100.0).held[0]


def test_value_of_an_order_is_told():
    limits = Limits(order_value=Decimal(1000))
    assert order_value_reason(Decimal(1000), limits) == ""
    reason = order_value_reason(Decimal("1000.01"), limits, "GBP")
    assert "1,000.01 GBP" in reason
    assert "1,000.00 GBP" in reason


def test_nothing_wanted_is_neither_held_nor_rounded():
    found = guarded(wanted=0.0, history_weeks=1.0, pack_units=10.0, min_order_units=50.0)
    assert (found.units.tolist(), found.reasons, found.held) == ([0.0], [[]], [""])


def test_history_is_the_best_of_all_spans():
    weekly = np.array([[0.0, 4, 0, 9, 9, 0], [0, 0, 0, 0, 0, 0]])
    none = np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0)
    found = history(UnitSales(weekly, *none), np.array([14.0, 7.0]))
    assert found["most_sold"].tolist() == [18.0, 0.0]
    assert found["history_weeks"].tolist() == [5, 0]
    assert history(UnitSales(weekly, *none), np.array([15.0, 900.0]))["most_sold"][0] == 18
