"""Is a metric's last day unlike its days before? A quick check without a model.

Every sample of the last day is compared with the samples at the same time of day on the days
before it, by median and MAD, so that the daily rhythm is no anomaly and one wild day in the past
moves nothing. A metric is unusual when several samples in a row are far out; single spikes are
not worth waking anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

RECENT_HOURS = 24
SAME_TIME_MINUTES = 30
"""How far apart two times of day may be to count as the same."""

FAR_OUT = 5.0
"""Robust z-score from which a sample is far out. Iglewicz and Hoaglin (1993) use 3.5 for a single
look; here every sample of a day is looked at. On the AWS streams of the Numenta Anomaly
Benchmark, 5 with three in a row flags one unlabelled metric-day in eight, 3.5 one in five."""

IN_A_ROW = 3
LEAST_BASELINE = 12
"""Fewer earlier samples at that time of day are no baseline."""

_NORMAL_MAD = 1.4826  # MAD times this is the standard deviation of normal data


@dataclass(frozen=True)
class Unusual:
    """The longest unusual stretch of the last day.

    Attributes:
        started_at: First far-out sample.
        ended_at: Last one.
        ongoing: Whether it reaches to the newest sample.
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


def find_unusual(series: pd.DataFrame) -> Unusual | None:
    """Check the last day of a metric against the same time on the days before.

    Args:
        series: Frame of contract SERIES with several days of samples, any spacing.

    Returns:
        The longest stretch of at least IN_A_ROW far-out samples; None when there is none, or
        when there is too little history to tell.
    """
    ordered = series.sort_values("ts")
    seconds = ordered["ts"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    values = ordered["value"].to_numpy(dtype=float)
    if not len(values):
        return None
    recent = seconds > seconds[-1] - RECENT_HOURS * 3600
    expected, spread = _baseline(seconds, values, recent)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (values[recent] - expected) / spread
    far_out = np.abs(np.nan_to_num(z, nan=0.0, posinf=np.inf, neginf=-np.inf)) > FAR_OUT
    stretch = _longest_run(far_out)
    if stretch is None:
        return None
    first, last = stretch
    worst = first + int(np.argmax(np.abs(z[first : last + 1])))
    times = ordered.loc[recent, "ts"].tolist()
    return Unusual(
        started_at=times[first].to_pydatetime(),
        ended_at=times[last].to_pydatetime(),
        ongoing=last == len(far_out) - 1,
        value=float(values[recent][worst]),
        expected=float(expected[worst]),
        z=float(z[worst]),
    )


def _baseline(
    seconds: np.ndarray, values: np.ndarray, recent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust standard deviation for each recent sample; NaN without a baseline."""
    earlier = values[~recent]
    apart = np.abs((seconds[recent][:, None] - seconds[~recent][None, :]) % 86400)
    same_time = np.minimum(apart, 86400 - apart) <= SAME_TIME_MINUTES * 60
    expected = np.full(int(recent.sum()), np.nan)
    spread = expected.copy()
    if not len(earlier):
        return expected, spread
    # A stretch of time that happened to be flat must not make an everyday wobble a sensation.
    overall = _NORMAL_MAD * float(np.median(np.abs(earlier - np.median(earlier))))
    for i, near in enumerate(same_time):
        if near.sum() >= LEAST_BASELINE:
            expected[i] = np.median(earlier[near])
            own = _NORMAL_MAD * float(np.median(np.abs(earlier[near] - expected[i])))
            spread[i] = max(own, 0.5 * overall, 0.05 * abs(expected[i]), 1e-9)
    return expected, spread


def _longest_run(flags: np.ndarray) -> tuple[int, int] | None:
    """First and last index of the longest run of True that is long enough, the later of equals."""
    best: tuple[int, int] | None = None
    start = 0
    for i, flag in enumerate([*flags, False]):
        if flag:
            continue
        if i - start >= IN_A_ROW and (best is None or i - start >= best[1] - best[0] + 1):
            best = (start, i - 1)
        start = i + 1
    return best
