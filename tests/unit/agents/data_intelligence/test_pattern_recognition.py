"""Sellers, classes, trend and rhythm on shops where they are known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.data_intelligence.pattern_recognition import Patterns, assortment, find_patterns
from agents.data_intelligence.pattern_recognition.rhythm import weekly_revenue
from agents.data_intelligence.trading_calendar import TradingHistory
from blocks.errors import ContractViolation
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)

DAYS = days_before(TODAY, 7 * 60)


def patterns(units: dict, **frames) -> Patterns:
    return find_patterns(snapshot_of(sales_of(DAYS, units), **frames), NOW)


def test_sellers_shares_and_classes_by_hand():
    found = patterns(
        {"a": lambda d: 70.0, "b": lambda d: 20.0, "c": lambda d: 8.0, "d": lambda d: 2.0},
        products=[{"sku": "a", "name": "Anchor", "unit_price": 2.0}],
    )
    # a begins at 0%, b at 70%, c at 90%, d at 98% of the cumulated revenue.
    assert [(s.sku, s.name, s.abc, s.share) for s in found.top_by_revenue] == [
        ("a", "Anchor", "A", pytest.approx(0.7)),
        ("b", "b", "A", pytest.approx(0.2)),
        ("c", "c", "B", pytest.approx(0.08)),
        ("d", "d", "C", pytest.approx(0.02)),
    ]
    assert [(c.name, c.skus, c.revenue_share) for c in found.abc] == [
        ("A", 2, pytest.approx(0.9)),
        ("B", 1, pytest.approx(0.08)),
        ("C", 1, pytest.approx(0.02)),
    ]
    assert found.trading_days == 78
    assert found.revenue == 78 * 200
    assert found.orders == 780
    assert (found.first, found.last) == (TODAY - timedelta(days=91), TODAY - timedelta(days=1))
    assert found.top_tenth_share == pytest.approx(0.7)
    # (2i - n - 1) x_i over n Σx for 2, 8, 20, 70: (-3*2 - 1*8 + 1*20 + 3*70) / 400.
    assert found.gini == pytest.approx(216 / 400)


def test_what_changed_against_the_quarter_before():
    start = TODAY - timedelta(days=91)
    found = patterns(
        {
            "twice": lambda d: 4.0 if d >= start else 2.0,
            "new": lambda d: 3.0 if d >= start else 0.0,
        }
    )
    change = {s.sku: (s.change_percent, s.new) for s in found.top_by_revenue}
    assert change == {"twice": (pytest.approx(100), False), "new": (None, True)}


@pytest.mark.parametrize(
    ("days", "told"),
    [(182, True), (181, True), (180, False), (120, False), (91, False), (20, False)],
)
def test_a_whole_quarter_is_never_compared_with_a_part_of_one(days, told):
    # TODAY is a Monday: of 182 days the first is a Monday, too; of 181 a Tuesday.
    sales = sales_of(days_before(TODAY, days), {"a": lambda d: 3.0})
    if days == 181:  # the shop rests on Mondays: its history is as long as it can be
        sales = sales[sales["date"].dt.day_of_week != 0]
    found = find_patterns(snapshot_of(sales), NOW)
    (seller,) = found.top_by_revenue
    assert (seller.change_percent is not None) == told
    if told:
        assert seller.change_percent == pytest.approx(0, abs=1.3)
    assert not seller.new
    assert found.first == max(TODAY - timedelta(days=91), sales["date"].min().date())


def test_an_item_that_came_in_the_midst_of_the_quarter_before_is_not_said_to_grow():
    came = TODAY - timedelta(days=120)
    long_ago = TODAY - timedelta(days=300)
    found = patterns(
        {
            "came": lambda d: 3.0 if d >= came else 0.0,
            "again": lambda d: 3.0 if d >= TODAY - timedelta(days=91) or d < long_ago else 0.0,
            "ever": lambda d: 3.0,
        }
    )
    told = {s.sku: (s.change_percent, s.new) for s in found.top_by_revenue}
    assert told == {
        "came": (None, False),
        "again": (None, False),
        "ever": (pytest.approx(0), False),
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20), st.floats(0.1, 1000))
def test_concentration_lies_between_its_limits_and_has_no_unit(revenues, factor):
    series = pd.Series(revenues)
    assert 0 <= assortment.gini(series) < 1
    assert 0 < assortment.top_tenth_share(series) <= 1 + 1e-9
    assert assortment.gini(series * factor) == pytest.approx(assortment.gini(series), abs=1e-9)


def plain_gini(values: list[float]) -> float:
    n = len(values)
    return sum(abs(a - b) for a in values for b in values) / (2 * n * sum(values))


@given(st.lists(st.integers(1, 100).map(float), min_size=2, max_size=20))
def test_gini_is_the_mean_difference(values):
    assert assortment.gini(pd.Series(values)) == pytest.approx(plain_gini(values))


def growth(per_week: float):
    return {"a": lambda d: 100 * (1 + per_week) ** ((d - DAYS[0]).days // 7)}


@pytest.mark.parametrize(
    ("per_week", "direction", "kinds"),
    [(0.02, "rising", []), (-0.02, "falling", ["revenue-falling"]), (0.0, "flat", [])],
)
def test_a_trend_is_found_with_its_slope(per_week, direction, kinds):
    found = patterns(growth(per_week))
    assert found.trend is not None
    assert found.trend.direction == direction
    assert found.trend.percent_per_week == pytest.approx(100 * per_week)
    assert found.trend.weeks == 26
    assert [f.kind for f in found.findings] == kinds


def test_one_wild_week_makes_no_trend():
    week = TODAY - timedelta(days=7)
    found = patterns({"a": lambda d: 1000.0 if d >= week else 100.0})
    assert found.trend is not None
    assert found.trend.direction == "flat"


def test_this_year_against_last():
    days = days_before(TODAY, 7 * 70)
    half_year = TODAY - timedelta(days=182)
    sales = sales_of(days, {"a": lambda d: 12.0 if d >= half_year else 10.0})
    trend = find_patterns(snapshot_of(sales), NOW).trend
    assert trend is not None
    assert trend.year_on_year_percent == pytest.approx(20)


def test_too_short_a_history_has_no_trend_and_no_strength():
    found = find_patterns(snapshot_of(sales_of(DAYS[-12:], {"a": lambda d: 1.0})), NOW)
    assert found.trend is None
    assert found.seasonality.strength is None


def test_a_week_with_closed_days_counts_as_a_full_one():
    shut = {TODAY - timedelta(days=i) for i in range(8, 12)}
    days = [day for day in DAYS if day not in shut]
    history = TradingHistory.of(snapshot_of(sales_of(days, {"a": lambda d: 5.0})), NOW)
    weekly = weekly_revenue(history)
    assert len(weekly) == 60
    # Thursday to Sunday of the last week but one were closed: Saturday always is, so three
    # trading days remain of six.
    assert np.allclose(weekly, 60)


def test_a_week_that_was_mostly_closed_is_not_guessed():
    shut = {TODAY - timedelta(days=i) for i in range(8, 14)}
    days = [day for day in DAYS if day not in shut]
    history = TradingHistory.of(snapshot_of(sales_of(days, {"a": lambda d: 5.0})), NOW)
    assert np.isnan(weekly_revenue(history)[-2])


def test_the_weekly_rhythm():
    strong = patterns({"a": lambda d: 30.0 if d.weekday() == 1 else 10.0}).seasonality
    assert strong.days_per_week == 6
    by_day = {w.weekday: w for w in strong.weekdays}
    assert (by_day["Tuesday"].index, by_day["Monday"].index) == (3, 1)
    assert (by_day["Saturday"].trades, by_day["Saturday"].index) == (0, None)
    assert strong.strength == pytest.approx(1)


def test_noise_has_no_rhythm():
    rng = np.random.default_rng(5)
    noise = dict(zip(DAYS, rng.uniform(50, 150, len(DAYS)), strict=True))
    strength = patterns({"a": lambda d: noise[d]}).seasonality.strength
    assert strength is not None
    assert strength < 0.2


@pytest.mark.parametrize("frame", ["sales", "orders"])
def test_a_missing_frame_is_named(frame):
    snapshot = snapshot_of(sales_of(DAYS, {"a": lambda d: 1.0}))
    with pytest.raises(ContractViolation, match=f"no '{frame}' frame"):
        find_patterns(without(snapshot, frame), NOW)
