"""What a person is told of a fit of demand, and what of the stock goes into it."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.demand.learned import demand_of
from agents.data_intelligence.predictive_analytics.demand_fit import WEEKS_AGO, fit_demand
from agents.data_intelligence.predictive_analytics.forecasting import (
    demand_model,
    forecast_demand,
)
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
)

RAN_OUT = TODAY - timedelta(days=63)
DAYS = days_before(TODAY, 7 * 60, closed=())
SALES = sales_of(
    DAYS,
    {
        "steady": lambda day: 3.0,
        "out": lambda day: 3.0 if day < RAN_OUT else 0.0,
        "unwanted": lambda day: 3.0 if day < RAN_OUT else 0.0,
    },
)
STOCK = [{"sku": "steady", "on_hand": 9}, {"sku": "out", "on_hand": 0}]
SNAPSHOT = snapshot_of(SALES, stock=[*STOCK, {"sku": "unwanted", "on_hand": 50}])


def test_what_is_out_is_wanted_still_and_what_nobody_buys_is_not():
    fit = fit_demand(SNAPSHOT, NOW)
    week = dict(zip(fit.rates.skus, fit.rates.weekly[:, 0], strict=True))
    assert week["out"] > 10 > 3 > week["unwanted"]
    assert (fit.summary.out_now, fit.summary.out_spells) == (1, 1)
    assert list(fit.out["sku"]) == ["out"]
    demand = demand_of(demand_model(SNAPSHOT, NOW), fit.rates)
    assert demand.mean(7) == pytest.approx(fit.rates.weekly[:, 0], rel=0.01)


def test_the_summary_tells_the_past_beside_what_comes():
    summary = fit_demand(SNAPSHOT, NOW).summary
    assert (summary.as_of, summary.items, summary.selling, summary.weeks) == (TODAY, 3, 3, 60)
    assert len(summary.past) == len(summary.expected) == WEEKS_AGO
    assert summary.past[0] == 3 * 21
    assert summary.past[-1] == 21
    assert summary.rising[0].sku == "out"
    assert summary.falling[0].sku == "unwanted"


def test_spells_that_were_known_stay_known_without_a_stock():
    day = pd.Timestamp(TODAY - timedelta(days=300)).as_unit("us")
    known = pd.DataFrame({"sku": ["steady"], "first": [day], "last": [day]})
    fit = fit_demand(snapshot_of(SALES), NOW, known_out=known)
    assert list(fit.out["sku"]) == ["steady"]
    assert fit.summary.out_now == 0


def test_a_forecast_says_how_each_item_was_forecast():
    rates = fit_demand(SNAPSHOT, NOW).rates
    never = snapshot_of(SALES, products=[{"sku": "new", "name": "New", "unit_price": 1.0}])
    forecast = forecast_demand(never, NOW, learned=rates)
    methods = {item.sku: item.method for item in forecast.items}
    assert methods == {"steady": "learned", "out": "learned", "unwanted": "learned"} | {
        "new": "no-sales"
    }
    assert forecast.wape is None, "the model's own backtest says nothing of what was learned"
    assert forecast_demand(never, NOW).wape is not None
