"""Days on which nobody should wonder that a shop sells nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from agents.data_intelligence.trading_calendar import TradingCalendar

USUALLY_OPEN = 0.8
"""Chance of trade from which a day without any was a day off."""


def known_closures(
    first: date, days: int, named: Collection[date], calendar: TradingCalendar | None
) -> frozenset[date]:
    """The days among some on which the shop is known to be closed.

    A year before it was closed on the same weekday (364 days before: the last Monday of May) or
    on the same date (25 December), though it usually trades on such days.

    Args:
        first: The first day of interest.
        days: How many.
        named: What the policy says.
        calendar: When the shop traded in the past; None when nobody knows.
    """
    found = set(named)
    for day in (first + timedelta(days=n) for n in range(days)):
        if calendar and any(_was_off(before, calendar) for before in _year_before(day)):
            found.add(day)
    return frozenset(found)


def _year_before(day: date) -> tuple[date, ...]:
    same_weekday = day - timedelta(days=364)
    if (day.month, day.day) == (2, 29):
        return (same_weekday,)
    return same_weekday, day.replace(year=day.year - 1)


def _was_off(day: date, calendar: TradingCalendar) -> bool:
    if day < min(calendar.traded) or day in calendar.traded:
        return False
    return calendar.probability(day) >= USUALLY_OPEN
