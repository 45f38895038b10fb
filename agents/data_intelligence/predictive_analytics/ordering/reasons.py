"""Why an item is ordered, and why so much of it: one sentence each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd


def why_item(table: pd.DataFrame) -> list[str]:
    """Why each due item is ordered now; "" for the others. Columns as ``proposals.propose`` has."""
    return [_item(row) if row.due else "" for row in _tuples(table)]


def why_units(table: pd.DataFrame) -> list[str]:
    """Why so many units of each due item; "" for the others."""
    return [_units(row) if row.due else "" for row in _tuples(table)]


def units(number: float) -> str:
    """Units as a person writes them: whole where they are many, else one decimal."""
    rounded = round(number, 1)
    return f"{number:,.0f}" if abs(rounded) >= 10 or rounded.is_integer() else f"{rounded:,.1f}"


def _tuples(table: pd.DataFrame) -> Iterable[Any]:
    """Rows as named tuples, which pandas types as one union per column."""
    columns = [
        "due", "free", "on_order", "position", "reorder_point", "order_up_to", "service",
        "guessed", "protection_days", "demand", "rate", "wanted", "units",
    ]  # fmt: skip
    return table[columns].itertuples(index=False)


def _item(row: Any) -> str:
    if row.free < 0:
        there = f"{units(-row.free)} are owed"
    elif row.free == 0:
        there = "None is free"
    else:
        there = f"{units(row.free)} are free"
    coming = f" and {units(row.on_order)} on order" if row.on_order else " and none is on order"
    sure = (
        f"what lasts {row.protection_days} days (lead time and review) in "
        f"{row.service:.1%} of cases"
    )
    return (
        f"{there}{coming}; the reorder point is {units(row.reorder_point)}, {sure}, where "
        f"{units(row.demand)} are expected to sell."
    )


def _units(row: Any) -> str:
    days = (row.order_up_to - row.reorder_point) / row.rate if row.rate > 0 else 0.0
    basis = (
        "its cost or price is unknown, so a service level decides"
        if row.guessed
        else "more would cost more to hold than the order lines it saves"
    )
    return (
        f"Up to {units(row.order_up_to)}: beyond the reorder point an order brings what sells in "
        f"{days:.0f} days; {basis}."
    )
