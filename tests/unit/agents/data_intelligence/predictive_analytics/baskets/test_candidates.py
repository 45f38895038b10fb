"""Which quantities of an offer are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.baskets.candidates import (
    Quantities,
    quantities,
)
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import market, offer

KEEPS = np.array([np.inf])


def of_one(need: float, beyond: float, around: float = np.nan, **more: float) -> Quantities:
    there = market([offer("s", "a", 2.0, **more)])
    row = np.zeros(1, dtype=np.intp)
    return quantities(
        there, row, np.array([need]), np.array([beyond]), KEEPS, KEEPS, np.array([around])
    )


def units(found: Quantities) -> list[float]:
    return found.flat()[1].tolist()


def test_all_whole_packs_are_looked_at_where_they_are_few():
    assert units(of_one(30.0, 50.0, pack_units=6.0)) == [6, 12, 18, 24, 30, 36, 42, 48]
    smallest = of_one(30.0, 50.0, pack_units=6.0, min_order_units=20.0)
    assert units(smallest) == [24, 30, 36, 42, 48]


def test_more_than_the_level_asks_for_only_as_far_as_it_sells():
    assert units(of_one(30.0, 20.0, pack_units=12.0)) == [12, 24]
    assert units(of_one(3.0, 20.0, pack_units=24.0)) == []
    assert max(units(of_one(30.0, 500.0))) <= 500


def test_of_many_quantities_what_is_wanted_and_its_neighbours_are_looked_at():
    assert {2_000.0, 2_001.0} <= set(units(of_one(2_000.5, 100_000.0)))
    close = set(units(of_one(2_000.0, 100_000.0, around=7_777.0)))
    assert set(np.arange(7_767.0, 7_788.0)) <= close


@pytest.mark.parametrize(("limit", "fresh"), [(40.0, np.inf), (np.inf, 40.0)])
def test_a_guard_and_spoiling_limit_even_what_is_needed(limit: float, fresh: float):
    there = market([offer("s", "a", 2.0)])
    row = np.zeros(1, dtype=np.intp)
    some = (np.array([x]) for x in (90.0, 300.0, fresh, limit))
    assert max(units(quantities(there, row, *some))) == 40


def test_the_first_quantities_at_or_above_some_targets():
    found = of_one(30.0, 50.0, pack_units=6.0)
    _, near, price = found.near(np.zeros(1, dtype=np.intp), np.array([[7.0, 12.0, 13.0, 99.0]]))
    assert near.tolist() == [12, 18, 48]
    assert price.tolist() == [2.0, 2.0, 2.0]
