"""What a shop usually sells at each hour of the week, as it could be known at the time.

The rate of an hour of the week is a mean over past weeks in which what is three weeks old counts
half, drawn towards what the hour and the weekday say by themselves as long as few weeks are known;
then it is moved to the level of the last two weeks. Days on which the shop did not open at all are
left out: they would halve what comes after them, and a stop that lasted a day must not teach that
silence is usual.

Everything is causal: what was usual in a week follows from the weeks before it alone. So the
shop's past tells how far its orders stray from what one could have expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.store.hours.counts import BIN, Floats, OrderCounts

HOURS = 168
"""Of a week; hour 0 is that from midnight to one on Monday, on the store's clock."""

BIN_HOURS = BIN / timedelta(hours=1)

HALF_LIFE_WEEKS = 3.0
LEVEL_DAYS = 14
LEVEL_PRIOR = 25.0
"""Orders by which the level of the last two weeks is drawn towards that of the weeks before."""

PRIOR_HOURS = 1.0
"""Hours' worth of weight of what an hour and a weekday say by themselves."""

FIRST_WEEKS = 3
"""Weeks before which nothing is called usual."""

CLOSED_BELOW = 6.0
"""From so many usual orders on, a day without any was a day on which the shop did not open."""


@dataclass(frozen=True, eq=False)
class Clock:
    """Where steps of time lie on the store's clock.

    Attributes:
        hour: Hour of the week of each step.
        day: Days since 1970-01-01 of each step's local date.
    """

    hour: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, begin: datetime, steps: int, zone: ZoneInfo) -> Clock:
        """The steps of five minutes from ``begin`` on."""
        times = pd.date_range(begin, periods=steps, freq=BIN).tz_convert(zone)
        local = times.tz_localize(None)
        days = (local.normalize() - pd.Timestamp(0)).days.to_numpy().astype(np.int64)
        # 1970-01-01 was a Thursday.
        hour = (days + 3) % 7 * 24 + local.hour.to_numpy().astype(np.int64)
        return cls(hour, days)


@dataclass(frozen=True, eq=False)
class Usual:
    """What could have been expected of each step of the past, and what is of the time to come.

    Attributes:
        clock: Of the past's steps.
        expected: Orders expected in each step of the past; NaN before enough weeks were known,
            zero on days on which the shop did not open.
        rates: Orders per hour that are usual now, by hour of the week.
        money: Revenue per hour that is usual now, by hour of the week.
        shut: Days of the past on which it did not open though it was expected to, as numbers.
        weeks: Weeks that are known.
    """

    clock: Clock
    expected: Floats
    rates: Floats
    money: Floats
    shut: frozenset[int]
    weeks: int


def usual(counts: OrderCounts, zone: ZoneInfo) -> Usual:
    """What is usual, from all that is known of a shop's orders.

    Args:
        counts: Its past, at least one step.
        zone: The store's.
    """
    clock = Clock.of(counts.begin, len(counts.orders), zone)
    shut = _shut(counts.orders, clock)
    open_ = ~np.isin(clock.day, sorted(shut)) & ~counts.unclear
    week = (clock.day + 3) // 7
    week -= week[0]
    weeks = int(week[-1]) + 1
    rates = _causal(counts.orders, open_, clock, week, weeks)
    plain = rates[week, clock.hour] * BIN_HOURS * open_
    days = clock.day - clock.day[0]
    level = _levels(counts.orders * open_, plain, days)
    money = _causal(_tamed(counts, clock), open_, clock, week, weeks)[-1]
    return Usual(
        clock=clock,
        expected=plain * level[days],
        rates=np.nan_to_num(rates[-1]) * level[-1],
        money=np.nan_to_num(money) * level[-1],
        shut=shut,
        weeks=weeks,
    )


def _shut(orders: Floats, clock: Clock) -> frozenset[int]:
    """Days without an order on weekdays that usually have several."""
    first = clock.day[0]
    totals = np.bincount(clock.day - first, weights=orders)
    days = np.arange(len(totals)) + first
    weekday = (days + 3) % 7
    found: set[int] = set()
    for each in range(7):
        same = weekday == each
        if same.any() and np.median(totals[same]) >= CLOSED_BELOW:
            found |= {int(day) for day in days[same & (totals == 0)]}
    # The first and the last day may be known in part only.
    return frozenset(found - {int(days[0]), int(days[-1])})


def _causal(
    values: Floats, open_: NDArray[np.bool_], clock: Clock, week: NDArray[np.int64], weeks: int
) -> Floats:
    """Values per hour, by week and hour of the week, each from the weeks before; one row more."""
    cells = week * HOURS + clock.hour
    sums = np.bincount(cells, weights=values * open_, minlength=weeks * HOURS)
    hours = np.bincount(cells, weights=open_ * BIN_HOURS, minlength=weeks * HOURS)
    sums, hours = sums.reshape(weeks, HOURS), hours.reshape(weeks, HOURS)
    keep = 0.5 ** (1 / HALF_LIFE_WEEKS)
    found = np.full((weeks + 1, HOURS), np.nan)
    total, exposure = np.zeros(HOURS), np.zeros(HOURS)
    for at in range(weeks + 1):
        if at >= FIRST_WEEKS:
            prior = _by_hour_and_weekday(total, exposure)
            found[at] = (total + PRIOR_HOURS * prior) / (exposure + PRIOR_HOURS)
        if at < weeks:
            total, exposure = total * keep + sums[at], exposure * keep + hours[at]
    return found


def _by_hour_and_weekday(total: Floats, exposure: Floats) -> Floats:
    """What the hour of the day and the weekday say, were they independent of each other."""
    sums, hours = total.reshape(7, 24), exposure.reshape(7, 24)
    overall = sums.sum() / max(hours.sum(), 1e-9)
    if overall <= 0:
        return np.zeros(HOURS)
    by_hour = sums.sum(axis=0) / np.maximum(hours.sum(axis=0), 1e-9)
    by_day = sums.sum(axis=1) / np.maximum(hours.sum(axis=1), 1e-9)
    return np.asarray(np.maximum(np.outer(by_day, by_hour) / overall, 0.0)).ravel()


def _levels(orders: Floats, plain: Floats, days: NDArray[np.int64]) -> Floats:
    """Each day's level: what came in the two weeks before over what was expected; one day more."""
    known = np.isfinite(plain)
    seen = np.bincount(days, weights=np.where(known, orders, 0.0))
    wanted = np.bincount(days, weights=np.where(known, plain, 0.0))
    seen, wanted = (np.concatenate([[0.0], np.cumsum(each)]) for each in (seen, wanted))
    before = np.maximum(np.arange(len(seen)) - LEVEL_DAYS, 0)
    return np.asarray((seen - seen[before] + LEVEL_PRIOR) / (wanted - wanted[before] + LEVEL_PRIOR))


def _tamed(counts: OrderCounts, clock: Clock) -> Floats:
    """Revenue without what a single huge order would make of its hour for weeks.

    No day counts for more than three times the median day that had any: the rest of such a day
    is cut in proportion. Money is a mean all the same, and not a median: an hour that brings
    1,000 every other week costs 500 when it is lost.
    """
    days = clock.day - clock.day[0]
    totals = np.bincount(days, weights=counts.revenue)
    earning = totals[totals > 0]
    if not len(earning):
        return np.zeros_like(counts.revenue)
    most = 3 * float(np.median(earning))
    share = np.where(totals > most, most / np.maximum(totals, 1e-9), 1.0)
    return np.asarray(counts.revenue * share[days])
