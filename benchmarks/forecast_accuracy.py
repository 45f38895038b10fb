"""How well the demand forecast does on a shop's transactions.

Weekly units of goods (no cancellations, positive quantity and price) of all SKUs that sold in at
least 40 weeks, and in 5 of the last 20, are forecast for the last 8 full weeks from the weeks
before; naive and the mean of the last 8 weeks stand beside it. Then four-week totals are forecast
from several starting points, to see how often demand stayed within the quantiles.

    python -m benchmarks.forecast_accuracy --data FILE [--json]

``FILE`` is a CSV with ``invoice``, ``ts``, ``stock_code`` (or ``sku``), ``quantity`` and
``unit_price``: "Online Retail II" (Chen, Sain and Guo 2012, doi 10.1057/dbm.2012.17), or the slice
of it in ``deployments/sample/data``.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.trading_calendar import TradingCalendar
from agents.statistics import Floats
from benchmarks.output import show

WEEKS = 8
HORIZON = 28
STARTS = 6
QUANTILES = (0.5, 0.9, 0.95)


def read_sales(file: Path) -> pd.DataFrame:
    """The file as a SALES frame: goods sold, returns left out."""
    lines = pd.read_csv(file, dtype={"invoice": str, "stock_code": str, "sku": str})
    lines = lines.rename(columns={"stock_code": "sku"})
    lines["sku"] = lines["sku"].str.upper()
    lines = lines[
        lines["sku"].str.fullmatch(r"\d{5}[A-Z]*")
        & ~lines["invoice"].str.startswith("C")
        & (lines["quantity"] > 0)
        & (lines["unit_price"] > 0)
    ]
    lines["date"] = pd.to_datetime(lines["ts"]).dt.normalize()
    lines["revenue"] = lines["quantity"] * lines["unit_price"]
    sales = lines.groupby(["date", "sku"], as_index=False)[["quantity", "revenue"]].sum()
    return sales.rename(columns={"quantity": "units"}).assign(returned=0.0)


def daily_units(sales: pd.DataFrame, skus: list[str], first: date, days: int) -> Floats:
    """Units per SKU and day from ``first`` on."""
    dates = pd.date_range(first, periods=days)
    table = sales.pivot_table(index="sku", columns="date", values="units", aggfunc="sum")
    return table.reindex(index=skus, columns=dates).fillna(0.0).to_numpy(dtype=float)


def model_at(sales: pd.DataFrame, skus: list[str], today: date) -> DemandModel:
    """The model as it would have been on a day."""
    past = sales[sales["date"] < pd.Timestamp(today)]
    return DemandModel(past, TradingCalendar.learn(past["date"].dt.date), today, skus)


def weekly_accuracy(
    sales: pd.DataFrame, end: date
) -> tuple[dict[str, float | str | None], list[str]]:
    """Errors over the last full weeks before ``end`` (a Monday), and the SKUs they are of."""
    today = end - timedelta(weeks=WEEKS)
    every_sku = sorted(sales["sku"].unique())
    weeks = (today - sales["date"].min().date()).days // 7
    start = today - timedelta(weeks=weeks)
    days = daily_units(sales, every_sku, start, 7 * (weeks + WEEKS))
    weekly = days.reshape(len(every_sku), -1, 7).sum(axis=2)
    past, actual = weekly[:, :-WEEKS], weekly[:, -WEEKS:]
    chosen = ((past > 0).sum(axis=1) >= 40) & ((past[:, -20:] > 0).sum(axis=1) >= 5)
    skus = [sku for sku, is_in in zip(every_sku, chosen, strict=True) if is_in]
    past, actual = past[chosen], actual[chosen]
    began = perf_counter()
    model = model_at(sales, skus, today)
    seconds = perf_counter() - began
    forecasts = {
        "": model.mean(7),
        "naive_": past[:, -1],
        "mean8_": past[:, -WEEKS:].mean(axis=1),
    }
    figures: dict[str, float | str | None] = {"skus": len(skus), "fit_seconds": seconds}
    for name, forecast in forecasts.items():
        error = forecast[:, None] - actual
        scale = np.sqrt((np.diff(past, axis=1) ** 2).mean(axis=1))
        figures[f"{name}wape"] = float(np.abs(error).sum() / actual.sum())
        figures[f"{name}rmsse"] = float((np.sqrt((error**2).mean(axis=1)) / scale).mean())
        figures[f"{name}bias"] = float(error.sum() / actual.sum())
    return figures, skus


def total_accuracy(
    sales: pd.DataFrame, skus: list[str], end: date
) -> dict[str, float | str | None]:
    """Errors of four-week totals, and how often demand stayed within each quantile."""
    within: dict[float, list[float]] = {p: [] for p in QUANTILES}
    errors = demand = 0.0
    for k in range(1, STARTS + 1):
        today = end - timedelta(days=k * HORIZON)
        model = model_at(sales, skus, today)
        actual = daily_units(sales, skus, today, HORIZON).sum(axis=1)
        spread = model.spread(HORIZON)
        errors += float(np.abs(spread.mean - actual).sum())
        demand += float(actual.sum())
        for p in QUANTILES:
            within[p].append(float((actual <= spread.quantile(p)).mean()))
    return {
        "wape_of_28_days": errors / demand,
        **{f"within_q{round(100 * p)}": float(np.mean(shares)) for p, shares in within.items()},
    }


def main() -> None:
    """Measure the forecast on a file and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="CSV of transactions")
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    arguments = parser.parse_args()
    if not arguments.data.is_file():
        sys.exit(f"There is no file {arguments.data}.")
    sales = read_sales(arguments.data)
    day_after = sales["date"].max().date() + timedelta(days=1)
    end = day_after - timedelta(days=day_after.weekday())
    figures, skus = weekly_accuracy(sales, end)
    figures |= total_accuracy(sales, skus, end)
    show(f"Demand forecast, {WEEKS} weeks before {end}", figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
