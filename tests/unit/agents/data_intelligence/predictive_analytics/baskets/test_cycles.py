"""How often which supplier is ordered from."""

from __future__ import annotations

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.baskets.cycles import (
    Asked,
    Cycles,
    Offered,
    find_cycles,
)
from agents.data_intelligence.predictive_analytics.baskets.outlook import Outlook
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import Steady

NEVER = np.inf


def cycles(
    prices: list[tuple[float, float]],
    freight: tuple[float, float] = (0.0, 0.0),
    minimum: tuple[float, float] = (0.0, 0.0),
    free: tuple[float, float] = (NEVER, NEVER),
    *,
    sure: bool = True,
    margin: float = 1.0,
) -> Cycles:
    """Of items that sell 10 a day (for sure), at two suppliers with these prices."""
    n = len(prices)
    outlook = Outlook(Steady({str(k): 10.0 for k in range(n)}, sure=sure), np.arange(n))
    offered = Offered(
        np.repeat(np.arange(n), 2), np.tile([0, 1], n), np.full(2 * n, 3), np.ravel(prices)
    )
    asked = Asked(*(np.array(each, dtype=float) for each in (minimum, freight, free)))
    cost = np.min(prices, axis=1)
    return find_cycles(
        offered, asked, outlook, cost, np.full(n, margin), np.full(n, 70.0), 0.25 / 365, 0.0, 7
    )


def suppliers(found: Cycles) -> list[int]:
    return (found.home % 2).tolist()


def test_who_asks_for_nothing_is_ordered_from_at_each_review():
    found = cycles([(2.0, 2.1), (2.2, 2.0)])
    assert found.days.tolist() == [7, 7]
    assert suppliers(found) == [0, 1]
    assert found.charge.tolist() == [0, 0]


def test_freight_makes_the_cycle_that_its_economic_order_quantity_does():
    """T = sqrt(2 F / (h c d)): 3 weeks for 6.04 at 20.00 of goods a day."""
    freight = 21**2 * 0.25 / 365 * 20 / 2
    found = cycles([(2.0, 9.0)], freight=(freight, 0.0))
    assert found.days[0] == 21
    assert found.charge[0] == pytest.approx(freight / 3)


def test_items_move_where_a_second_delivery_costs_more_than_their_price():
    prices = [(2.0, 2.01), (2.01, 2.0)]
    assert len(set(suppliers(cycles(prices)))) == 2
    assert len(set(suppliers(cycles(prices, freight=(30.0, 30.0))))) == 1


def test_a_cycle_reaches_free_freight_and_then_all_of_it_is_at_stake():
    """20.00 a day are 280.00 in two weeks."""
    found = cycles([(2.0, 9.0)], freight=(3.0, 0.0), free=(250.0, NEVER))
    assert found.days[0] == 14
    assert found.charge[0] == 3


def test_a_cycle_sells_the_minimum():
    found = cycles([(2.0, 9.0)], minimum=(400.0, 0.0))
    assert found.days[0] >= 21


def test_who_asks_for_nothing_that_a_review_does_not_reach_is_ordered_from_at_each():
    """140.00 of goods a review: longer cycles only seem to lose less, as if stock were free."""
    dear = {"sure": False, "margin": 50.0}
    prices = [(2.0, 9.0)]
    assert cycles(prices, minimum=(400.0, 0.0), **dear).days[0] > 7
    assert cycles(prices, minimum=(100.0, 0.0), **dear).days[0] == 7
    assert cycles(prices, freight=(30.0, 0.0), free=(100.0, NEVER), **dear).days[0] == 7
