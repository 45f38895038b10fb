"""Levels against exact solutions: numbers of stockpyl 1.0.2 and of textbooks."""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.ordering.economics import Economics, LeadTimes
from agents.data_intelligence.predictive_analytics.ordering.lead_times import lead_time_nodes
from agents.data_intelligence.predictive_analytics.ordering.levels import (
    FALLBACK_COVER_DAYS,
    FALLBACK_SERVICE,
    levels_of,
    order_quantity,
    quantity_rate,
)
from agents.data_intelligence.predictive_analytics.ordering.protection import Protection
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from blocks.errors import InvalidMessage
from tests.unit.agents.data_intelligence.predictive_analytics.ordering.demands import (
    Steady,
    normal_errors,
    steady,
)


def ratio(under: float, over: float) -> np.ndarray:
    return np.array([under / (under + over)])


def one_length(demand: Steady, days: int) -> Protection:
    return Protection.over(demand, np.full((len(demand.rate), 1), days))


def poisson(k: int, mean: float) -> float:
    return exp(k * log(mean) - mean - lgamma(k + 1))


def poisson_errors(mean: float, count: int = 20_000) -> np.ndarray:
    """Errors around the mean, each as often as a Poisson demand has it."""
    often = [round(count * poisson(k, mean)) for k in range(int(mean + 12 * sqrt(mean)) + 5)]
    return np.repeat(np.arange(len(often)) - mean, often).astype(float)


def test_normal_newsvendor_as_stockpyl_has_it():
    """stockpyl 1.0.2: newsvendor_normal(0.18, 0.70, 50, 8) is 56.60396 at a cost of 1.99761."""
    protection = one_length(steady(50, 8), 1)
    best = protection.quantile(ratio(0.70, 0.18))
    assert best == pytest.approx(56.60396, abs=0.01)
    short = protection.shortage(best)
    assert 0.18 * (best - 50 + short) + 0.70 * short == pytest.approx(1.99761, rel=1e-3)


def test_poisson_newsvendor_as_stockpyl_has_it():
    """stockpyl 1.0.2: newsvendor_poisson(0.18, 0.70, 50) is 56, (1, 19, 3) is 6, at 4.01405."""
    for under, over, mean, best in ((0.70, 0.18, 50, 56), (19, 1, 3, 6)):
        demand = steady(mean, 1.0, errors=poisson_errors(mean))
        found = one_length(demand, 1).quantile(ratio(under, over))
        assert found == pytest.approx(best, abs=1e-3)
    short = one_length(demand, 1).shortage(np.array([6.0]))
    assert 6 - 3 + 20 * short == pytest.approx(4.01405, rel=2e-3)


def test_discrete_newsvendor_as_stockpyl_has_it():
    """stockpyl 1.0.2: newsvendor_discrete(1, 4) of 0..4 with .2 .3 .25 .15 .1 is 3, 1.85."""
    demand = np.repeat(np.arange(5), (200, 300, 250, 150, 100))
    protection = one_length(steady(1.65, 1.0, errors=demand - 1.65), 1)
    assert protection.quantile(ratio(4, 1)) == pytest.approx(3, abs=1e-3)
    short = protection.shortage(np.array([3.0]))
    assert 3 - 1.65 + 5 * short == pytest.approx(1.85)


def test_order_quantity_of_the_textbook():
    """Silver, Pyke and Thomas (2017), ch. 4: A 3.20, v 0.40, r 0.24, D 2400 a year gives 400."""
    economics = Economics(np.array([0.40]), np.array([0.1]), 0.24, 3.20)
    assert order_quantity(np.array([2400 / 365]), economics, 7) == pytest.approx(400)


def test_order_quantity_covers_a_review_at_least_and_a_year_at_most():
    economics = Economics(np.array([1000.0, 0.0001]), np.ones(2), 0.25, 1.0)
    assert order_quantity(np.ones(2), economics, 7).tolist() == [7.0, 364.0]


def exact_cost(s: int, up_to: int, hold: float, short: float, fixed: float, mean: float) -> float:
    """Cost per period of (s, S) without lead time, Poisson demand (Zheng and Federgruen 1991)."""
    p = [poisson(k, mean) for k in range(up_to + 60)]

    def period(y: int) -> float:
        return sum(p[k] * (hold * max(y - k, 0) + short * max(k - y, 0)) for k in range(len(p)))

    visits = [0.0] * (up_to - s)
    visits[0] = 1 / (1 - p[0])
    for j in range(1, up_to - s):
        visits[j] = sum(p[k] * visits[j - k] for k in range(1, j + 1)) / (1 - p[0])
    return (fixed + sum(v * period(up_to - j) for j, v in enumerate(visits))) / sum(visits)


def test_levels_under_periodic_review_against_the_exact_optimum():
    """stockpyl 1.0.2: s_s_discrete_exact(1, 10, 64, True, 20) is (15, 63) at 49.55107; (1, 4, 5,
    True, 6) is (4, 10) at 8.03411, each period being reviewed, without lead time."""
    for hold, short, fixed, mean, best, cost, excess in (
        (1.0, 10.0, 64.0, 20.0, (15, 63), 49.55107, 1.13),
        (1.0, 4.0, 5.0, 6.0, (4, 10), 8.03411, 1.33),
    ):
        assert exact_cost(*best, hold, short, fixed, mean) == pytest.approx(cost, rel=1e-5)
        demand = steady(mean, 1.0, errors=poisson_errors(mean))
        economics = Economics(np.array([1.0]), np.array([short]), 365 * hold, fixed)
        no_lead = LeadTimes(np.zeros(1), np.zeros(1))
        levels = levels_of(demand, no_lead, economics, review_days=1)
        s, up_to = round(levels.reorder[0]), round(levels.up_to[0])
        # Ours lasts a whole review from the reorder point on, though the position is mostly above
        # it, and takes sales as lost: where the review is all there is to cover, it is too careful.
        assert exact_cost(s, up_to, hold, short, fixed, mean) < excess * cost


def continuous_cost(r: int, quantity: int, hold: float, short: float, fixed: float) -> float:
    """Cost per period of (r, Q), Poisson demand of 10 a period, lead time of 2 (Zheng 1992)."""
    p = [poisson(k, 20.0) for k in range(120)]

    def rate(y: int) -> float:
        return sum(p[k] * (hold * max(y - k, 0) + short * max(k - y, 0)) for k in range(len(p)))

    return (fixed * 10 + sum(rate(y) for y in range(r + 1, r + quantity + 1))) / quantity


def test_levels_under_continuous_review_against_the_exact_optimum():
    """stockpyl 1.0.2: r_q_poisson_exact(1, 20, 15, 10, 2) is r = 22, Q = 20 at 22.19846."""
    assert continuous_cost(22, 20, 1, 20, 15) == pytest.approx(22.19846, rel=1e-5)
    demand = steady(10.0, 1.0, errors=poisson_errors(20.0) / sqrt(2))
    economics = Economics(np.array([1.0]), np.array([20.0]), 365.0, 15.0)
    two_periods = LeadTimes(np.array([2.0]), np.zeros(1))
    levels = levels_of(demand, two_periods, economics, review_days=0)
    r, quantity = round(levels.reorder[0]), round(levels.up_to[0] - levels.reorder[0])
    assert continuous_cost(r, quantity, 1, 20, 15) < 1.12 * 22.19846


def test_lead_time_that_varies_needs_more_than_its_mean():
    economics = Economics(np.ones(1), np.ones(1))
    demand = steady(10, 5)
    steady_lead = levels_of(demand, LeadTimes(np.array([14.0]), np.zeros(1)), economics)
    varying = levels_of(demand, LeadTimes(np.array([14.0]), np.array([7.0])), economics)
    assert varying.reorder[0] > 1.1 * steady_lead.reorder[0]


def test_mixture_has_the_variance_of_the_textbook():
    """(E[L] + R) of the demand's variance and mean squared times the lead time's."""
    lead = LeadTimes(np.array([20.0]), np.array([6.0]))
    days = lead_time_nodes(lead, nodes=101) + 7
    protection = Protection.over(steady(10, 4), days)
    expected = sqrt(27 * 16 + 100 * 36)
    at = protection.quantile(np.array([0.8413])), protection.quantile(np.array([0.1587]))
    assert protection.mean == pytest.approx(270, rel=0.01)
    assert (at[0] - at[1]) / 2 == pytest.approx(expected, rel=0.05)


def test_unknown_price_or_cost_is_told_and_gets_a_service_level():
    unknown = np.nan
    cost, margin = np.array([6.0, unknown, 6.0, 6.0]), np.array([4.0, 4.0, unknown, -1.0])
    demand = steady([2.0] * 4, [3.0] * 4)
    levels = levels_of(demand, LeadTimes(np.full(4, 7.0), np.zeros(4)), Economics(cost, margin))
    assert levels.guessed.tolist() == [False, True, True, True]
    assert levels.service[1:] == pytest.approx(FALLBACK_SERVICE)
    assert levels.reorder[1] == pytest.approx(one_length(demand, 14).quantile(np.full(4, 0.95))[1])
    assert levels.up_to[1] - levels.reorder[1] == pytest.approx(2 * FALLBACK_COVER_DAYS)
    assert levels.up_to[2] - levels.reorder[2] == pytest.approx(levels.up_to[0] - levels.reorder[0])


def test_unknown_lead_time_has_no_levels():
    levels = levels_of(
        steady(2.0, 1.0),
        LeadTimes(np.array([np.nan]), np.zeros(1)),
        Economics(np.ones(1), np.ones(1)),
    )
    assert np.isnan(levels.reorder[0])
    assert np.isnan(levels.up_to[0])


def test_what_costs_more_to_hold_is_protected_less():
    cost = np.array([1.0, 100.0])
    levels = levels_of(
        steady([2.0, 2.0], [3.0, 3.0]),
        LeadTimes(np.full(2, 7.0), np.full(2, 3.0)),
        Economics(cost, np.array([1.0, 1.0])),
    )
    assert levels.reorder[0] > levels.reorder[1]
    assert levels.up_to[0] > levels.up_to[1]


def test_fill_rate_is_met():
    """The expected shortage per cycle is the share of the quantity that is allowed to be lost."""
    demand = steady([3.0, 0.4], [4.0, 1.5])
    lead = LeadTimes(np.full(2, 10.0), np.full(2, 4.0))
    economics = Economics(np.full(2, 5.0), np.full(2, 2.0))
    levels = levels_of(demand, lead, economics, fill_rate=0.97)
    protection = Protection.over(demand, lead_time_nodes(lead) + 7)
    lost = protection.shortage(levels.reorder) / (levels.up_to - levels.reorder)
    assert lost == pytest.approx(0.03, abs=1e-4)
    assert (levels_of(demand, lead, economics, fill_rate=0.99).reorder > levels.reorder).all()
    with pytest.raises(InvalidMessage, match=r"1\.2"):
        levels_of(demand, lead, economics, fill_rate=1.2)


def test_some_rows_have_the_levels_that_they_have_among_all():
    demand = steady([1.0, 5.0, 9.0], [1.0, 4.0, 3.0])
    lead = LeadTimes(np.array([7.0, 9.0, 30.0]), np.array([2.0, 0.0, 9.0]))
    economics = Economics(np.full(3, 5.0), np.full(3, 2.0))
    rows = np.array([2, 0])
    some = levels_of(
        demand,
        LeadTimes(lead.mean[rows], lead.deviation[rows]),
        Economics(economics.unit_cost[rows], economics.margin[rows]),
        rows=rows,
    )
    assert some.reorder == pytest.approx(levels_of(demand, lead, economics).reorder[rows])


def test_many_lead_times_take_few_horizons():
    """Lengths between the horizons are stretched: close to what they have on their own."""
    days = np.arange(1, 121)
    demand = steady([3.0] * 120, [2.0] * 120)
    together = Protection.over(demand, days[:, None]).quantile(np.full(120, 0.95))
    alone = 3 * days + 2 * np.sqrt(days) * np.quantile(normal_errors(), 0.95)
    assert together == pytest.approx(alone, rel=1e-3)


def test_nodes_of_a_lead_time_have_its_mean_and_deviation():
    lead = LeadTimes(np.array([7.0, 30.0, 5.0, np.nan]), np.array([2.8, 12.0, np.nan, 1.0]))
    days = lead_time_nodes(lead, nodes=200)
    assert days.mean(axis=1) == pytest.approx([7.0, 30.0, 5.0, 0.0], rel=0.02)
    assert days.std(axis=1) == pytest.approx([2.8, 12.0, 0.0, 0.0], rel=0.05)


def test_an_item_whose_season_comes_has_the_rate_that_is_forecast():
    """Nothing sold for a quarter: its own rate is zero, and what it will sell is not."""
    weekly = np.zeros((2, 60))
    weekly[0, :20], weekly[1, :] = 21.0, 21.0
    none = (np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0))
    past = UnitSales(weekly, *none)
    rate = quantity_rate(steady(5.0, 9.0), None, past)
    assert rate == pytest.approx([5.0, 3.0]), "what sold lately goes before a forecast"
