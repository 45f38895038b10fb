"""Whether a shop's newest orders are what it usually sells at that hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.anomaly_detection.orders.rhythm import Rhythm
from agents.data_intelligence.anomaly_detection.orders.strays import (
    WINDOWS,
    apart_from,
    is_silent,
    shortfalls,
    silences,
)
from agents.data_intelligence.anomaly_detection.orders.usual import BIN_HOURS, Clock
from blocks.store.hours.counts import BIN, Floats, OrderCounts


@dataclass(frozen=True)
class Silence:
    """No order came for longer than chance explains.

    Attributes:
        missed: Orders that should have come since the last one.
        limit: So many may be missing within the budget of false alarms.
        perhaps_closed: None came since before today's hours began, and the shop was closed on
            such days before without anybody having said so.
    """

    missed: float
    limit: float
    perhaps_closed: bool


@dataclass(frozen=True)
class Shortfall:
    """Fewer orders came than chance explains.

    Attributes:
        hours: Within how many hours.
        orders: How many came.
        usual: How many usually do.
        surprise: See ``limits.surprise``.
        limit: So surprising a shortfall may be within the budget.
    """

    hours: int
    orders: float
    usual: float
    surprise: float
    limit: float

    @property
    def share(self) -> float:
        """Of the usual orders that came."""
        return self.orders / self.usual


@dataclass(frozen=True)
class Judgement:
    """How a shop's orders are at the end of a step.

    Attributes:
        at: That end.
        missed: Orders that should have come since the last one.
        silence: When that is too many.
        shortfall: The most surprising one that is too surprising.
    """

    at: datetime
    missed: float
    silence: Silence | None
    shortfall: Shortfall | None


@dataclass(frozen=True, eq=False)
class Judged:
    """All steps of some counts, judged; one row per step.

    Attributes:
        missed: Orders that should have come since the last one.
        silent: Whether that is too many.
        expected: Orders that are usual in the step; zero within a silence that was told.
        surprises: Hours of a window to how surprisingly few orders came in it.
    """

    missed: Floats
    silent: NDArray[np.bool_]
    expected: Floats
    surprises: dict[int, Floats]

    def low(self, rhythm: Rhythm) -> NDArray[np.bool_]:
        """Whether too few came, by any window."""
        over = [self.surprises[hours] > rhythm.shortfall[hours] for hours in WINDOWS]
        return np.asarray(np.logical_or.reduce(over))


def judge_steps(rhythm: Rhythm, counts: OrderCounts, closed: Callable[[date], bool]) -> Judged:
    """Judge every step of some counts by a rhythm that was known before.

    Args:
        rhythm: What is usual.
        counts: Recent orders, ``LOOK_BEHIND`` before those of interest.
        closed: Whether the shop is known not to sell on a day; orders that come all the same
            are welcome.
    """
    expected = rhythm.expected(counts.begin, len(counts.orders), closed) * ~counts.unclear
    missed = silences(counts.orders, expected)
    silent = is_silent(counts.orders, missed, rhythm.silence)
    rest = apart_from(silent, counts.orders, expected)
    surprises = {
        hours: shortfalls(counts.orders, rest, hours, rhythm.low_share) for hours in WINDOWS
    }
    return Judged(missed, silent, rest, surprises)


def judge(rhythm: Rhythm, counts: OrderCounts, closed: Callable[[date], bool]) -> Judgement:
    """Judge the last step of some counts; see ``judge_steps``."""
    judged = judge_steps(rhythm, counts, closed)
    silence = None
    if judged.silent[-1]:
        perhaps = rhythm.shut > 0 and _not_opened_today(rhythm, counts, closed)
        silence = Silence(float(judged.missed[-1]), rhythm.silence, perhaps)
    return Judgement(
        at=counts.begin + len(counts.orders) * BIN,
        missed=float(judged.missed[-1]),
        silence=silence,
        shortfall=None if silence else _worst(rhythm, counts, judged),
    )


def _not_opened_today(rhythm: Rhythm, counts: OrderCounts, closed: Callable[[date], bool]) -> bool:
    """Whether the silence is today's alone: not much was missing when the day began."""
    day = Clock.of(counts.begin, len(counts.orders), rhythm.zone).day
    midnight = int(np.searchsorted(day, day[-1]))
    if counts.orders[midnight:].any() or not midnight:
        return False
    expected = rhythm.expected(counts.begin, midnight, closed)
    return float(silences(counts.orders[:midnight], expected)[-1]) < 0.5 * rhythm.silence


def _worst(rhythm: Rhythm, counts: OrderCounts, judged: Judged) -> Shortfall | None:
    found = []
    for hours in WINDOWS:
        steps = round(hours / BIN_HOURS)
        surprise, limit = float(judged.surprises[hours][-1]), rhythm.shortfall[hours]
        if surprise > limit:
            came = float(counts.orders[-steps:].sum())
            usual = float(judged.expected[-steps:].sum())
            found.append(Shortfall(hours, came, usual, surprise, limit))
    return max(found, key=lambda each: each.surprise - each.limit, default=None)
