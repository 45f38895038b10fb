"""From order lines to trading days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from blocks.vocabulary.frames import NO_ITEM, ORDERS, SALES, Problem

DAY = timedelta(days=1)

DUPLICATES = "exact duplicates of another line; kept, since a basket may hold an item twice"

_WHOLE_LINE = ("order_id", "sku", "sold_at", "units", "unit_price", "revenue")


@dataclass(frozen=True)
class Period:
    """Rows wanted by date: ``start`` <= ``column`` < ``end``, in store time."""

    column: str
    start: pd.Timestamp
    end: pd.Timestamp


def by_day(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add order lines up by trading day.

    Args:
        lines: Valid rows of contract SALE_LINES, with their ``revenue`` in one currency.

    Returns:
        ``sales`` (one row per day and SKU) and ``orders`` (one row per day). Returns lower the
        revenue of the day they came back; ``units`` counts only what was sold; a day's ``orders``
        are the distinct orders with at least one unit sold. Lines that are no item are in
        ``orders`` alone.
    """
    sold = lines["units"].clip(lower=0)
    table = pd.DataFrame(
        {
            "date": lines["sold_at"].dt.normalize(),
            "sku": lines["sku"],
            "units": sold,
            "returned": sold - lines["units"],
            "revenue": lines["revenue"],
        }
    )
    items = table[table["sku"] != NO_ITEM]
    sales = items.groupby(["date", "sku"], as_index=False, sort=True).sum()
    orders = table.groupby("date", as_index=False, sort=True)[
        ["units", "revenue", "returned"]
    ].sum()
    # What is no item has no units that could be counted.
    for name in ("units", "returned"):
        orders[name] = orders["date"].map(items.groupby("date")[name].sum()).fillna(0.0)
    bought = lines["order_id"][(sold > 0) & (lines["sku"] != NO_ITEM)]
    bought = bought.groupby(table["date"]).nunique()
    orders.insert(1, "orders", orders["date"].map(bought).fillna(0.0).astype(float))
    return SALES.validate(sales), ORDERS.validate(orders)


def within(frame: pd.DataFrame, period: Period, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows of the period. Today's are not over yet; later ones are a mistake worth telling."""
    when = frame[period.column]
    future = when >= period.end + DAY
    problems = []
    if future.any():
        example = str(when[future].iloc[0])
        problems.append(
            Problem(name, period.column, "dated in the future", int(future.sum()), example)
        )
    return frame[(when >= period.start) & (when < period.end)], problems


def repeated(lines: pd.DataFrame) -> list[Problem]:
    """Count exact duplicates, and keep them.

    A basket may hold an item on two lines, and only the store can tell that from a double import.
    """
    again = lines.duplicated(subset=[column for column in _WHOLE_LINE if column in lines])
    if not again.any():
        return []
    example = f"order {lines['order_id'][again].iloc[0]}"
    return [Problem("sale_lines", "", DUPLICATES, int(again.sum()), example, kept=True)]
