"""Units by week and by day, against a table that has a cell for every day."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.demand_model import WILD, DemandModel, tame
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.unit_sales import RECENT_WEEKS, UnitSales
from agents.data_intelligence.trading_calendar import TradingCalendar
from blocks.store.days.block import ItemDays
from blocks.store.days.weeks import Frames
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SALES
from tests.unit.agents.data_intelligence.shops import TODAY

SKUS = ["a", "b", "never"]
WEEKS = 40


def random_sales(weeks: int) -> pd.DataFrame:
    chance = np.random.default_rng(weeks)
    rows = [
        {
            "date": TODAY - timedelta(days=back),
            "sku": sku,
            "units": float(chance.poisson(4)),
            "returned": float(chance.poisson(1)),
            "revenue": 1.0,
        }
        for back in range(7 * weeks + 3, 0, -1)
        for sku in ("a", "b", "unknown")
        if back > 7 * weeks or chance.random() < 0.6
    ]
    return conform(pd.DataFrame(rows), SALES)[0]


def daily(sales: pd.DataFrame, weeks: int) -> np.ndarray:
    """Net units per SKU and day, the last column yesterday's."""
    table = np.zeros((len(SKUS), 7 * weeks))
    for row in sales.itertuples():
        day = 7 * weeks - (pd.Timestamp(TODAY) - row.date).days
        if row.sku in SKUS and day >= 0:
            table[SKUS.index(row.sku), day] += max(row.units - row.returned, 0.0)
    return table


@pytest.mark.parametrize("at_once", [7, 1_000_000])
@pytest.mark.parametrize("weeks", [1, 5, WEEKS])
def test_weeks_are_counted_back_from_yesterday(weeks, at_once):
    sales = random_sales(weeks)
    units = UnitSales.of(sales, SKUS, TODAY, at_once=at_once)
    days = daily(sales, weeks)
    assert units.weekly == pytest.approx(days.reshape(len(SKUS), weeks, 7).sum(axis=2))
    assert units.first_week[2] == weeks


@pytest.mark.parametrize("days", [1, 6, 7, 10, 28])
def test_totals_over_any_days_from_the_starts_of_weeks(days):
    sales = random_sales(WEEKS)
    units, table = UnitSales.of(sales, SKUS, TODAY), daily(sales, WEEKS)
    last = (7 * WEEKS - days) // 7
    first, count = last - RECENT_WEEKS + 1, RECENT_WEEKS
    expected = np.column_stack(
        [table[:, 7 * week : 7 * week + days].sum(axis=1) for week in range(first, last + 1)]
    )
    assert units.totals(first, count, days) == pytest.approx(expected)


@pytest.mark.parametrize("weeks", [4, WEEKS])
def test_weekdays_are_those_of_the_last_half_year(weeks):
    sales = random_sales(weeks)
    recent = np.sqrt(daily(sales, weeks)[:, -182:]).sum(axis=0)
    expected = np.zeros(7)
    for back, roots in enumerate(recent[::-1], start=1):
        expected[(TODAY - timedelta(days=back)).weekday()] += roots
    assert UnitSales.of(sales, SKUS, TODAY).by_weekday(TODAY) == pytest.approx(expected)


def test_without_sales_there_is_one_week_of_nothing():
    none = conform(pd.DataFrame(columns=list(SALES.columns)), SALES)[0]
    units = UnitSales.of(none, SKUS, TODAY)
    assert units.weekly.tolist() == [[0.0]] * 3
    assert units.totals(0, 1, 7).tolist() == [[0.0]] * 3


def test_wild_weeks_are_capped_by_the_rolling_median_of_selling_weeks():
    chance = np.random.default_rng(5)
    weekly = chance.poisson(2, (50, 110)) * chance.choice([1.0, 1.5, 40.0], (50, 110))
    weekly[0] = 0.0
    selling = pd.DataFrame(weekly.T).where(lambda week: week > 0)
    typical = selling.rolling(52, min_periods=1).median().to_numpy().T
    expected = np.fmin(weekly, WILD * typical)
    assert (expected < weekly).sum() > 50
    assert tame(weekly) == pytest.approx(expected)


@pytest.mark.parametrize("days", [7, 10, 28])
def test_weeks_in_place_of_old_days_make_the_same_model(days):
    sales = random_sales(WEEKS)
    frames = Frames(TODAY)
    frames.add(ItemDays.of_sales(sales))
    weeks = frames.sales()
    assert len(weeks) < len(sales) - 100
    calendar = TradingCalendar.learn(sales["date"].dt.date)
    by_day, by_week = (DemandModel(each, calendar, TODAY, SKUS) for each in (sales, weeks))
    assert by_week.levels == pytest.approx(by_day.levels)
    assert by_week.week_share == pytest.approx(by_day.week_share)
    ours, theirs = (model.backtest(days) for model in (by_week, by_day))
    assert ours.actual == pytest.approx(theirs.actual)
    assert ours.forecast == pytest.approx(theirs.forecast)
    last, oracle = (LastSales.of(each, pd.Index(SKUS)) for each in (weeks, sales))
    assert (last.day[:2] == oracle.day[:2]).all()
    assert last.price[:2] == pytest.approx(oracle.price[:2])
