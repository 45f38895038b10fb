"""When each SKU sold last, and for how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.unit_sales import AT_ONCE
from agents.statistics import Floats, row_medians

PRICED_DAYS = 7
"""A unit is worth the median of what it brought on so many of the SKU's last selling days: a mean
over years is no price of today, and neither is one day of wholesale, nor a typing error."""


@dataclass(frozen=True)
class LastSales:
    """The end of each SKU's sales.

    Attributes:
        price: Median money per unit of its last ``PRICED_DAYS`` selling days without returns (with
            returns in it, a day's revenue per unit is no price); NaN when there are none.
        day: Day of its last sale; NaT when it never sold.
    """

    price: Floats
    day: NDArray[np.datetime64]

    @classmethod
    def of(cls, sales: pd.DataFrame, skus: pd.Index, at_once: int = AT_ONCE) -> LastSales:
        """Read sales from their end on.

        Args:
            sales: SALES frame.
            skus: Distinct; one row each, in this order, in what is returned.
            at_once: Rows that are worked on at a time.
        """
        if not sales["date"].is_monotonic_increasing:
            sales = sales.sort_values("date")
        paid = np.full((len(skus), PRICED_DAYS), np.nan)
        known = np.zeros(len(skus), dtype=np.intp)
        last = np.full(len(skus), np.datetime64("NaT", "us"))
        for end in range(len(sales), 0, -at_once):
            some = sales.iloc[max(end - at_once, 0) : end]
            row = skus.get_indexer(pd.Index(some["sku"]))
            sold = np.flatnonzero((row >= 0) & (some["units"] > 0))
            row, day = row[sold], some["date"].to_numpy()[sold]
            news = np.isnat(last[row])
            last[row[news]] = day[news]  # of a row's days, which rise, the last stays
            clean = ((some["returned"] == 0) & (some["revenue"] > 0)).to_numpy()[sold]
            row = row[clean][::-1]
            price = (some["revenue"] / some["units"]).to_numpy()[sold[clean]][::-1]
            order = np.argsort(row, kind="stable")
            row, price = row[order], price[order]
            place = known[row] + np.arange(len(row)) - np.searchsorted(row, row)
            few = place < PRICED_DAYS
            paid[row[few], place[few]] = price[few]
            known = np.minimum(known + np.bincount(row, minlength=len(known)), PRICED_DAYS)
        return cls(row_medians(paid), last)
