"""Whether a store's newest orders reach its database at once, or come late with an export.

Each look notes how old the newest order is. Where orders come in as they are made, few should have
come since the newest one, at nearly all looks. Of a shop that is filled at night a day's orders are
always missing, and that is no silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from agents.data_intelligence.anomaly_detection.orders.rhythm import Rhythm
from blocks.store.hours.counts import BIN, floored

NOTED_DAYS = 14
"""So far back looks are considered."""

FEWEST_LOOKS = 12
"""Of fewer looks, each at a time when orders are usual, it is not known."""

LIVE = 2.0
"""Orders that are usually missing at most where they come in as they are made: by chance alone the
median is 0.7."""

LATE_DAYS = 3
"""How a late store usually is shows after so many days."""

LATER = 1.1
"""A late store may be later than it was in the last two weeks by a tenth."""

_BUSY = 0.1
"""Looks count at hours with this share of the busiest hour's orders, or more."""


@dataclass(frozen=True)
class Freshness:
    """How a store's orders reach its database.

    Attributes:
        live: Whether they come in as they are made; None when it is not known yet.
        late: Orders that may be missing at a look for no other reason than that they come late;
            None when that is not known. Zero of a live store.
    """

    live: bool | None
    late: float | None


def freshness(
    rhythm: Rhythm,
    ages: Sequence[tuple[datetime, float]],
    newest: datetime | None,
    closed: Callable[[date], bool],
) -> Freshness:
    """How late orders come, by what looks noted.

    Args:
        rhythm: What is usual.
        ages: Instant of a look, and how old the newest order was then, in seconds; by time.
        newest: When the newest order was made. What looks saw later belongs to the silence that
            is to be judged, if it is one.
        closed: Days without orders.
    """
    before = [(at, age) for at, age in ages if newest is not None and at <= newest]
    if not before:
        return Freshness(None, None)
    oldest = min(at - timedelta(seconds=age) for at, age in before)
    begin = floored(max(oldest, before[0][0] - timedelta(days=NOTED_DAYS)))
    steps = int((before[-1][0] - begin) / BIN) + 2
    expected = rhythm.expected(begin, steps, closed)
    due = np.concatenate([[0.0], np.cumsum(expected)])

    looked = np.array([(at - begin) / BIN for at, _ in before])
    order = np.maximum(looked - np.array([age for _, age in before]) / BIN.total_seconds(), 0.0)
    at = np.arange(len(due))
    missing = np.interp(looked, at, due) - np.interp(order, at, due)
    busy = expected[looked.astype(int)] >= _BUSY * rhythm.rates.max() * (BIN / timedelta(hours=1))
    if busy.sum() < FEWEST_LOOKS:
        return Freshness(None, None)
    if float(np.median(missing[busy])) <= LIVE:
        return Freshness(True, 0.0)
    if before[-1][0] - before[0][0] < timedelta(days=LATE_DAYS):
        return Freshness(False, None)
    return Freshness(False, LATER * float(missing.max()))
