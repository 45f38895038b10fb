"""Spells in which an item could not be bought: what it did not sell then says nothing of demand.

No store tells its stock of the past. What can be known: an item of which nothing is free now has
sold nothing since its last sale, and was seen to be out on each night that somebody looked. What is
assumed: that it was out since that last sale, rather than unwanted for some days first.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.stock_levels import levels
from blocks.machine.private_files import write_private

FORGOTTEN_DAYS = 365
"""What has been out for longer was perhaps given up: what would be wanted of it, nobody knows."""

REMEMBERED = 731
"""Days after which a spell is forgotten."""

SPELLS = ("sku", "first", "last")


def spells(
    stock: pd.DataFrame, sales: pd.DataFrame, today: date, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The spells that are known on a day, of now and of before.

    Args:
        stock: STOCK frame of today.
        sales: SALES frame; only days before ``today`` count.
        today: The store's date.
        earlier: Spells as known before.

    Returns:
        One row per spell: ``sku``, its ``first`` and ``last`` day (both without stock), by SKU and
        day. Those that end over ``REMEMBERED`` days ago are left out.
    """
    known = levels(stock)
    out = known.index[known["free"] <= 0]
    first = pd.Series(LastSales.of(sales, out).day, index=out) + pd.Timedelta(days=1)
    yesterday = pd.Timestamp(today - timedelta(days=1))
    now = pd.DataFrame({"sku": out, "first": first.to_numpy(), "last": yesterday})
    # What never sold tells of no demand, however long it is out.
    now = now[now["first"].notna() & (now["first"] <= yesterday)]
    now = now[(now["last"] - now["first"]).dt.days < FORGOTTEN_DAYS]
    every = now if earlier is None else pd.concat([earlier, now], ignore_index=True)
    # A spell that goes on has kept its first day; what was known of it before is part of it.
    merged = every.groupby(["sku", "first"], sort=True)["last"].max().reset_index()
    recent = merged["last"] >= pd.Timestamp(today - timedelta(days=REMEMBERED))
    return merged.loc[recent, list(SPELLS)].reset_index(drop=True)


def days_of(known: pd.DataFrame) -> pd.DataFrame:
    """Each day of some spells: ``sku`` and ``date``, once."""
    length = ((known["last"] - known["first"]).dt.days + 1).to_numpy()
    at = np.repeat(np.arange(len(known)), length)
    nth = np.arange(len(at)) - np.repeat(np.cumsum(length) - length, length)
    day = known["first"].to_numpy()[at] + nth.astype("timedelta64[D]")
    days = pd.DataFrame({"sku": known["sku"].to_numpy()[at], "date": day})
    return days.drop_duplicates(ignore_index=True)


def save_spells(known: pd.DataFrame, path: Path) -> None:
    """Write spells as CSV.

    Raises:
        OSError: It cannot be written.
    """
    write_private(path, known.to_csv(index=False, date_format="%Y-%m-%d"))


def load_spells(path: Path) -> pd.DataFrame | None:
    """The spells of a file; None when it is missing or damaged."""
    try:
        known = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=list(SPELLS))
        for column in SPELLS[1:]:
            known[column] = pd.to_datetime(known[column], format="%Y-%m-%d").dt.as_unit("us")
    except (OSError, ValueError, KeyError):
        return None
    return known
