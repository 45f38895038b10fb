"""Simple detectors to compare with: each scores every sample by those before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.anomaly.nab import Floats, Labelled

DAY = 288
"""Samples of the windows: a day at five minutes."""

GAUSSIAN, STEP, LEAST = 6400, 100, 10
"""Window of NAB's windowed Gaussian, how often it is fitted, to how many samples at least."""


def rolling_mad(file: Labelled) -> Floats:
    """Deviation from the median of the last day's samples, in their median absolute deviations."""
    x = pd.Series(file.values)
    return _in_mads(x - x.rolling(DAY, min_periods=25).median().shift(1))


def seasonal_mad(file: Labelled) -> Floats:
    """Deviation from the median of the same time in the 7 days before, in that one's MADs."""
    ts = np.maximum.accumulate(file.ts)
    past = np.full((7, len(ts)), np.nan)
    for day in range(7):
        wanted = ts - (day + 1) * np.timedelta64(1, "D")
        at = np.searchsorted(ts, wanted, side="right") - 1
        past[day, at >= 0] = file.values[at[at >= 0]]
    usual = pd.DataFrame(past).median().to_numpy()
    return _in_mads(pd.Series(file.values - usual))


def _in_mads(deviation: pd.Series[float]) -> Floats:
    size = deviation.abs()
    mad = size.rolling(7 * DAY, min_periods=50).median().shift(1)
    return np.asarray((size / mad.clip(lower=1e-9)).fillna(0.0).clip(upper=1e9))


def windowed_gaussian(file: Labelled) -> Floats:
    """NAB's peer of this name: how improbable under a Gaussian of the window before."""
    x, score = file.values, np.zeros(len(file.values))
    mean, spread = 0.0, 1.0
    for i in range(LEAST, len(x)):
        if i < GAUSSIAN or i % STEP == 0:
            window = x[max(i - GAUSSIAN, 0) : i]
            mean, spread = float(window.mean()), max(float(window.std()), 1e-9)
        score[i] = -norm.logsf(abs(x[i] - mean) / spread)
    return score


def at_its_best(
    scores: list[Floats],
    judge: Callable[[list[NDArray[np.intp]]], float],
    alarms: Callable[[Floats, float], NDArray[np.intp]],
) -> float:
    """The threshold, of 40 quantiles of all its scores, that is judged best."""
    pooled = np.concatenate(scores)
    candidates = np.unique(np.quantile(pooled, 1 - np.geomspace(1e-5, 0.05, 40)))
    return float(max(candidates, key=lambda c: judge([alarms(s, float(c)) for s in scores])))


PEERS: dict[str, Callable[[Labelled], Floats]] = {
    "rolling MAD": rolling_mad,
    "seasonal MAD": seasonal_mad,
    "windowed Gaussian": windowed_gaussian,
}
