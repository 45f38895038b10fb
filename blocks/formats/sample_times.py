"""When a metric's samples come, and when they have stopped coming."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

SILENT_INTERVALS = 6
"""A metric is silent after so many of its usual intervals without a sample ..."""

SILENT_AT_LEAST = timedelta(minutes=15)
"""... but not before this: one that comes every second may miss a few."""

INTERVAL_UNKNOWN = timedelta(days=1)
"""Patience with a metric of so few samples that nobody knows how often it comes."""

ORDINARY = 2
"""When so many earlier gaps were as long, gaps are the metric's nature: a shop that closes at
night."""

NEARLY = 1.25
"""A gap counts as an ordinary one while it is no more than so many times as long."""


def has_stopped(ts: pd.Series[Any], now: datetime) -> bool:
    """Whether samples have stopped coming, or none ever came.

    Args:
        ts: Times of the samples, timezone-aware, in any order, none after ``now``.
        now: The instant to judge at.
    """
    if ts.empty:
        return True
    silence = pd.Timestamp(now) - ts.max()
    gaps = ts.drop_duplicates().sort_values().diff().dropna()
    usual = SILENT_INTERVALS * gaps.median() if len(gaps) > 1 else INTERVAL_UNKNOWN
    if silence <= max(usual, SILENT_AT_LEAST):
        return False
    return bool((gaps * NEARLY >= silence).sum() < ORDINARY)
