"""What is usual on a day like this: the same weekday before, and how far it usually strays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agents.data_intelligence.trading_calendar import weekdays
from agents.statistics import NORMAL_MAD

REFERENCE_DAYS = 8
"""A day is compared with the median of this many of the same weekday before it."""

MIN_REFERENCE_DAYS = 4

SPREAD_DAYS = 48
"""Trading days over which the usual deviation is measured: about eight weeks."""

MIN_SPREAD_DAYS = 12

LEAST_SPREAD = 0.05
"""Eight equal Mondays do not make a difference of one penny a sensation."""

UNUSUAL = 3.0
"""Shewhart's three sigma limits: on two years of a real shop, one to four days in a hundred,
depending on the metric."""


def bands_of(series: pd.Series[float], *, share: bool) -> pd.DataFrame:
    """Each day's expected value and usual band, from the days before it alone.

    Sales vary by factors, not by amounts: the spread is that of ``log(value) - log(expected)``.
    Shares, which may be zero and are small counts behind, vary evenly as square roots. The
    spread is pooled over all weekdays, because eight Thursdays alone do not tell it.

    Returns:
        Columns value, expected, low, high, score; one row per day, NaN where unknown.
    """
    expected = pd.Series(np.nan, index=series.index)
    for _, days in series.groupby(weekdays(series)):
        before = days.shift(1).rolling(REFERENCE_DAYS, min_periods=MIN_REFERENCE_DAYS)
        expected[days.index] = before.median()
    expected = expected.where(expected > 0)
    # A day of nothing, or of more returns than sales, counts as a hundredth of the expected.
    value = series.clip(lower=0.01 * expected)
    if share:
        middle, off = expected.pow(0.5), value.pow(0.5) - expected.pow(0.5)
    else:
        middle, off = expected.apply(np.log), (value / expected).apply(np.log)
    before = off.abs().shift(1).rolling(SPREAD_DAYS, min_periods=MIN_SPREAD_DAYS)
    least = LEAST_SPREAD * middle if share else LEAST_SPREAD
    spread = (NORMAL_MAD * before.median()).clip(lower=least)
    low, high = middle - UNUSUAL * spread, middle + UNUSUAL * spread
    if share:
        low, high = low.clip(lower=0.0).pow(2), high.pow(2)
    else:
        low, high = low.apply(np.exp), high.apply(np.exp)
    return pd.DataFrame(
        {"value": series, "expected": expected, "low": low, "high": high, "score": off / spread}
    )
