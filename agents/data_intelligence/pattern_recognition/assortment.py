"""Who sells, and how concentrated sales are."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.trading_calendar import since
from agents.statistics import change_percent
from blocks.models import Strict
from blocks.vocabulary.frames import Snapshot

RECENT_DAYS = 91
"""What sells is of the last quarter (13 whole weeks)."""

CLASS_LIMITS = (("A", 0.80), ("B", 0.95), ("C", 1.0))
"""Class A makes the first 80% of revenue, B the next 15%, C the rest."""


class Seller(Strict):
    """An SKU among the best.

    Attributes:
        sku: The SKU.
        name: Its product's name; the SKU when there is no product.
        revenue: Net revenue of the period.
        units: Units sold in the period.
        share: Share of all revenue (0 to 1).
        abc: Its ABC class.
        change_percent: Revenue against the period before; None when it sold nothing then, or
            when that period is not known as a whole: because sales do not go back that far, or
            because the item came in the midst of it.
        new: Whether it first sold in the period, as far as sales go back.
    """

    sku: str
    name: str
    revenue: float
    units: float
    share: float
    abc: str
    change_percent: float | None
    new: bool


class AbcClass(Strict):
    """One class of the ABC analysis: how many SKUs make how much of revenue and units."""

    name: str
    skus: int
    revenue_share: float
    units_share: float


def by_sku(
    sales: pd.DataFrame, first: date, compared_from: date | None, snapshot: Snapshot
) -> pd.DataFrame:
    """One row per SKU sold in the period, best first: sums, share, class, the period before.

    Args:
        sales: SALES frame up to the period's last day.
        first: First day of the period.
        compared_from: First day of the period before; None when it is not known as a whole.
        snapshot: Gives names.

    Returns:
        By SKU: ``units``, ``revenue``, ``share``, ``abc``, ``name``; ``before``, the revenue of the
        period before (NaN where the SKU's own sales do not go back that far); ``new``.
    """
    recent = since(sales, first).groupby("sku")[["units", "revenue"]].sum()
    table = recent.sort_values(["revenue", "units"], ascending=False, kind="stable")
    earned = table["revenue"].clip(lower=0)
    total = earned.sum()
    table["share"] = earned / total if total > 0 else 0.0
    # An SKU belongs to the class in which its share of the cumulated revenue begins.
    begins = table["share"].cumsum() - table["share"]
    limits = [limit for _, limit in CLASS_LIMITS[:-1]]
    table["abc"] = np.array([n for n, _ in CLASS_LIMITS])[
        np.searchsorted(limits, begins.to_numpy() + 1e-12)
    ]
    table["before"], table["new"] = _before(sales, first, compared_from, table.index)
    table["name"] = table.index
    if "products" in snapshot.frames:
        names = snapshot.frames["products"].set_index("sku")["name"]
        table["name"] = names.reindex(table.index).fillna(table["name"])
    return table


def _before(
    sales: pd.DataFrame, first: date, compared_from: date | None, skus: pd.Index
) -> tuple[pd.Series[float], pd.Series[bool]]:
    """Revenue of the period before, and which SKUs first sold after it."""
    if compared_from is None:
        return pd.Series(np.nan, index=skus), pd.Series(False, index=skus)
    period = since(sales[sales["date"] < pd.Timestamp(first)], first - timedelta(days=RECENT_DAYS))
    revenue = period.groupby("sku")["revenue"].sum().reindex(skus).fillna(0.0)
    began = sales[sales["units"] > 0].groupby("sku")["date"].min().reindex(skus)
    # A whole period against a part of one would be growth that is none.
    return revenue.where(began <= pd.Timestamp(compared_from)), began >= pd.Timestamp(first)


def sellers(table: pd.DataFrame, by: str, top: int) -> list[Seller]:
    """The best ``top`` SKUs by a column of the table."""
    best = table.sort_values(by, ascending=False, kind="stable").head(top)
    return [
        Seller(
            sku=str(sku),
            name=str(row["name"]),
            revenue=float(row["revenue"]),
            units=float(row["units"]),
            share=float(row["share"]),
            abc=str(row["abc"]),
            change_percent=None
            if pd.isna(row["before"])
            else change_percent(float(row["revenue"]), max(float(row["before"]), 0.0)),
            new=bool(row["new"]),
        )
        for sku, row in best.iterrows()
    ]


def classes(table: pd.DataFrame) -> list[AbcClass]:
    """How many SKUs are in each class, and what they make."""
    units = table["units"].sum()
    return [
        AbcClass(
            name=name,
            skus=len(members),
            revenue_share=float(members["share"].sum()),
            units_share=float(members["units"].sum() / units) if units > 0 else 0.0,
        )
        for name, _ in CLASS_LIMITS
        for members in [table[table["abc"] == name]]
    ]


def top_tenth_share(revenue: pd.Series[float]) -> float:
    """Revenue share of the best tenth of the SKUs that earned anything (at least one)."""
    earned = np.sort(revenue[revenue > 0].to_numpy())[::-1]
    if not earned.size:
        return 0.0
    return float(earned[: -(-earned.size // 10)].sum() / earned.sum())


def gini(revenue: pd.Series[float]) -> float:
    """Gini coefficient of the positive revenues: ``Σ(2i - n - 1)x_i / (n Σx)``, x sorted."""
    earned = np.sort(revenue[revenue > 0].to_numpy())
    n = earned.size
    if n < 2:
        return 0.0
    return max(0.0, float((2 * np.arange(1, n + 1) - n - 1) @ earned / (n * earned.sum())))
