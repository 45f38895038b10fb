"""Last day and last prices of each SKU."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SALES
from tests.unit.agents.data_intelligence.shops import TODAY

SKUS = pd.Index(["a", "b", "rare", "never", "gift"])


def random_sales() -> pd.DataFrame:
    chance = np.random.default_rng(3)
    rows = [
        {
            "date": TODAY - timedelta(days=back),
            "sku": sku,
            "units": float(chance.poisson(2)),
            "returned": float(chance.random() < 0.3),
            "revenue": 0.0 if sku == "gift" else float(chance.integers(1, 50)),
        }
        for back in range(60, 0, -1)
        for sku in ("a", "b", "rare", "gift", "unknown")
        if sku != "rare" or back % 20 == 0
    ]
    return conform(pd.DataFrame(rows), SALES)[0]


@pytest.mark.parametrize("at_once", [3, 1_000_000])
@pytest.mark.parametrize("order", ["by day", "shuffled"])
def test_prices_and_days_are_those_of_the_last_sales(order, at_once):
    sales = random_sales()
    given = sales if order == "by day" else sales.sample(frac=1, random_state=1)
    last = LastSales.of(given, SKUS, at_once)
    clean = sales[(sales["returned"] == 0) & (sales["units"] > 0) & (sales["revenue"] > 0)]
    latest = clean.groupby("sku").tail(7)
    paid = (latest["revenue"] / latest["units"]).groupby(latest["sku"]).median().reindex(SKUS)
    days = sales[sales["units"] > 0].groupby("sku")["date"].max().reindex(SKUS)
    assert last.price == pytest.approx(paid.to_numpy(), nan_ok=True)
    assert pd.Series(last.day, index=SKUS).equals(days)
    assert np.isnan(last.price[[3, 4]]).all()
    assert np.isnat(last.day[3])
    assert not np.isnat(last.day[4])
