"""How large must a deviation be to be rare? The level that is passed once in so much time.

The greatest deviation of each hour is remembered for four weeks. The level that those hourly
maxima pass with a given probability is read from the tail of what is remembered: peaks over a
threshold (Pickands 1975), exponential above it. What is asked is a number of alarms per week, so
that it does not matter how often the metric is sampled.

What was alarmed teaches nothing but that it was there: its hour counts as if it had just reached
the level. What keeps alarming is a new normal: LEARNED such hours are remembered as they were, and
once more, if that is not enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.statistics import Floats

Ints = NDArray[np.int64]

HOUR = np.timedelta64(1, "h")
WEEK = np.timedelta64(7, "D")

REMEMBERED = 672
"""Blocks that are remembered: four weeks of hours."""

LEAST_BLOCKS = 12
"""Before so many blocks are known, there is no level."""

TAIL, LEAST_TAIL = 0.3, 8
"""Share of the maxima that make the tail, and how many do at least."""

RAREST_SHARE = 1 / 168
"""However seldom a metric is sampled, no more than this share of its blocks passes the level."""

QUIET = 12
"""Blocks in a row under the level that end an episode."""

LEARNED = 12
"""After so many blocks with alarms in one episode, it is remembered as it was."""


GROWTH = 1.25
"""What was alarmed counts as at most so many times the level. A metric that alarms more often than
its budget, because its tail is heavier than exponential, is asked for more from week to week."""


def return_level(maxima: Floats, share: float) -> float:
    """The level that a further maximum exceeds with probability ``share``.

    Above the threshold ``u``, which the ``k`` greatest of ``n`` maxima exceed, excesses are taken
    to be exponential with mean ``m``. Their predictive distribution, the mean being known from
    ``k`` excesses only, is ``P(e > y) = (1 + y / (k m))^-k``: the fewer are known, the higher the
    level. Solved for ``P = share * n / k``. Counts and rounded figures, whose maxima are often
    equal, come in steps that hide half a step of each excess.

    Args:
        maxima: At least LEAST_BLOCKS numbers, not negative.
        share: Above 0, less than 1.
    """
    n = len(maxima)
    k = min(max(LEAST_TAIL, int(TAIL * n)), n - 1)
    tail = np.sort(np.partition(maxima, n - k - 1)[n - k - 1 :])
    threshold, gaps = tail[0], np.diff(tail)
    step = gaps[gaps > 0].min() if gaps.any() and not gaps.all() else 0.0
    mean = (tail[1:] - threshold).mean() + step / 2
    rarer = max(k / (n * share), 1.0)
    return float(threshold + k * mean * np.expm1(np.log(rarer) / k))


class Rarity:
    """What is remembered of one kind of deviation, and the level that follows from it."""

    def __init__(self, per_week: float) -> None:
        self._per_week = per_week
        self._maxima = np.empty(0)
        self._true = np.empty(0)
        self._means = np.empty(0)
        self._starts = np.empty(0, dtype="datetime64[h]")
        self._block: tuple[np.datetime64, float, float, int] | None = None
        self._episode, self._alarmed, self._quiet = 0, 0, QUIET + 1
        self.level = np.nan
        self.typical = np.nan

    def follow(self, hours: NDArray[np.datetime64], sizes: Floats) -> tuple[Floats, Floats]:
        """Level and typical size before each sample, learning block by block.

        Args:
            hours: The hour of each sample, never falling.
            sizes: Sizes of the deviations, NaN where unknown.

        Returns:
            NaN where too little is known.
        """
        levels, typical = np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
        if not len(sizes):
            return levels, typical
        starts = np.flatnonzero(np.r_[True, hours[1:] != hours[:-1]])
        known = ~np.isnan(sizes)
        given = np.where(known, sizes, 0.0)
        greatest = np.maximum.reduceat(given, starts)
        total = np.add.reduceat(given, starts)
        count = np.add.reduceat(known.astype(np.int64), starts)
        ends = np.r_[starts[1:], len(sizes)]
        for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
            hour = hours[start]
            if self._block and self._block[0] != hour:
                self._close(*self._block)
                self._block = None
            if count[i]:
                _, most, size, n = self._block or (hour, 0.0, 0.0, 0)
                self._block = (
                    hour,
                    max(most, float(greatest[i])),
                    size + float(total[i]),
                    n + int(count[i]),
                )
            levels[start:end], typical[start:end] = self.level, self.typical
        return levels, typical

    def _close(self, start: np.datetime64, greatest: float, total: float, count: int) -> None:
        """Remember a block that is over."""
        alarmed = bool(greatest >= self.level > 0)  # not where there is no level
        self._quiet = 0 if alarmed else self._quiet + 1
        if self._quiet > QUIET:
            self._episode = self._alarmed = 0
        elif alarmed or self._episode:
            self._episode += 1
            self._alarmed += alarmed
        kept = slice(-REMEMBERED + 1, None)
        known = min(greatest, GROWTH * self.level) if alarmed else greatest
        self._maxima = np.append(self._maxima[kept], known)
        self._true = np.append(self._true[kept], greatest)
        self._means = np.append(self._means[kept], total / count)
        self._starts = np.append(self._starts[kept], start)
        if self._alarmed >= LEARNED:
            self._maxima[-self._episode :] = self._true[-self._episode :]
            self._episode, self._alarmed, self._quiet = 0, 0, QUIET + 1
        if len(self._maxima) >= LEAST_BLOCKS:
            self.typical = float(np.median(self._means))
            apart = max(np.median(np.diff(self._starts)), HOUR)
            share = min(self._per_week * float(apart / WEEK), RAREST_SHARE)
            self.level = return_level(self._maxima, share)
