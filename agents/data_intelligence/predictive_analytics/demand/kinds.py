"""Kinds of items, by how they sell: each kind errs in its own way."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.history import YEAR, History
from agents.data_intelligence.predictive_analytics.demand_model import WARM_UP

Kinds = NDArray[np.uint8]

KINDS = ("smooth", "seasonal", "intermittent", "new")
SMOOTH, SEASONAL, INTERMITTENT, NEW = range(4)

QUARTER = 13
SEASON_SHARE = 0.6
"""An item of which one quarter of the year brought so much is seasonal: an even one has 0.25."""

SEASON_WEEKS = 8
"""Selling weeks within the year that it takes to call an item seasonal."""

OFTEN = 0.5
"""An item that sold in a smaller share of the weeks of the last half year is intermittent."""

_TOGETHER = 10_000  # SKUs whose windows are added up at a time


def kinds_at(history: History, week: int) -> Kinds:
    """The kind of each SKU at the start of a week, by what was sold before it.

    New is what first sold less than a quarter ago, in a shop that had sold before.
    """
    kinds = np.full(len(history.first), SMOOTH, dtype=np.uint8)
    age = week - history.first
    half = history.rate[:, max(week - YEAR // 2, 0) : week]
    known = np.isfinite(half).sum(axis=1)
    with np.errstate(invalid="ignore"):
        sold = (half > 0).sum(axis=1)
    kinds[sold < OFTEN * np.maximum(known, 1)] = INTERMITTENT
    if week >= YEAR:
        for at in range(0, len(kinds), _TOGETHER):
            some = slice(at, at + _TOGETHER)
            year = np.nan_to_num(history.rate[some, week - YEAR : week])
            quarters = sliding_window_view(
                np.cumsum(np.pad(year, ((0, 0), (1, 0))), axis=1), QUARTER + 1, axis=1
            )
            best = (quarters[:, :, -1] - quarters[:, :, 0]).max(axis=1)
            seasonal = best >= SEASON_SHARE * year.sum(axis=1)
            seasonal &= ((year > 0).sum(axis=1) >= SEASON_WEEKS) & (age[some] >= YEAR)
            kinds[some][seasonal] = SEASONAL
    kinds[(age < WARM_UP) & (history.first > 0)] = NEW
    return kinds
