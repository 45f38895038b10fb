"""What is wanted of items that are out, and tails that nobody would believe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.demand.wanted import (
    BELIEVABLE,
    BELIEVABLE_CHANCE,
    WantedDemand,
)
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.statistics import Floats
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
)

DAYS = days_before(TODAY, 7 * 60, closed=())
GONE = TODAY - timedelta(days=70)


def wanted(sales: pd.DataFrame, *out: str) -> tuple[DemandModel, WantedDemand]:
    model = demand_model(snapshot_of(sales), NOW)
    last = LastSales.of(sales, pd.Index(model.skus))
    is_out = pd.Series([sku in out for sku in model.skus], index=model.skus)
    return model, WantedDemand.of(model, model, last.day, is_out)


def test_only_what_is_out_and_sold_nothing_for_a_fortnight_is_restored():
    lately = TODAY - timedelta(days=12)
    sales = sales_of(
        DAYS,
        {
            "gone": lambda d: 10.0 if d < GONE else 0.0,
            "lately": lambda d: 10.0 if d < lately else 0.0,
            "sells": lambda d: 10.0,
            "stopped": lambda d: 10.0 if d < GONE else 0.0,  # and there is enough of it
        },
    )
    model, demand = wanted(sales, "gone", "lately", "sells")
    base = dict(zip(model.skus, model.mean(14), strict=True))
    mean = dict(zip(demand.skus, demand.mean(14), strict=True))
    assert mean["gone"] == pytest.approx(140, rel=0.02)
    for sku in ("lately", "sells", "stopped"):
        assert mean[sku] == base[sku]
    assert mean["stopped"] < 20
    spread = demand.spread(14)
    assert spread.mean == pytest.approx(demand.mean(14))
    past = demand.sales.weekly[demand.skus.index("gone")]
    assert past[-9:] == pytest.approx(70, rel=0.02), "weeks without goods are no weeks of zero"
    assert model.units.weekly[model.skus.index("gone")][-9:].sum() == 0


def test_days_add_up_in_the_rhythm_of_the_week():
    weekdays = [day for day in DAYS if day.weekday() < 5]
    sales = sales_of(weekdays, {"gone": lambda d: 10.0 if d < GONE else 0.0, "b": lambda d: 10.0})
    _, demand = wanted(sales, "gone")
    by_days = [demand.mean(days)[demand.skus.index("gone")] for days in range(1, 15)]
    other = [demand.mean(days)[demand.skus.index("b")] for days in range(1, 15)]
    assert by_days == pytest.approx(other, rel=0.05)
    assert by_days[5] == by_days[4], "nothing is wanted on a closed day"


@dataclass(frozen=True)
class Wild:
    """A demand whose second item errs by thousands of times its forecast."""

    skus: list[str]
    today: date

    def mean(self, days: int) -> Floats:
        return np.array([3.0, 3.0]) * days

    def spread(self, days: int) -> Spread:
        errors = np.linspace(-2.0, 2.0, 201)
        scale = np.array([1.0, 10_000.0])
        return Spread(self.mean(days), scale, [errors], np.zeros(2, dtype=np.intp))


def test_no_tail_is_far_beyond_what_was_ever_sold_or_is_expected():
    sales = sales_of(DAYS, {"a": lambda d: 3.0, "b": lambda d: 3.0})
    model = demand_model(snapshot_of(sales), NOW)
    wild = Wild(model.skus, model.today)
    last = np.array([np.datetime64(TODAY - timedelta(days=1))] * 2)
    demand = WantedDemand.of(wild, model, last, pd.Series(False, index=model.skus))
    before, after = wild.spread(14), demand.spread(14)
    assert after.quantile(0.99)[0] == before.quantile(0.99)[0]
    # 42 were sold in any two weeks, and 42 are expected.
    assert after.quantile(BELIEVABLE_CHANCE)[1] == pytest.approx(BELIEVABLE * 42)
    assert after.mean == pytest.approx(before.mean)
    # Ten days are two weeks of the past: 42 were sold in them.
    assert demand.spread(10).quantile(BELIEVABLE_CHANCE)[1] == pytest.approx(BELIEVABLE * 42)
