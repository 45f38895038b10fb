"""A shop of some hundred items, large enough to learn from and small enough for a test."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.trading_calendar import TradingCalendar

TODAY = date(2026, 3, 2)
WEEKS = 40
ITEMS = 90


def frame(units: dict[str, np.ndarray], today: date = TODAY) -> pd.DataFrame:
    """A SALES frame of daily units per SKU; the last day is yesterday."""
    parts = []
    for sku, daily in units.items():
        days = pd.date_range(end=today - timedelta(days=1), periods=len(daily), unit="us")
        parts.append(pd.DataFrame({"date": days, "sku": sku, "units": daily.astype(float)}))
    sales = pd.concat(parts).query("units > 0").sort_values("date", ignore_index=True)
    return sales.assign(returned=0.0, revenue=sales["units"])


def some_items(count: int = ITEMS, weeks: int = WEEKS, seed: int = 3) -> dict[str, np.ndarray]:
    """Items that sell steadily, from a few to dozens a week, all week long."""
    rng = np.random.default_rng(seed)
    level = np.geomspace(0.4, 8, count)
    return {f"item-{i:03}": rng.poisson(level[i], 7 * weeks) for i in range(count)}


def model_of(units: dict[str, np.ndarray], today: date = TODAY) -> DemandModel:
    """The model of these items, as of today."""
    sales = frame(units)
    past = sales[sales["date"] < pd.Timestamp(today)]
    return DemandModel(past, TradingCalendar.learn(past["date"].dt.date), today, sorted(units))


def flags_of(sku: str, back: int, days: int) -> pd.DataFrame:
    """Out of stock for some days, the first of them so many days before today."""
    first = pd.Timestamp(TODAY) - pd.Timedelta(days=back)
    return pd.DataFrame({"sku": sku, "date": pd.date_range(first, periods=days)})
