"""Files of real sales, read as the sales of a shop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.trading_calendar import TradingCalendar
from agents.statistics import Floats
from blocks.settings import PROJECT_ROOT

SAMPLE = PROJECT_ROOT / "deployments/sample/data/online_retail_slice.csv.gz"


@dataclass(frozen=True)
class Shop:
    """A shop's sales, up to a Monday.

    Attributes:
        name: Of the file.
        sales: SALES frame.
        end: The day after the last full week.
        weeks: Weeks that are usually kept for the test.
        categories: Category of each SKU, where the file has one.
        transactions: Whether it is a shop's order lines, and stock-outs may be made up in them.
    """

    name: str
    sales: pd.DataFrame
    end: date
    weeks: int
    categories: dict[str, str] | None = None
    transactions: bool = False

    def skus(self, cut: date) -> list[str]:
        """All that sold before a day."""
        return sorted(self.past(cut)["sku"].unique())

    def past(self, cut: date) -> pd.DataFrame:
        """The sales before a day."""
        return self.sales[self.sales["date"] < pd.Timestamp(cut)]

    def model(self, cut: date, skus: list[str]) -> DemandModel:
        """The model as it would have been on a day."""
        past = self.past(cut)
        return DemandModel(past, TradingCalendar.learn(past["date"].dt.date), cut, skus)

    def actual(self, cut: date, skus: list[str], weeks: int) -> Floats:
        """Units per SKU and week from a day on."""
        days = (self.sales["date"] - pd.Timestamp(cut)).dt.days
        row = pd.Index(skus).get_indexer(pd.Index(self.sales["sku"]))
        inside = (row >= 0) & (days >= 0) & (days < 7 * weeks)
        units = np.zeros((len(skus), weeks))
        np.add.at(
            units,
            (row[inside], days[inside].to_numpy() // 7),
            self.sales["units"][inside].to_numpy(),
        )
        return units


def read(file: Path) -> Shop:
    """Read a file of one of the three kinds, known by its columns.

    Raises:
        ValueError: It is none of them.
    """
    columns = set(pd.read_csv(file, nrows=0).columns)
    for needed, reader in _READERS:
        if needed <= columns:
            return reader(file)
    raise ValueError(f"{file} has the columns of no known file: {', '.join(sorted(columns))}.")


def _shop(file: Path, sales: pd.DataFrame, categories: dict[str, str] | None = None) -> Shop:
    sales = sales[sales["units"] > 0].assign(returned=0.0)
    sales["date"] = sales["date"].astype("datetime64[us]")
    after = sales["date"].max().date() + timedelta(days=1)
    end = after - timedelta(days=after.weekday())
    history = (end - sales["date"].min().date()).days // 7
    name = file.name.split(".")[0]
    weeks = min(8, max(history // 6, 1))
    return Shop(name, sales.sort_values("date", ignore_index=True), end, weeks, categories)


def _transactions(file: Path) -> Shop:
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
    shop = _shop(file, sales.rename(columns={"quantity": "units"}))
    return replace(shop, transactions=True)


def _fresh(file: Path) -> Shop:
    lines = pd.read_csv(file, parse_dates=["date"])
    store, product = lines["store_id"].astype(str), lines["product_id"].astype(str)
    lines["sku"] = store + "-" + product
    lines = lines.rename(columns={"sales": "units"}).assign(revenue=0.0)
    categories = lines.drop_duplicates("sku").set_index("sku")["third_category_id"]
    return _shop(
        file,
        lines[["date", "sku", "units", "revenue"]],
        {str(sku): str(name) for sku, name in categories.items()},
    )


def _parts(file: Path) -> Shop:
    """Months are read as weeks: the first one begins on a Monday of its own."""
    table = pd.read_csv(file, dtype={"part": str}).set_index("part")
    months = pd.date_range("1998-01-05", periods=table.shape[1], freq="7D")
    lines = table.set_axis(months, axis=1).reset_index(names="sku")
    sales = lines.melt("sku", var_name="date", value_name="units").assign(revenue=0.0)
    # The last month ends where the next one would begin.
    shop = _shop(file, sales)
    end = months[-1].date() + timedelta(days=7)
    return replace(shop, end=end)


_READERS: tuple[tuple[set[str], Callable[[Path], Shop]], ...] = (
    ({"invoice", "ts", "quantity", "unit_price"}, _transactions),
    ({"store_id", "product_id", "sales"}, _fresh),
    ({"part", "1998-01"}, _parts),
)
