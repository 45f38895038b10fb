"""Rates as a day asks them: weekday by weekday, a week long, and the model for what they lack."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand, demand_of
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from blocks.errors import ContractViolation
from tests.unit.agents.data_intelligence.predictive_analytics.demand.learning_shop import (
    TODAY,
    model_of,
    some_items,
)

SHOP = some_items(6, 30)


def rates_of(skus, weekly, fitted_on=TODAY) -> Rates:
    count = len(skus)
    return Rates(
        store="shop",
        fitted_on=fitted_on,
        skus=skus,
        weekly=np.asarray(weekly, dtype=np.float32),
        group=np.zeros(count, dtype=np.uint8),
        dispersion=np.full(count, 4, dtype=np.float32),
        outside=np.zeros(count, dtype=np.float32),
        horizons=np.array([1, 3], dtype=np.int32),
        errors=np.array([[[-1, 0, 1]], [[-3, 0, 3]]], dtype=np.float32),
        groups=["smooth 0"],
    )


@pytest.fixture(scope="module")
def model():
    return model_of(SHOP)


def ramp(model, fitted_on=TODAY) -> Rates:
    return rates_of(model.skus, np.tile([70.0, 140.0, 210.0], (len(model.skus), 1)), fitted_on)


def test_weeks_add_up(model):
    learned = LearnedDemand(model, ramp(model))
    assert learned.skus == model.skus
    assert learned.today == TODAY
    for days, total in ((7, 70), (14, 210), (21, 420)):
        assert learned.mean(days) == pytest.approx(np.full(6, total))


def test_a_day_has_its_weekdays_share(model):
    learned = LearnedDemand(model, ramp(model))
    share = model.week_share[TODAY.weekday()]
    assert learned.mean(1) == pytest.approx(np.full(6, 70 * share))
    assert learned.mean(8) == pytest.approx(np.full(6, 70 + 140 * share))


def test_beyond_the_learned_weeks_the_level_holds(model):
    learned = LearnedDemand(model, ramp(model))
    assert learned.mean(28) == pytest.approx(420 + model.levels[:, -1])


@pytest.mark.parametrize("age", range(8))
def test_rates_of_some_days_ago_have_moved_on(model, age):
    learned = LearnedDemand(model, ramp(model, TODAY - timedelta(days=age)))
    days = (TODAY.weekday() + np.arange(7)) % 7
    rate = np.where(np.arange(7) + age < 7, 70.0, 140.0)
    assert learned.mean(7) == pytest.approx(np.full(6, (model.week_share[days] * rate).sum()))


@pytest.mark.parametrize("age", [-1, 8, 400])
def test_rates_of_another_week_are_refused(model, age):
    rates = ramp(model, TODAY - timedelta(days=age))
    with pytest.raises(ContractViolation, match="rates"):
        LearnedDemand(model, rates)
    assert demand_of(model, rates) is model


def test_who_has_no_rates_has_the_model(model):
    assert demand_of(model, None) is model
    assert isinstance(demand_of(model, ramp(model)), LearnedDemand)


def test_skus_that_the_rates_lack_are_the_models(model):
    known = model.skus[::-1][:3]  # in another order
    rates = rates_of(known, np.outer([1, 2, 3], [7.0, 7.0, 7.0]))
    learned = LearnedDemand(model, rates)
    assert learned.mean(7)[3:] == pytest.approx([21, 14, 7])
    assert learned.mean(7)[:3] == pytest.approx(model.mean(7)[:3])
    ours, models = learned.spread(14), model.spread(14)
    for p in (0.5, 0.95):
        assert ours.quantile(p)[:3] == pytest.approx(models.quantile(p)[:3])
    assert np.array_equal(learned.sells, model.sells)
    assert np.array_equal(learned.backtest(14).forecast, model.backtest(14).forecast)


def test_errors_between_two_horizons_are_between_them(model):
    learned = LearnedDemand(model, ramp(model))
    for days, most in ((3, 1.0), (7, 1.0), (14, 2.0), (21, 3.0), (28, 3.0)):
        mean = learned.mean(days)
        assert learned.spread(days).quantile(1.0) == pytest.approx(mean + most * np.sqrt(4 * mean))
        assert learned.spread(days).quantile(0.5) == pytest.approx(mean)


def test_one_measured_horizon_stands_for_all(model):
    rates = ramp(model)
    rates = replace(rates, horizons=rates.horizons[1:], errors=rates.errors[1:])
    learned = LearnedDemand(model, rates)
    mean = learned.mean(5)
    assert learned.spread(5).quantile(1.0) == pytest.approx(mean + 3 * np.sqrt(4 * mean))
