"""When the shop trades, learned from when it traded.

No weekday is assumed: a shop may rest on Saturdays, or trade on a single one in two years, and
may close for two weeks at Christmas. Everything here that speaks of a missing day, an expected
day or "the same weekday before" goes through this calendar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.errors import EmptySource
from blocks.vocabulary.frames import Snapshot

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

LEARNING_WEEKS = 26
"""How far back the weekday probabilities look: half a year forgets an old opening day, and
outlasts a season of bank holidays."""

TYPICAL_WEEKS = 8
"""Typical revenue is that of so many weeks: long enough for a median, short enough for the season.
"""

CLOSURE_DAYS = 3
"""This many expected trading days missing in a row are a closure, not chance."""


@dataclass(frozen=True)
class Closure:
    """A stretch of days, both ends included, on which the shop did not trade though expected to."""

    first: date
    last: date


@dataclass(frozen=True)
class TradingCalendar:
    """When the shop trades.

    Attributes:
        probabilities: Chance that the shop trades on a Monday, ..., Sunday, outside closures.
        traded: The days on which it did trade.
        closures: Stretches that are left out of the probabilities, oldest first.
    """

    probabilities: tuple[float, ...]
    traded: frozenset[date]
    closures: tuple[Closure, ...]

    @classmethod
    def learn(cls, days: Iterable[date], weeks: int = LEARNING_WEEKS) -> TradingCalendar:
        """Learn from the days on which the shop traded.

        First the weekdays are counted over the last ``weeks`` weeks, which tells closures from
        ordinary gaps; then they are counted again without the closures.

        Raises:
            EmptySource: No day at all.
        """
        traded = frozenset(days)
        if not traded:
            raise EmptySource(
                "There is no trading day to learn from.", hint="Check that sales are recorded."
            )
        last = max(traded)
        start = max(min(traded), last - timedelta(days=7 * weeks - 1))
        window = _days(start, last)
        first_count = cls(_count(window, traded, frozenset()), traded, ())
        closures = first_count._find_closures(min(traded), last)
        shut = frozenset(day for c in closures for day in _days(c.first, c.last))
        return cls(_count(window, traded, shut), traded, closures)

    @property
    def last(self) -> date:
        """The last day on which the shop traded."""
        return max(self.traded)

    @property
    def days_per_week(self) -> float:
        """Expected trading days in a week without a closure."""
        return sum(self.probabilities)

    def probability(self, day: date) -> float:
        """Chance that the shop trades on that day."""
        return self.probabilities[day.weekday()]

    def closed(self, day: date) -> bool:
        """Whether the day lies in a closure."""
        return any(c.first <= day <= c.last for c in self.closures)

    def missing(self, first: date, last: date, at_least: float = 0.8) -> list[date]:
        """Days from first to last without a trade though its chance is ``at_least``."""
        return [
            day
            for day in _days(first, last)
            if day not in self.traded and self.probability(day) >= at_least
        ]

    def closed_a_year_before(self, day: date) -> bool:
        """Whether the shop was closed within three days of the same day a year (364 days) ago."""
        year_ago = day - timedelta(days=364)
        reach = timedelta(days=3)
        return any(c.first - reach <= year_ago <= c.last + reach for c in self.closures)

    def _find_closures(self, first: date, last: date) -> tuple[Closure, ...]:
        closures: list[Closure] = []
        days = sorted(day for day in self.traded if first <= day <= last)
        for before, after in pairwise(days):
            gap = _days(before + timedelta(days=1), after - timedelta(days=1))
            if sum(self.probability(day) >= 0.5 for day in gap) >= CLOSURE_DAYS:
                closures.append(Closure(gap[0], gap[-1]))
        return tuple(closures)


def local_day(instant: datetime, timezone: str) -> date:
    """The store's own date at an instant."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def weekdays(series: pd.Series[float]) -> NDArray[np.intp]:
    """Weekday (Monday = 0) of each entry of a series that is indexed by date."""
    return np.asarray(pd.DatetimeIndex(series.index).day_of_week, dtype=np.intp)


def completed(frame: pd.DataFrame, today: date) -> pd.DataFrame:
    """The rows of a frame with a ``date`` whose day is over: today is still being sold."""
    if frame["date"].is_monotonic_increasing:
        return frame.iloc[: frame["date"].searchsorted(pd.Timestamp(today))]
    return frame[frame["date"] < pd.Timestamp(today)]


def since(frame: pd.DataFrame, first: date) -> pd.DataFrame:
    """The rows of a frame with a ``date`` from the first day on.

    Sales have millions of rows, and are mostly sorted by day: then nothing is copied.
    """
    if frame["date"].is_monotonic_increasing:
        return frame.iloc[frame["date"].searchsorted(pd.Timestamp(first)) :]
    return frame[frame["date"] >= pd.Timestamp(first)]


@dataclass(frozen=True)
class TradingHistory:
    """The completed trading days of a snapshot.

    Attributes:
        today: The store's date now; its own sales are left out.
        orders: ORDERS frame of the days before today, sorted by date, at least one row.
        calendar: Learned from those days.
    """

    today: date
    orders: pd.DataFrame
    calendar: TradingCalendar

    @classmethod
    def of(cls, snapshot: Snapshot, now: datetime) -> TradingHistory:
        """Read a snapshot's trading days.

        Raises:
            ContractViolation: The snapshot has no orders frame.
            EmptySource: No trading day is over yet.
        """
        (orders,) = snapshot.need("orders")
        today = local_day(now, snapshot.timezone)
        done = completed(orders, today).sort_values("date", ignore_index=True)
        # A day on which only returns were booked is not a trading day.
        done = done[done["orders"] > 0].reset_index(drop=True)
        if done.empty:
            raise EmptySource(
                f"orders: no completed trading day before {today} ({len(orders)} rows).",
                hint="Check the dates in the store, or its time zone.",
            )
        return cls(today, done, TradingCalendar.learn(done["date"].dt.date))

    @property
    def first(self) -> date:
        """The first trading day that is known."""
        return min(self.calendar.traded)

    @property
    def last(self) -> date:
        """The last completed trading day."""
        return self.calendar.last

    def days_known(self, most: int) -> int:
        """How many of the ``most`` calendar days before today the history covers; at least one."""
        return min(most, (self.today - self.first).days)

    def reaches(self, day: date) -> bool:
        """Whether the history goes back to that day, or to the first usual trading day after it."""
        before = _days(day, self.first - timedelta(days=1))
        return not any(self.calendar.probability(each) >= 0.5 for each in before)

    @property
    def typical_revenue_per_trading_day(self) -> float:
        """Median revenue of the trading days of the last eight weeks, in money."""
        first = self.last - timedelta(days=7 * TYPICAL_WEEKS - 1)
        return float(since(self.orders, first)["revenue"].median())

    @property
    def typical_revenue_per_day(self) -> float:
        """The same per calendar day: times the share of days on which the shop trades."""
        return self.typical_revenue_per_trading_day * self.calendar.days_per_week / 7


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def _count(window: list[date], traded: frozenset[date], shut: frozenset[date]) -> tuple[float, ...]:
    open_days = [day for day in window if day not in shut]
    weekdays = np.array([day.weekday() for day in open_days])
    hits = np.array([day in traded for day in open_days], dtype=float)
    seen = np.bincount(weekdays, minlength=7)
    traded_on = np.bincount(weekdays, weights=hits, minlength=7)
    # A weekday that never came up yet (less than a week of history) takes the overall rate.
    overall = float(hits.mean())
    return tuple(float(k / n) if n else overall for k, n in zip(traded_on, seen, strict=True))
