"""Good and bad events, second by second, from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.sre_reliability.objectives.traffic import Columns, Ints

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Points = Sequence[tuple[datetime, float]]


def second_of(at: datetime) -> int:
    """The second that an instant lies in, since 1970."""
    return int(at.timestamp() // 1)


def looks(points: Points, is_bad: Callable[[Floats], Flags]) -> Columns:
    """One event per measured value, bad or not.

    Args:
        points: Instants and values, in order.
        is_bad: Tells of many values at once which are bad.
    """
    seconds, values = _columns(points)
    return _by_second(seconds, np.ones(len(values), dtype=np.int64), is_bad(values))


def counted(totals: Points, bads: Points) -> Columns:
    """Events that were counted elsewhere: two series of the same instants.

    Of two counters that are not read in the same moment the bad one may run ahead; no more are
    taken to be bad than there are.
    """
    bad_at = dict(bads)
    seconds, total = _columns(totals)
    bad = np.array([bad_at.get(at, 0.0) for at, _ in totals])
    return _by_second(seconds, np.rint(total), np.minimum(np.rint(bad), np.rint(total)))


def increments(counter: Points) -> list[tuple[datetime, float]]:
    """What a counter grew by from each point to the next, told at the later of the two.

    A counter that fell was reset: it counted from 0 again, and what it counted between the last
    point and the reset is lost, as in Prometheus.
    """
    return [
        (at, float(after - before if after >= before else after))
        for (_, before), (at, after) in pairwise(counter)
    ]


def _columns(points: Points) -> tuple[Ints, Floats]:
    """The seconds of points, and their values."""
    seconds = np.array([at.timestamp() for at, _ in points], dtype=float)
    values = np.array([value for _, value in points], dtype=float)
    return np.floor(seconds).astype(np.int64), values


def _by_second(seconds: Ints, total: ArrayLike, bad: ArrayLike) -> Columns:
    """Events in order of time, those of one second together."""
    distinct, first = np.unique(seconds, return_index=True)
    if not len(distinct):
        return Columns(distinct, distinct, distinct)
    sums = (np.add.reduceat(np.asarray(each).astype(np.int64), first) for each in (total, bad))
    return Columns(distinct, *sums)
