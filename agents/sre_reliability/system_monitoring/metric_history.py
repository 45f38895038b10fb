"""Is a metric's last day unlike its days before? A quick check without a model.

Every sample of the last 24 hours is compared with the samples at the same time of day on the days
before it, by median and MAD, so that the daily rhythm is no anomaly and one wild day in the past
moves nothing. Two clocks tell the time of day, the business's own and UTC: customers keep the one
and machines may keep the other, and a sample that is usual by either is usual. They differ only
in the week after clocks were changed. So is what is usual at that time on that day of the week, by
the business's clock, where two such days or more are known: shops have their weekends.

A metric is unusual when several samples in a row are far out, farther than on other days; single
spikes are not worth waking anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.statistics import Floats, robust_deviation
from blocks.formats.sample_times import has_stopped

BUCKET = 15 * 60  # seconds: samples of one quarter of an hour share a baseline
SAME_TIME = 37.5 * 60
"""Seconds that two times of day may be apart to count as the same: half an hour to each side of a
bucket."""

FAR_OUT = 5.0
"""Robust z-score from which a sample is far out. Iglewicz and Hoaglin (1993) use 3.5 for a single
look; here every sample of a day is looked at."""

IN_A_ROW = 3
"""Fewer far-out samples in a row are a spike."""

ORDINARY = 2
"""When so many of the days before were as wild, being wild is the metric's nature."""

LEAST_SPREAD = 0.02  # of the range of all earlier days
LEAST_SHARE = 0.05  # of the value expected

LEAST_BASELINE = 12
"""Fewer earlier samples at that time of day are no baseline."""

DAY, WEEK = 86400, 7 * 86400  # seconds

SAME_WEEKDAYS = 2
"""Earlier weeks without which a day of the week has no baseline of its own."""

RIVALS = 6
"""Earlier days on which being wild makes it the metric's nature: two in a month are two faults."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Unusual:
    """The strongest unusual stretch of the last day.

    Attributes:
        started_at: First far-out sample.
        ended_at: Last one.
        ongoing: Whether it reaches to the newest sample, and samples still come.
        value: The farthest value in it.
        expected: Median at that time of day on the days before.
        z: How many robust standard deviations ``value`` is away from ``expected``.
    """

    started_at: datetime
    ended_at: datetime
    ongoing: bool
    value: float
    expected: float
    z: float

    @property
    def difference(self) -> str:
        """For instance ``138,800,000 instead of about 252,200``."""
        return f"{_figure(self.value)} instead of about {_figure(self.expected)}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def find_unusual(series: pd.DataFrame, now: datetime, zone: str) -> Unusual | None:
    """Check the last day of a metric against the same time on the days before.

    Args:
        series: Frame of contract SERIES with several days of samples, any spacing.
        now: End of the last day; later samples are ignored.
        zone: IANA zone whose clock the business keeps.

    Returns:
        The strongest stretch of at least IN_A_ROW far-out samples of the last day; None when
        there is none, when ORDINARY earlier days had one as strong (some metrics are wild by
        nature), or when there is too little history to tell.
    """
    ordered = series[series["ts"] <= pd.Timestamp(now)].sort_values("ts")
    if ordered.empty:
        return None
    values = ordered["value"].to_numpy(dtype=float)
    days_ago = (pd.Timestamp(now) - ordered["ts"]).dt.days.to_numpy()
    expected, z = _compare(ordered["ts"], values, days_ago == 0, zone)
    strongest = {
        day: _strongest_stretch(z, np.flatnonzero(days_ago == day)) for day in set(days_ago)
    }
    stretch = strongest.pop(0, None)
    if stretch is None:
        return None
    peak = max(stretch, key=lambda i: abs(z[i]))
    rivals = [
        max(abs(z[i]) for i in other) for day, other in strongest.items() if other and day <= RIVALS
    ]
    if sum(rival >= abs(z[peak]) for rival in rivals) >= ORDINARY:
        return None
    times = ordered["ts"].tolist()
    reaches_the_end = stretch[-1] == len(values) - 1
    return Unusual(
        started_at=times[stretch[0]].to_pydatetime(),
        ended_at=times[stretch[-1]].to_pydatetime(),
        ongoing=reaches_the_end and not has_stopped(ordered["ts"], now),
        value=float(values[peak]),
        expected=float(expected[peak]),
        z=float(z[peak]),
    )


def _compare(ts: pd.Series[Any], values: Floats, recent: Flags, zone: str) -> tuple[Floats, Floats]:
    """What is expected of each sample, and how many deviations it is away, by the kindest clock."""
    local, utc = _seconds(ts.dt.tz_convert(zone)), _seconds(ts)
    expected, z = _by(local % DAY, DAY, values, recent, LEAST_BASELINE)
    least = SAME_WEEKDAYS * _in_a_window(ts)
    for clock, period, enough in (
        (utc % DAY, DAY, LEAST_BASELINE),
        (local % WEEK, WEEK, max(LEAST_BASELINE, least)),
    ):
        its, its_z = _by(clock, period, values, recent, enough)
        kinder = np.isnan(z) | (np.abs(its_z) < np.abs(z))
        expected, z = np.where(kinder, its, expected), np.where(kinder, its_z, z)
    return expected, z


def _by(
    clock: Ints, period: int, values: Floats, recent: Flags, least: int
) -> tuple[Floats, Floats]:
    expected, spread = _baseline(clock, period, values, recent, least)
    return expected, (values - expected) / spread


def _seconds(ts: pd.Series[Any]) -> Ints:
    """Seconds on the clock of the times' own zone, from the midnight of a Thursday on."""
    clock: Ints = ts.dt.tz_localize(None).to_numpy(dtype="datetime64[s]").astype(np.int64)
    return clock


def _in_a_window(ts: pd.Series[Any]) -> int:
    """How many samples one day has around a time of day; nine in ten of them must be there."""
    gap = ts.diff().dt.total_seconds().median()
    return int(0.9 * 2 * SAME_TIME / gap) if gap > 0 else LEAST_BASELINE


def _baseline(
    clock: Ints, period: int, values: Floats, recent: Flags, least_samples: int
) -> tuple[Floats, Floats]:
    """For each sample, median and robust standard deviation of the earlier days at its time.

    NaN where there are too few earlier samples at that time.
    """
    expected = np.full(len(values), np.nan)
    spread = expected.copy()
    earlier = values[~recent]
    if not len(earlier):
        return expected, spread
    # A time of day that happened to be flat must not make an everyday wobble a sensation.
    least = max(LEAST_SPREAD * float(np.ptp(earlier)), 1e-9)
    for bucket in np.unique(clock // BUCKET):
        apart = np.abs(clock[~recent] - (bucket * BUCKET + BUCKET / 2))
        near = earlier[np.minimum(apart, period - apart) <= SAME_TIME]
        if len(near) >= least_samples:
            here = clock // BUCKET == bucket
            expected[here] = np.median(near)
            spread[here] = max(robust_deviation(near), least, LEAST_SHARE * abs(expected[here][0]))
    return expected, spread


def _strongest_stretch(z: Floats, where: Ints) -> list[int] | None:
    """Of the samples ``where`` (one day's, in order), the far-out stretch with the highest peak.

    None when no stretch is long enough. A sample without a baseline (NaN) ends a stretch.
    """
    stretches: list[list[int]] = [[]]
    for i in where:
        if abs(z[i]) > FAR_OUT:
            stretches[-1].append(int(i))
        elif stretches[-1]:
            stretches.append([])
    long_enough = [stretch for stretch in stretches if len(stretch) >= IN_A_ROW]
    return max(long_enough, key=lambda s: max(abs(z[i]) for i in s), default=None)
