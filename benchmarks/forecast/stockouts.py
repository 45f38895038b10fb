"""Stock-outs made up in real sales: hidden from the forecast, known to the measure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.forecast.data import Shop

SHARE = 0.3
"""Of the items are out of stock once, for a spell that ends on the day of the forecast or before.
"""

LONGEST = 13
"""Weeks of the longest spell."""

SEED = 5


def with_gaps(shop: Shop, cut: date, skus: list[str]) -> tuple[Shop, pd.DataFrame]:
    """The shop as it would have sold had some items been out of stock for a spell.

    Half of the spells last until the day of the forecast: the items that look dead then.

    Returns:
        The shop with the sales of these spells left out, and a row per SKU and day of them
        (``sku``, ``date``).
    """
    rng = np.random.default_rng(SEED)
    out = rng.choice(len(skus), int(SHARE * len(skus)), replace=False)
    rows = []
    for item in out:
        days = 7 * int(rng.integers(2, LONGEST + 1))
        back = 0 if rng.random() < 0.5 else 7 * int(rng.integers(1, LONGEST + 1))
        last = cut - timedelta(days=back)
        rows.append((skus[item], last - timedelta(days=days), days))
    flags = pd.DataFrame(
        [(sku, first + timedelta(days=day)) for sku, first, days in rows for day in range(days)],
        columns=["sku", "date"],
    )
    flags["date"] = pd.to_datetime(flags["date"]).astype("datetime64[us]")
    flags = flags[flags["date"] >= shop.sales["date"].min()].reset_index(drop=True)
    hidden = pd.MultiIndex.from_frame(flags)
    keep = ~pd.MultiIndex.from_frame(shop.sales[["sku", "date"]]).isin(hidden)
    sales = shop.sales[keep].reset_index(drop=True)
    return replace(shop, sales=sales), flags
