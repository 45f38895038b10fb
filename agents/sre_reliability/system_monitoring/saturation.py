"""When will a disk be full? A robust trend with its uncertainty, and what is no trend at all.

Three readings, from the longest past to the shortest:

* **The season of a day.** Samples are compared with those at the same time on other days (Hirsch,
  Slack and Smith 1982, Water Resources Research 18:107: the seasonal form of Sen's slope), so that
  what grows only by day, or in a jump each night, has its daily rate.
* **Teeth.** What is emptied again and again (logs that are rotated) grows as its peaks do, however
  steep a tooth is, until a tooth outgrows the earlier ones.
* **The last hour.** What has risen without a break for an hour, unlike on other days, is told by
  that hour's rate.

How long it takes is uncertain in two ways: the rate is an estimate from ``n`` days, and coming days
differ from it as past ones did. With the standard deviation ``s`` of a day's growth, the growth
within ``t`` days has the variance ``s² t + s² t² / n``; the bounds are where its 10% and 90% limits
reach the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from agents.statistics import Floats, robust_deviation, theil_sen

FULL = 100.0

Z = 1.28
"""Of a normal distribution 80% lies within so many standard deviations."""

LEAST_DAYS = 2.0
"""Days of samples without which there is no daily rate."""

LATELY = 7.0
"""Days whose rate counts instead, when it is surely faster than that of all days."""

SURE = 2.0
"""A rate is one when it is so many of its own standard deviations above none."""

UNLIKE = 1 / 3
"""Share of the rate by which coming days are taken to differ from it at least. Assumed: what was
even so far need not stay so."""

TOOTH = 3.0
"""Percentage points that a level falls, within three hours, when something is emptied ..."""

ROUGH = 6.0
"""... and so many times what it changes from hour to hour, when that is more."""

FALL = 3  # hours over which a fall is looked for
OUTGROWN = 2.0
"""Percentage points above all earlier peaks: then a tooth is not cut as they were."""

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

FAST_WITHIN = 0.5
"""Days. A rise of one hour says nothing about next week."""

STEP = 300.0  # seconds: of the last hour, samples of so long share a median
STILL = 1 / 3
"""Of the hour's rate each quarter of it must show so much: else it was a burst, or is over."""

USUAL = 0.5
"""A rise is of every day when at least two earlier days had this much of it at the same time."""

LONGEST = 3650.0  # days: later than in ten years is never


@dataclass(frozen=True)
class Forecast:
    """When something is full.

    Attributes:
        level: Percent used now.
        per_day: Percentage points that are added in a day.
        days: Days until it is full at that rate.
        earliest: The lower bound of ``days``; one time in ten it is sooner.
        latest: The upper bound; None when it may as well never be full.
        known_days: Days of samples that the rate is drawn from.
    """

    level: float
    per_day: float
    days: float
    earliest: float
    latest: float | None
    known_days: float

    @property
    def said(self) -> str:
        """``full in 3 days (2 to 5)``."""
        if self.latest is None:
            return f"full in {_span(self.days)} ({_span(self.earliest)} at the earliest)"
        unit, one = _unit(self.days)
        low, high = self.earliest * one, self.latest * one
        return f"full in {_span(self.days)} ({_figure(low)} to {_figure(high)} {unit})"


def forecast_full(series: Sequence[tuple[datetime, float]], now: datetime) -> Forecast | None:
    """When a level reaches 100 percent.

    Args:
        series: Percent used, in order of time, some days of samples up to ``now``.
        now: The instant of the question.

    Returns:
        The soonest that the trends tell; None where nothing grows, where it is full already, or
        where too little of its past is known.
    """
    if len(series) < 3 or series[-1][1] >= FULL:
        return None
    days = np.array([(at - now) / DAY for at, _ in series])
    levels = np.array([value for _, value in series])
    hours, by_hour = _medians(days, levels, HOUR / DAY)
    cuts = _cuts(by_hour)
    peaks = _peaks(by_hour, cuts)
    if len(cuts) >= 2 and levels[-1] <= peaks.max() + OUTGROWN:
        return _from_peaks(hours, by_hour, cuts)
    since = hours[cuts[-1]] if len(cuts) else hours[0]
    own = hours >= since
    trend = _daily(hours[own], by_hour[own])
    rush = _fast(days[days >= since], levels[days >= since])
    if rush is not None and _of_every_day(hours, by_hour):
        rush = None
    return min(filter(None, (trend, rush)), key=lambda found: found.days, default=None)


def _daily(hours: Floats, levels: Floats) -> Forecast | None:
    """By samples at the same time of day; by the last few days, if they are surely faster."""
    rates = [_rate(hours, levels)]
    lately = hours >= hours[-1] - LATELY
    rates.append(_rate(hours[lately], levels[lately]))
    known = [rate for rate in rates if rate is not None]
    if not known:
        return None
    rate = known[0]
    if known[-1].value - Z * known[-1].error > rate.value:
        rate = known[-1]
    return _until_full(levels[-1], rate)


@dataclass(frozen=True)
class _Rate:
    """Points a day, the standard deviation of one day's, and the days that it is drawn from."""

    value: float
    deviation: float
    days: float

    @property
    def error(self) -> float:
        return self.deviation / float(np.sqrt(self.days))


def _rate(hours: Floats, levels: Floats) -> _Rate | None:
    known = float(hours[-1] - hours[0])
    if known < LEAST_DAYS:
        return None
    i, j = np.triu_indices(len(hours), k=1)
    apart = hours[j] - hours[i]
    whole = np.round(apart)
    same = (whole >= 1) & (np.abs(apart - whole) < HOUR / DAY / 2)
    slopes = (levels[j] - levels[i])[same] / apart[same]
    steps = slopes[whole[same] == 1]
    if len(steps) < 12:  # half a day of samples that have one a day before
        return None
    return _Rate(float(np.median(slopes)), float(np.std(steps)), known)


def _from_peaks(hours: Floats, levels: Floats, cuts: Sequence[int]) -> Forecast | None:
    """By the peaks of what is emptied again and again."""
    ends = [*cuts, len(levels)]
    starts = [0, *cuts]
    tops = [
        start + int(np.argmax(levels[start:end])) for start, end in zip(starts, ends, strict=True)
    ]
    # The first tooth may have begun before the samples do, and the last has not ended: its top is
    # known only once it is higher than the others.
    at, peaks = hours[tops[:-1]], levels[tops[:-1]]
    if len(peaks) < 3 or at[-1] - at[0] < LEAST_DAYS:
        return None
    slope = theil_sen(peaks, at)
    if not slope.significant or slope.value <= 0:
        return None
    noise = robust_deviation(peaks - slope.value * at)
    # A peak's own deviation stands for that of a day: it is all that is known of it.
    return _until_full(float(peaks[-1]), _Rate(slope.value, noise, float(at[-1] - at[0])))


def _fast(days: Floats, levels: Floats) -> Forecast | None:
    """By the last hour, if it rose without a break and would be full within hours."""
    recent = days >= -HOUR / DAY
    if not recent.any() or days[0] > -0.95 * (HOUR / DAY):
        return None
    at, steps = _medians(days[recent], levels[recent], STEP / DAY.total_seconds())
    if len(at) < 8:
        return None
    slope = theil_sen(steps, at)
    quarters = np.interp(at[-1] - np.arange(4, -1, -1) * (HOUR / DAY / 4), at, steps)
    if slope.low <= 0 or np.diff(quarters).min() < STILL * slope.value * (HOUR / DAY / 4):
        return None
    gap = FULL - float(levels[-1])
    if gap / slope.value > FAST_WITHIN:
        return None
    return Forecast(
        level=float(levels[-1]),
        per_day=slope.value,
        days=gap / slope.value,
        earliest=gap / slope.high,
        latest=gap / slope.low,
        known_days=HOUR / DAY,
    )


def _of_every_day(hours: Floats, levels: Floats) -> bool:
    """Whether the last hours' rise came on other days at that time as well."""
    rise = levels[-1] - levels[-min(3, len(levels))]
    found = 0
    for day in range(1, int(-hours[0]) + 1):
        there = np.abs(hours + day - hours[-1]) <= 2.5 * (HOUR / DAY)
        if there.sum() >= 3 and np.ptp(np.maximum.accumulate(levels[there])) >= USUAL * rise:
            found += 1
    return found >= 2


def _until_full(level: float, rate: _Rate) -> Forecast | None:
    """The trend as a forecast; None when it may as well be none."""
    if rate.value <= max(0.0, SURE * rate.error):
        return None
    gap = FULL - level
    days = gap / rate.value
    if days > LONGEST:
        return None
    return Forecast(
        level=level,
        per_day=rate.value,
        days=days,
        earliest=_reached(gap, rate, Z) or 0.0,
        latest=_reached(gap, rate, -Z),
        known_days=rate.days,
    )


def _reached(gap: float, rate: _Rate, z: float) -> float | None:
    """Days after which the growth, with ``z`` deviations more, fills the gap; None: never."""
    spread = z * max(rate.deviation, UNLIKE * rate.value)

    def grown(days: float) -> float:
        return float(rate.value * days + spread * np.sqrt(days + days**2 / rate.days))

    low, high = 0.0, LONGEST
    if grown(high) < gap:
        return None
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if grown(middle) < gap else (low, middle)
    return high


def _cuts(levels: Floats) -> list[int]:
    """Where something was emptied: the index of the first low sample after each fall."""
    if len(levels) < 2:
        return []
    deep = max(TOOTH, ROUGH * robust_deviation(np.diff(levels)))
    cuts, i = [], 0
    while i < len(levels) - 1:
        ahead = levels[i + 1 : i + 1 + FALL]
        if levels[i] - ahead.min() >= deep:
            i += 1 + int(np.argmin(ahead))
            cuts.append(i)
        else:
            i += 1
    return cuts


def _peaks(levels: Floats, cuts: Sequence[int]) -> Floats:
    """The highest level before each cut."""
    starts = [0, *cuts]
    return np.array([levels[a:b].max() for a, b in zip(starts, cuts, strict=False)] or [-np.inf])


def _medians(days: Floats, levels: Floats, width: float) -> tuple[Floats, Floats]:
    """The median of each stretch of ``width`` days that has samples, and its middle."""
    stretch = np.floor(days / width).astype(int)
    starts = np.flatnonzero(np.r_[True, np.diff(stretch) != 0])
    values = np.array([np.median(part) for part in np.split(levels, starts[1:])])
    return (stretch[starts] + 0.5) * width, values


def _unit(days: float) -> tuple[str, float]:
    return ("hours", 24.0) if days < 2 else ("days", 1.0)


def _span(days: float) -> str:
    unit, one = _unit(days)
    figure = _figure(days * one)
    return f"{figure} {unit[:-1] if figure == '1' else unit}"


def _figure(value: float) -> str:
    return "less than 1" if value < 0.5 else f"{value:.0f}"
