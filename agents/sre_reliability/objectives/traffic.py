"""What happened second by second, and exact sums over any window of it.

Everything is whole numbers: sums over thirty days are as exact as those over a minute.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blocks.errors import InvalidMessage

Ints = NDArray[np.int64]

MAX_COUNT = 2**40
"""Events of one second; more is a slip, and sums must fit 63 bits."""


class Bucket(NamedTuple):
    """What happened in one second.

    Attributes:
        second: Seconds since 1970, UTC.
        total: Events of that second.
        bad: How many of them were bad.
    """

    second: int
    total: int
    bad: int


class Columns(NamedTuple):
    """Many buckets: their seconds, which rise, and what happened in each."""

    seconds: Ints
    total: Ints
    bad: Ints


class Sums(NamedTuple):
    """What a window holds.

    Attributes:
        total: Events.
        bad: How many of them were bad.
        known: Seconds of the window that something is known of, quiet ones included.
    """

    total: int
    bad: int
    known: int


class Traffic:
    """Buckets in order of time, with running sums, so that a window costs two look-ups.

    A bucket speaks for the seconds from its own to the next bucket's, at most ``holds``: when
    nobody looked for longer, the rest is missing history. What lies before the first bucket is.

    Args:
        holds: Seconds that a bucket speaks for; None: until the next, however long that takes.
            That is right where every event is seen, so that silence means that none happened.
    """

    def __init__(self, *, holds: int | None = None) -> None:
        self._holds = holds
        self._seconds = array("q")
        # The sums before each bucket, and one more: after the last.
        self._total, self._bad = array("q", [0]), array("q", [0])
        self._known = array("q")

    @classmethod
    def of(cls, columns: Columns, *, holds: int | None = None) -> Traffic:
        """What many buckets make up; quicker than adding each."""
        made = cls(holds=holds)
        if len(columns.seconds):
            spoken = np.diff(columns.seconds)
            made._seconds = _array(columns.seconds)
            made._total = _array(_sums_before(columns.total))
            made._bad = _array(_sums_before(columns.bad))
            made._known = _array(
                _sums_before(spoken if holds is None else np.minimum(spoken, holds))
            )
        return made

    @property
    def first(self) -> int | None:
        """The second of the first bucket; None when there is none."""
        return self._seconds[0] if self._seconds else None

    @property
    def last(self) -> int | None:
        """The second of the last bucket; None when there is none."""
        return self._seconds[-1] if self._seconds else None

    def add(self, bucket: Bucket) -> None:
        """Count events in their second, in whatever order they come.

        Raises:
            InvalidMessage: The counts cannot be meant.
        """
        second, total, bad = bucket
        if not 0 <= bad <= total <= MAX_COUNT:
            raise InvalidMessage(
                f"second {second}: {bad} bad of {total} events cannot be.",
                hint=f"Count from 0 to {MAX_COUNT}, and no more bad ones than there are.",
            )
        place = bisect_left(self._seconds, second)
        if place == len(self._seconds):
            if self._seconds:
                self._known.append(self._known[-1] + self._spoken_for(place - 1, second))
            else:
                self._known.append(0)
            self._seconds.append(second)
            self._total.append(self._total[-1] + total)
            self._bad.append(self._bad[-1] + bad)
            return
        if self._seconds[place] != second:
            self._insert(place, second)
        for after in range(place + 1, len(self._total)):
            self._total[after] += total
            self._bad[after] += bad

    def window(self, at: int, length: int) -> Sums:
        """The sums over the ``length`` seconds that end with the second ``at``."""
        seconds = self._seconds
        end = bisect_right(seconds, at)
        start = bisect_right(seconds, at - length, 0, end)
        return Sums(
            self._total[end] - self._total[start],
            self._bad[end] - self._bad[start],
            self._known_until(at, end) - self._known_until(at - length, start),
        )

    def bad_in(self, at: int, length: int) -> int:
        """The bad events of a window."""
        end = bisect_right(self._seconds, at)
        return self._bad[end] - self._bad[bisect_right(self._seconds, at - length, 0, end)]

    def forget(self, before: int) -> None:
        """Let go of what no window that begins at ``before`` or later needs."""
        # The one before it stays: it may speak for the first seconds of such a window.
        keep = bisect_right(self._seconds, before) - 1
        if keep < len(self._seconds) // 2:
            return  # moving up what stays costs as much as it is: rarely, then
        for kept in (self._seconds, self._total, self._bad, self._known):
            del kept[:keep]

    def _insert(self, place: int, second: int) -> None:
        """Make room for a second between those that are there; nothing happened in it yet."""
        self._seconds.insert(place, second)
        self._total.insert(place, self._total[place])
        self._bad.insert(place, self._bad[place])
        self._known.insert(place, 0)
        if place == 0:
            self._known[0] = 0
        for i in range(max(place, 1), len(self._seconds)):
            self._known[i] = self._known[i - 1] + self._spoken_for(i - 1, self._seconds[i])

    def _known_until(self, second: int, end: int) -> int:
        """Known seconds up to ``second``; ``end`` buckets lie so far."""
        if end == 0:
            return self._known[0] if self._known else 0
        return self._known[end - 1] + self._spoken_for(end - 1, second + 1)

    def _spoken_for(self, place: int, until: int) -> int:
        """Seconds that a bucket speaks for before the second ``until``."""
        seconds = until - self._seconds[place]
        return seconds if self._holds is None else min(seconds, self._holds)


def _sums_before(numbers: Ints) -> Ints:
    """The sum of what comes before each number, and of all."""
    return np.concatenate(([0], np.cumsum(numbers, dtype=np.int64)))


def _array(numbers: Ints) -> array[int]:
    return array("q", numbers.astype(np.int64).tobytes())
