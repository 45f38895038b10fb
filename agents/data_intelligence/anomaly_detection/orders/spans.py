"""Counts of two readings as one, and what is usual from one instant to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import numpy as np

from agents.data_intelligence.anomaly_detection.orders.rhythm import never
from blocks.store.hours.counts import BIN, Floats, OrderCounts, floored

Usually = Callable[[datetime, int, Callable[[date], bool]], Floats]
"""What is usual in each of some steps from an instant on: ``Rhythm.expected``, ``.earned``."""


def joined(past: OrderCounts, recent: OrderCounts) -> OrderCounts:
    """The past, and from where it begins the recent reading, which saw lines that came late.

    Args:
        past: Ends after ``recent`` begins.
        recent: Read later.
    """
    kept = max(0, min(len(past.orders), (recent.begin - past.begin) // BIN))
    newest = [each for each in (past.newest, recent.newest) if each is not None]
    return OrderCounts(
        recent.begin - kept * BIN,
        np.concatenate([past.orders[:kept], recent.orders]),
        np.concatenate([past.revenue[:kept], recent.revenue]),
        max(newest, default=None),
        np.concatenate([past.unclear[:kept], recent.unclear]),
    )


def sum_between(
    usually: Usually,
    begin: datetime,
    end: datetime,
    closed: Callable[[date], bool] = never,
) -> float:
    """What is usual from one instant to another; the first and the last step count in part."""
    first = floored(begin)
    steps = max(1, -((first - end) // BIN))
    values = usually(first, steps, closed)
    missing = values[0] * ((begin - first) / BIN) + values[-1] * ((first + steps * BIN - end) / BIN)
    return float(max(0.0, values.sum() - missing))
