"""What the nightly fit must get right on shops whose demand is known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.demand.fitting import fit
from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.trading_calendar import TradingCalendar
from blocks.errors import ContractViolation
from tests.unit.agents.data_intelligence.predictive_analytics.demand.learning_shop import (
    ITEMS,
    TODAY,
    WEEKS,
    flags_of,
    frame,
    model_of,
    some_items,
)

ALL = some_items()


@pytest.fixture(scope="module")
def plain():
    return fit(model_of(ALL), store="shop")


def test_steady_items_are_forecast_at_their_level(plain):
    level = np.array([daily.mean() * 7 for _, daily in sorted(ALL.items())])
    told = plain.weekly.mean(axis=1)
    assert told.sum() == pytest.approx(level.sum(), rel=0.05)
    fast = level > 10
    assert np.abs(told[fast] / level[fast] - 1).max() < 0.25


def test_it_says_whose_and_when(plain):
    assert (plain.store, plain.fitted_on) == ("shop", TODAY)
    assert list(plain.skus) == sorted(ALL)
    assert plain.weekly.shape == (ITEMS, 13)
    assert plain.weekly.dtype == np.float32


def test_the_same_sales_give_the_same_rates(plain):
    again = fit(model_of(ALL), store="shop")
    for name in ("weekly", "group", "dispersion", "errors"):
        assert np.array_equal(getattr(again, name), getattr(plain, name)), name


def test_nothing_of_today_or_after_is_looked_at(plain):
    more = {sku: np.append(daily, [500, 500]) for sku, daily in ALL.items()}
    sales = frame(more, TODAY + timedelta(days=2))
    calendar = TradingCalendar.learn(frame(ALL)["date"].dt.date)
    later = fit(DemandModel(sales, calendar, TODAY, sorted(ALL)))
    assert np.array_equal(later.weekly, plain.weekly)


def test_a_shop_that_sells_in_dozens_wants_a_dozen_times_as_much(plain):
    dozens = fit(model_of({sku: 12 * daily for sku, daily in ALL.items()}))
    # Slow sellers have floors of their own, in units.
    fast = plain.weekly[:, 0] > 5
    assert dozens.weekly[fast] == pytest.approx(12 * plain.weekly[fast], rel=1e-3)


def test_two_weeks_stay_within_the_quantiles_as_often_as_asked(plain):
    model = model_of(ALL)
    spread = LearnedDemand(model, plain).spread(14)
    rng = np.random.default_rng(8)
    rate = np.geomspace(0.4, 8, ITEMS)
    wanted = rng.poisson(14 * rate, (400, ITEMS))
    for p in (0.8, 0.95):
        assert (wanted <= spread.quantile(p)).mean() == pytest.approx(p, abs=0.06)


def test_an_item_out_of_stock_for_a_quarter_does_not_fade(plain):
    sku = f"item-{ITEMS - 5:03}"
    sold = ALL[sku].copy()
    sold[-91:] = 0
    out = ALL | {sku: sold}
    at = sorted(ALL).index(sku)
    told = fit(model_of(out), flags_of(sku, 91, 91)).weekly[at].mean()
    untold = fit(model_of(out)).weekly[at].mean()
    assert told == pytest.approx(plain.weekly[at].mean(), rel=0.25)
    assert untold < 0.3 * told


def test_days_out_of_stock_within_weeks_are_no_zeros(plain):
    sku = f"item-{ITEMS - 5:03}"
    sold = ALL[sku].copy()
    flags = []
    for back in range(7, 7 * 20, 7):  # three days of each of the last weeks
        sold[-back : len(sold) - back + 3] = 0
        flags.append(flags_of(sku, back, 3))
    at = sorted(ALL).index(sku)
    rates = fit(model_of(ALL | {sku: sold}), pd.concat(flags))
    assert rates.weekly[at].mean() == pytest.approx(plain.weekly[at].mean(), rel=0.25)


def test_a_new_item_sells_like_newcomers_of_its_category():
    rng = np.random.default_rng(4)
    units, categories = {}, {}
    for i in range(80):
        category = "fast" if i % 2 else "slow"
        sku = f"{category}-{i:02}"
        launched = int(rng.integers(7, 7 * (WEEKS - 6))) if i >= 8 else 0
        daily = rng.poisson(6.0 if category == "fast" else 0.5, 7 * WEEKS)
        daily[:launched] = 0
        units[sku], categories[sku] = daily, category
    for category in ("fast", "slow"):
        fresh = np.zeros(7 * WEEKS)
        fresh[-1] = 3  # both sold as much on the only day they have
        units[f"new-{category}"], categories[f"new-{category}"] = fresh, category
    rates = fit(model_of(units), categories=categories)
    week = dict(zip(rates.skus, rates.weekly.mean(axis=1), strict=True))
    assert week["new-fast"] > 2 * week["new-slow"]
    assert 0.5 * 42 < week["new-fast"] < 1.2 * 42
    assert 3.5 * 0.5 < week["new-slow"] < 12


def test_one_wholesale_order_is_told_apart(plain):
    sku = f"item-{ITEMS // 2:03}"
    sold = ALL[sku].copy()
    sold[-30] += 5000
    at = sorted(ALL).index(sku)
    rates = fit(model_of(ALL | {sku: sold}))
    assert rates.outside[at] > 0.5
    assert rates.weekly[at].mean() < 3 * plain.weekly[at].mean()
    assert plain.outside[at] == 0


def test_what_never_sold_and_a_shop_of_a_week_are_forecast_by_the_model():
    units = some_items(5, 1)
    sales = frame(units)
    calendar = TradingCalendar.learn(sales["date"].dt.date)
    model = DemandModel(sales, calendar, TODAY, [*sorted(units), "never"])
    rates = fit(model)
    learned = LearnedDemand(model, rates)
    assert learned.mean(14) == pytest.approx(model.mean(14))
    assert learned.mean(14)[-1] == 0
    assert fit(DemandModel(sales.iloc[:0], calendar, TODAY, ["never"])).weekly.max() == 0


@pytest.mark.parametrize(
    "flags",
    [
        pd.DataFrame({"sku": ["item-001"]}),
        pd.DataFrame({"sku": ["item-001"], "date": [pd.Timestamp(TODAY)], "share": [1.5]}),
        pd.DataFrame({"sku": ["item-001"], "date": [pd.Timestamp(TODAY)], "share": [np.nan]}),
    ],
    ids=["no date", "too much", "nothing"],
)
def test_flags_that_cannot_be_read_are_refused(flags):
    with pytest.raises(ContractViolation, match="stocked_out"):
        fit(model_of(ALL), flags)
