"""Daily sales of a shop, read from any of three formats."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from agents.statistics import Floats

FRESH_PRICE = 10.0
"""Of a unit of the groceries, whose file has no prices: assumed."""

FORMATS = {
    "daily": {"sku", "date", "units", "unit_price"},
    "shop": {"invoice", "ts", "quantity", "unit_price"},
    "fresh": {"city_id", "store_id", "product_id", "date", "sales"},
}


@dataclass(frozen=True)
class DailySales:
    """What a shop sold, day by day; taken as what was asked for.

    Attributes:
        skus: One row each.
        first: Day of the first column.
        units: Per SKU and day, returns netted, at least 0.
        revenue: Money per SKU and day.
        note: What was assumed in reading it; "" when nothing was.
    """

    skus: list[str]
    first: date
    units: Floats
    revenue: Floats
    note: str = ""

    @property
    def days(self) -> int:
        """How many."""
        return int(self.units.shape[1])

    def day(self, of: date) -> int:
        """Column of a date."""
        return (of - self.first).days

    def prices(self, before: int) -> Floats:
        """Average price per unit before a day; NaN where nothing was sold."""
        units, money = self.units[:, :before].sum(axis=1), self.revenue[:, :before].sum(axis=1)
        unknown = np.full(len(units), np.nan)
        return np.asarray(np.divide(money, units, out=unknown, where=units > 0))

    def rows(self, chosen: np.ndarray) -> DailySales:
        """The same for some of the SKUs."""
        skus = [self.skus[i] for i in chosen]
        return DailySales(skus, self.first, self.units[chosen], self.revenue[chosen], self.note)

    def frame(self) -> pd.DataFrame:
        """As a SALES frame, sorted by day."""
        day, row = np.nonzero(self.units.T)
        return pd.DataFrame(
            {
                "date": pd.Timestamp(self.first) + pd.to_timedelta(day, unit="D"),
                "sku": np.array(self.skus, dtype=object)[row],
                "units": self.units[row, day],
                "returned": 0.0,
                "revenue": self.revenue[row, day],
            }
        )


def read(file: Path, kind: str | None = None) -> DailySales:
    """Read a file, gzip allowed.

    Args:
        file: CSV.
        kind: One of ``FORMATS``; told by the columns when None.
    """
    if not file.is_file():
        sys.exit(f"There is no file {file}.")
    lines = pd.read_csv(
        file, dtype={"invoice": str, "stock_code": str, "sku": str, "description": str}
    )
    found = kind or next((k for k, needs in FORMATS.items() if needs <= set(lines.columns)), None)
    if found is None or not FORMATS[found] <= set(lines.columns):
        wanted = "; or ".join(", ".join(sorted(FORMATS[k])) for k in ([kind] if kind else FORMATS))
        sys.exit(f"{file} has not the columns that are needed: {wanted}.")
    return {"daily": _daily, "shop": _shop, "fresh": _fresh}[found](lines)


def _daily(lines: pd.DataFrame) -> DailySales:
    lines = lines.assign(revenue=lines["units"] * lines["unit_price"])
    return _pivot(lines.assign(date=pd.to_datetime(lines["date"])))


def _shop(lines: pd.DataFrame) -> DailySales:
    """Goods only: five digits and letters. Returns and cancellations are netted within the day."""
    lines = lines.rename(columns={"stock_code": "sku"})
    lines["sku"] = lines["sku"].str.upper()
    lines = lines[lines["sku"].str.fullmatch(r"\d{5}[A-Z]*") & (lines["unit_price"] > 0)]
    lines = lines.assign(
        date=pd.to_datetime(lines["ts"]).dt.normalize(),
        units=lines["quantity"].astype(float),
        revenue=lines["quantity"] * lines["unit_price"],
    )
    return _pivot(lines)


def _fresh(lines: pd.DataFrame) -> DailySales:
    sku = lines[["city_id", "store_id", "product_id"]].astype(str).agg("-".join, axis=1)
    lines = lines.assign(sku=sku, date=pd.to_datetime(lines["date"]), units=lines["sales"])
    lines["revenue"] = FRESH_PRICE * lines["units"]
    return _pivot(lines, f"no prices in the file: {FRESH_PRICE:g} a unit assumed")


def _pivot(lines: pd.DataFrame, note: str = "") -> DailySales:
    dates = pd.date_range(lines["date"].min(), lines["date"].max())
    skus = sorted(lines["sku"].unique())
    row = pd.Index(skus).get_indexer(pd.Index(lines["sku"]))
    cell = row * len(dates) + (lines["date"] - dates[0]).dt.days.to_numpy()
    size = len(skus) * len(dates)
    units, revenue = (
        np.bincount(cell, weights=lines[column].to_numpy(dtype=float), minlength=size).reshape(
            len(skus), len(dates)
        )
        for column in ("units", "revenue")
    )
    # What came back later than it was sold is no demand below zero.
    sold = units > 0
    return DailySales(
        skus,
        dates[0].date(),
        np.where(sold, units, 0.0),
        np.where(sold, np.maximum(revenue, 0.0), 0.0),
        note,
    )
