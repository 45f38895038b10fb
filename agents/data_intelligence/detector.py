"""A streaming anomaly detector for one metric: how far is this sample from what came before?

Three deviations are watched, each against a robust expectation made of earlier samples only: the
sample from the recent median (spikes), the recent median from the one before it (level shifts),
and, where a daily or weekly rhythm explains the metric better than its recent level, the sample
from the same time in earlier days or weeks. Each is divided by the 99th percentile of its own
past, so that a metric that often jumps must jump further. The same time is told by two clocks, the
business's own and UTC, and the kinder counts: customers keep the one and machines may keep the
other, and they differ in the days after clocks were changed. Nothing looks ahead: the score of a
sample does not change when more arrive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.statistics import Floats

THRESHOLD = 0.5
"""Score from which a sample is anomalous: its deviation is ALARM times the 99th percentile."""

ALARM = 1.5
COOLDOWN = 60
"""Samples after an alarm in which further ones belong to it."""

LEVEL = 150
"""Samples that make the recent level."""

SHIFT_NOW, SHIFT_BEFORE = 12, 600
"""Samples of the new and the old level in a level shift."""

MEMORY = 2000
"""Samples over which a deviation's own past is remembered."""

MIN_SAMPLES = 50
"""Before this many deviations are known, nothing is scored: the 99th percentile means nothing."""

MIN_LEVEL = MIN_SAMPLES // 2
"""Samples that make a level at the very beginning."""

FIRST_SCORED = MIN_LEVEL + MIN_SAMPLES
"""Row of the first sample that can be scored."""

PERIODS = (np.timedelta64(1, "D"), np.timedelta64(7, "D"))
REPEATS = (7, 3)
"""A seasonal expectation is the median of the same time in 7 days or 3 weeks before."""

RHYTHM = 0.7
"""A rhythm is followed while its typical deviation is less than this share of the level's."""

LEAST_SCALE = 0.01
"""Share of the metric's typical size below which a deviation is never called large."""


class Scores(NamedTuple):
    """One entry per sample.

    Attributes:
        score: 0 (as expected) to 1; 0 until there is enough history.
        expected: What was expected; the sample itself where nothing could be.
    """

    score: Floats
    expected: Floats


def score_series(ts: NDArray[np.datetime64], values: Floats, zone: str = "UTC") -> Scores:
    """Score every sample against those before it.

    Args:
        ts: Times of the samples in UTC, in the order they came. Repeated times and gaps are fine;
            a clock that goes back is read as standing still.
        values: Finite numbers.
        zone: IANA zone whose clock the business keeps.
    """
    x = pd.Series(values, dtype=float)
    floor = LEAST_SCALE * _earlier_quantile(x.abs(), 0.5)
    level = x - x.rolling(LEVEL, min_periods=MIN_LEVEL).median().shift(1)
    now = x.rolling(SHIFT_NOW).median()
    before = x.rolling(SHIFT_BEFORE, min_periods=MIN_LEVEL).median().shift(SHIFT_NOW)
    spike, shift = _ratio(level, floor), _ratio(now - before, floor)
    ratio = np.maximum(spike, shift)
    deviation = np.where(shift > spike, now - before, level)
    typical = _earlier_quantile(level.abs(), 0.5).to_numpy()
    times = np.maximum.accumulate(ts)
    for period, repeats in zip(PERIODS, REPEATS, strict=True):
        seasonal = x - _same_time_before(times, values, period, repeats)
        if zone != "UTC":
            local = x - _same_time_before(times, values, period, repeats, zone)
            seasonal = local.where(local.abs() < seasonal.abs(), seasonal).fillna(local)
        usual = _earlier_quantile(seasonal.abs(), 0.5).to_numpy()
        better = (usual < RHYTHM * typical) & seasonal.notna().to_numpy()
        ratio = np.where(better, _ratio(seasonal, floor), ratio)
        deviation = np.where(better, seasonal, deviation)
        typical = np.where(better, usual, typical)
    expected = values - np.where(np.isnan(deviation), 0.0, deviation)
    return Scores(ratio / (ratio + ALARM), expected)


def alarms(score: Floats, threshold: float = THRESHOLD) -> NDArray[np.intp]:
    """Rows at which an alarm is raised: anomalous, and no alarm in the COOLDOWN before."""
    raised: list[int] = []
    for row in np.flatnonzero(score >= threshold):
        if not raised or row - raised[-1] >= COOLDOWN:
            raised.append(int(row))
    return np.array(raised, dtype=np.intp)


def _ratio(deviation: pd.Series[float], floor: pd.Series[float]) -> Floats:
    """Size of each deviation in 99th percentiles of those before it; 0 where unknown."""
    size = deviation.abs()
    scale = _earlier_quantile(size, 0.99)
    scale = scale.clip(lower=floor.fillna(0.0)).where(scale.notna())
    # A deviation where there never was one is as large as can be, and no division by zero.
    ratio = size / scale.clip(lower=float(np.finfo(float).tiny))
    return np.asarray(ratio.fillna(0.0).clip(upper=1e6), dtype=np.float64)


def _earlier_quantile(size: pd.Series[float], q: float) -> pd.Series[float]:
    memory = size.rolling(MEMORY, min_periods=MIN_SAMPLES)
    return (memory.median() if q == 0.5 else memory.quantile(q)).shift(1)


def _same_time_before(
    ts: NDArray[np.datetime64],
    values: Floats,
    period: np.timedelta64,
    repeats: int,
    zone: str = "UTC",
) -> Floats:
    """Median of the samples at the same time one, two, ... periods ago; NaN with none."""
    tolerance = period / 48
    found = np.full((repeats, len(ts)), np.nan)
    for k in range(1, repeats + 1):
        wanted = _earlier(ts, k * period, zone)
        at = np.searchsorted(ts, wanted, side="right") - 1
        close = (at >= 0) & (wanted - ts[at] <= tolerance)
        found[k - 1, close] = values[at[close]]
    some = ~np.isnan(found).all(axis=0)
    median = np.full(len(ts), np.nan)
    median[some] = np.nanmedian(found[:, some], axis=0)
    return median


def _earlier(ts: NDArray[np.datetime64], by: np.timedelta64, zone: str) -> NDArray[np.datetime64]:
    """Each instant's namesake so much earlier on a zone's clock."""
    if zone == "UTC":
        return ts - by
    clock = pd.DatetimeIndex(ts, tz="UTC").tz_convert(zone).tz_localize(None) - by
    # Of an hour that was told twice the first, of one that was left out the first instant after.
    first = np.ones(len(ts), dtype=bool)
    instants = clock.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return instants.tz_convert("UTC").tz_localize(None).to_numpy(dtype=ts.dtype)
