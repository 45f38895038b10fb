"""The forecast against a slow, plain reading of TSB, and the laws it must keep."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.data_intelligence.predictive_analytics.demand_model import (
    CHANCE_SMOOTHING,
    ORIGINS,
    SIZE_SMOOTHING,
    WARM_UP,
    DemandModel,
)
from agents.data_intelligence.predictive_analytics.forecasting import forecast_demand
from agents.data_intelligence.trading_calendar import TradingCalendar
from blocks.errors import ContractViolation, EmptySource, InvalidMessage
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)

WEEKS = 40
DAYS = days_before(TODAY, 7 * WEEKS)
NOISE = np.random.default_rng(1)


def model_of(sales: pd.DataFrame, skus: list[str], days=DAYS) -> DemandModel:
    return DemandModel(sales, TradingCalendar.learn(days), TODAY, skus)


def plain_tsb(weekly: list[float]) -> float:
    """TSB as the paper writes it, one item, one week at a time."""
    first = next(i for i, demand in enumerate(weekly) if demand > 0)
    warm = weekly[first : first + WARM_UP]
    sold = [demand for demand in warm if demand > 0]
    size, chance = sum(sold) / len(sold), len(sold) / len(warm)
    for demand in weekly[first + 1 :]:
        if demand > 0:
            size += SIZE_SMOOTHING * (demand - size)
            chance += CHANCE_SMOOTHING * (1 - chance)
        else:
            chance += CHANCE_SMOOTHING * (0 - chance)
    return size * chance


@pytest.mark.parametrize("start", [0, 10, WEEKS - 3])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_level_is_tsb(start, data):
    weekly = [0.0] * start + [5.0]
    weekly += data.draw(
        st.lists(
            st.sampled_from([0.0, 0.0, 2.0, 4.0, 7.0]),
            min_size=WEEKS - start - 1,
            max_size=WEEKS - start - 1,
        )
    )
    monday = {TODAY - timedelta(weeks=WEEKS - w): units for w, units in enumerate(weekly)}
    sales = sales_of(DAYS, {"open": lambda day: 1.0, "a": lambda day: monday.get(day, 0.0)})
    model = model_of(sales, ["a", "open"])
    assert model.levels[0, -1] == pytest.approx(plain_tsb(weekly))


def test_a_steady_item_is_forecast_exactly_over_any_days():
    sales = sales_of(DAYS, {"a": lambda day: 3.0})
    model = model_of(sales, ["a"])
    # Trading days from Monday on: Saturday is closed.
    assert [model.mean(days)[0] for days in (1, 5, 7, 28)] == pytest.approx([3, 15, 18, 72])
    spread = model.spread(7)
    assert spread.quantile(0.9) == pytest.approx([18.0])
    assert spread.exceeds(np.array([17.0])) == [1.0]
    assert spread.exceeds(np.array([18.1])) == [0.0]
    assert spread.shortage(np.array([10.0])) == pytest.approx([8.0])


def test_the_weekday_profile_is_learned():
    sales = sales_of(DAYS, {"a": lambda day: 9.0 if day.weekday() == 0 else 1.0})
    model = model_of(sales, ["a"])
    # Each day counts with its square root: 3 on Mondays, 1 on five other days.
    assert model.week_share == pytest.approx([3 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 0, 1 / 8])


def test_an_order_and_its_cancellation_vanish():
    sales = sales_of(DAYS, {"a": lambda day: 3.0})
    wild = pd.DataFrame(
        {
            "date": [pd.Timestamp(DAYS[-5])],
            "sku": ["a"],
            "units": [74_215.0],
            "returned": [74_215.0],
            "revenue": [0.0],
        }
    )
    calm, struck = model_of(sales, ["a"]), model_of(pd.concat([sales, wild]), ["a"])
    assert struck.mean(28) == pytest.approx(calm.mean(28))


def test_one_wholesale_order_feeds_the_level_in_part_only():
    last = DAYS[-1]
    sales = sales_of(DAYS, {"a": lambda day: 10_000.0 if day == last else 3.0})
    level = model_of(sales, ["a"]).levels[0, -1]
    # The week counts for ten usual weeks of 18: 18 + 0.2 * (180 - 18).
    assert level == pytest.approx(18 + 0.2 * (180 - 18))


def test_a_closure_says_nothing_of_demand():
    shut = set(DAYS[-40:-28])
    days = [day for day in DAYS if day not in shut]
    model = model_of(sales_of(days, {"a": lambda day: 3.0}), ["a"], days)
    assert model.mean(7) == pytest.approx([18.0])
    assert np.abs(model.backtest(7).error).max() == pytest.approx(0)


def test_an_item_that_stopped_selling_fades_out():
    stopped = DAYS[-60]
    sales = sales_of(DAYS, {"a": lambda day: 3.0 if day < stopped else 0.0, "b": lambda day: 1.0})
    model = model_of(sales, ["a", "b"])
    assert 0 < model.levels[0, -1] < 0.2 * model.levels[0, -12]


def test_an_item_that_never_sold_is_forecast_at_zero():
    sales = sales_of(DAYS, {"a": lambda day: 3.0})
    model = model_of(sales, ["a", "never"])
    assert model.sells.tolist() == [True, False]
    spread = model.spread(28)
    assert spread.quantile(0.95)[1] == 0
    assert spread.exceeds(np.array([0.0, 0.0]))[1] == 0


def noisy(sku: str) -> dict:
    rate = 2 + len(sku)
    units = dict(zip(DAYS, NOISE.poisson(rate, len(DAYS)).astype(float), strict=True))
    return {sku: lambda day: units[day]}


MANY = sales_of(DAYS, noisy("a") | noisy("bb") | noisy("ccc") | {"rare": lambda d: d.day == 3})
SKUS = ["a", "bb", "ccc", "rare"]


@given(st.sampled_from([0.5, 3.0, 12.0]))
@settings(max_examples=3, deadline=None)
def test_a_factor_on_all_sales_is_a_factor_on_the_forecast(factor):
    scaled = MANY.assign(units=MANY["units"] * factor)
    small, large = model_of(MANY, SKUS).spread(14), model_of(scaled, SKUS).spread(14)
    assert large.mean == pytest.approx(factor * small.mean)
    for p in (0.5, 0.95):
        assert large.quantile(p) == pytest.approx(factor * small.quantile(p))


@given(st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_rows_does_not_matter(random):
    rows = list(range(len(MANY)))
    random.shuffle(rows)
    assert model_of(MANY.iloc[rows], SKUS).mean(7) == pytest.approx(model_of(MANY, SKUS).mean(7))


def test_the_backtest_knows_nothing_of_its_future():
    model = model_of(MANY, SKUS)
    changed = MANY.copy()
    late = changed["date"] >= pd.Timestamp(TODAY - timedelta(weeks=2))
    changed.loc[late, "units"] += 100.0
    other = model_of(changed, SKUS)
    assert other.levels[:, :-2] == pytest.approx(model.levels[:, :-2])
    assert not np.allclose(other.levels[:, -1], model.levels[:, -1])


@pytest.mark.parametrize("days", [7, 98, 105, 140, 7 * 59])
def test_a_backtest_begins_with_the_level_of_its_day(days):
    weeks = 60
    history = days_before(TODAY, 7 * weeks)
    sales = sales_of(history, {"a": lambda day: 3.0 + day.day % 4, "b": lambda day: day.day % 3})
    model = model_of(sales, ["a", "b"], history)
    last = weeks - days // 7
    origins = np.arange(max(1, last - ORIGINS + 1), last + 1)
    expected = model.levels[:, origins] * days / 7
    assert model.backtest(days).forecast == pytest.approx(expected)
    assert model.mean(7) == pytest.approx(model.levels[:, -1])


def test_quantiles_rise_and_risk_falls():
    spread = model_of(MANY, SKUS).spread(7)
    q50, q90, q95 = (spread.quantile(p) for p in (0.5, 0.9, 0.95))
    assert (q50 <= q90).all()
    assert (q90 <= q95).all()
    risks = [spread.exceeds(np.full(4, units)) for units in (0.0, 10.0, 30.0, 1e6)]
    assert all((high >= low).all() for high, low in pairwise(risks))
    assert (risks[-1] == 0).all()
    # Nothing on hand: all of the forecast is lost, and no more.
    assert spread.shortage(np.zeros(4)) == pytest.approx(spread.mean)


def test_demand_stays_within_its_quantiles_as_often_as_they_say():
    days = days_before(TODAY, 7 * 60)
    random = np.random.default_rng(3)
    skus = [f"s{i}" for i in range(60)]
    units = {sku: random.poisson(4, len(days)).astype(float) for sku in skus}
    at = {day: i for i, day in enumerate(days)}
    sales = sales_of(days, {sku: lambda day, sku=sku: units[sku][at[day]] for sku in skus})
    spread = model_of(sales, skus, days).spread(7)
    actual = random.poisson(4 * 6, (200, 60))  # six trading days
    assert (actual <= spread.quantile(0.9)).mean() == pytest.approx(0.9, abs=0.04)
    assert (actual <= spread.quantile(0.5)).mean() == pytest.approx(0.5, abs=0.12)


def test_one_day_of_data_gives_a_forecast():
    yesterday = TODAY - timedelta(days=1)
    snapshot = snapshot_of(sales_of([yesterday], {"a": lambda day: 4.0}))
    forecast = forecast_demand(snapshot, NOW, horizon_days=7)
    assert forecast.total == pytest.approx(28)
    assert forecast.wape is None


def test_the_forecast_of_a_shop():
    products = [{"sku": s, "name": s, "unit_price": 1.0} for s in [*SKUS, "new"]]
    forecast = forecast_demand(snapshot_of(MANY, products=products), NOW)
    assert [item.sku for item in forecast.items] == ["ccc", "bb", "a", "rare", "new"]
    assert forecast.items[-1].method == "no-sales"
    assert forecast.total == pytest.approx(sum(item.total for item in forecast.items))
    assert forecast.first_day == TODAY
    best = forecast.items[0]
    assert best.total == pytest.approx(28 * best.mean_per_day)
    assert best.total == pytest.approx(24 * 5, rel=0.15)
    assert best.wape is not None
    assert 0 < best.wape < 0.2


def test_only_the_skus_asked_for():
    forecast = forecast_demand(snapshot_of(MANY), NOW, skus=["a"])
    assert [item.sku for item in forecast.items] == ["a"]


@pytest.mark.parametrize(
    ("change", "arguments", "error", "says"),
    [
        ((), {"horizon_days": 0}, InvalidMessage, "horizon_days is 0"),
        ((), {"skus": ["a", "x\n"]}, InvalidMessage, r"No such SKU: 'x\\n'"),
        ((), {"skus": []}, EmptySource, "no SKU"),
        (("sales",), {}, ContractViolation, "no 'sales' frame"),
        (("orders",), {}, ContractViolation, "no 'orders' frame"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_words(change, arguments, error, says):
    with pytest.raises(error, match=says):
        forecast_demand(without(snapshot_of(MANY), *change), NOW, **arguments)


def test_an_item_that_comes_back_from_the_dead_does_not_blow_up_the_others():
    # The dead items' forecasts have faded to millionths of a unit before they sell again: their
    # error per unit of forecast is beyond all measure, and says nothing of slow sellers.
    days = days_before(TODAY, 7 * 110)
    first, noise = days[0], np.random.default_rng(1)

    def slow(day):
        return float(noise.random() < 0.06)

    def back(day):
        week = (day - first).days // 7
        return 3.0 if week < 14 or week in (95, 101) else 0.0

    quiet = {f"slow-{i}": slow for i in range(80)}
    sales = sales_of(days, quiet | {f"back-{i}": back for i in range(2)})
    alone = model_of(sales[sales["sku"].isin(quiet)], list(quiet), days)
    among = model_of(sales, [*quiet, *(f"back-{i}" for i in range(2))], days)

    stock = np.ones(len(quiet))
    usual = alone.spread(28).shortage(stock).sum()
    with_them = among.spread(28).rows(list(range(len(quiet)))).shortage(stock).sum()
    assert with_them == pytest.approx(usual, rel=0.05)
