"""A streaming anomaly detector for one metric: how far is this sample from what came before?

Three deviations are watched, each against an expectation made of earlier samples only: the sample
from the recent median (spikes), the recent median from the one before it (level shifts), and, where
a daily or weekly rhythm explains the metric better than its recent level, the sample from the same
time in earlier days or weeks. Each is divided by the level that it passes as seldom as the budget
of false alarms allows (``rarity``). The same time is told by two clocks, the business's own and
UTC, and the kinder counts: customers keep the one and machines may keep the other, and they differ
in the days after clocks were changed. Nothing looks ahead: the score of a sample does not change
when more arrive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.anomaly_detection.rarity import Rarity
from agents.statistics import Floats, row_medians

THRESHOLD = 0.5
"""Score from which a sample is anomalous: its deviation reaches the level that the budget asks."""

BUDGET = 1.0
"""False alarms per metric and week."""

COOLDOWN = 60
"""Samples as usual after which an anomaly is a new one."""

LEVEL = 150
"""Samples that make the recent level."""

SHIFT_NOW, SHIFT_BEFORE = 12, 600
"""Samples of the new and the old level in a level shift."""

MIN_LEVEL = 25
"""Samples that make a level at the very beginning."""

PERIODS = (np.timedelta64(1, "D"), np.timedelta64(7, "D"))
REPEATS = (7, 3)
"""A seasonal expectation is the median of the same time in 7 days or 3 weeks before."""

SLACK = 48
"""Part of a period by which a sample may have come too early to be of the same time."""

RHYTHM = 0.7
"""A rhythm is followed while its typical deviation is less than this share of the level's."""

LEAST = 0.015
"""Share of the metric's typical size below which a deviation is never called large."""

_ROWS = SHIFT_NOW + SHIFT_BEFORE
_PAST = np.timedelta64(22, "D")
"""What must be at hand of the past: for the levels so many rows, for the rhythms so long."""

_CHANGES = np.timedelta64(7, "D")  # between two looks at whether clocks were changed


class Scores(NamedTuple):
    """One entry per sample.

    Attributes:
        score: 0 (as expected) to 1; 0 until there is enough history.
        expected: What was expected; the sample itself where nothing could be.
        judged: Whether there was enough history.
    """

    score: Floats
    expected: Floats
    judged: NDArray[np.bool_]


def score_series(
    ts: NDArray[np.datetime64], values: Floats, zone: str = "UTC", budget: float = BUDGET
) -> Scores:
    """Score every sample against those before it. Arguments as ``Detector`` and its ``score``."""
    return Detector(zone, budget).score(ts, values)


class Detector:
    """What one metric has been like, and how far each further sample is from it."""

    def __init__(self, zone: str = "UTC", budget: float = BUDGET) -> None:
        """Know nothing yet.

        Args:
            zone: IANA zone whose clock the business keeps.
            budget: False alarms per week.
        """
        self._zone = zone
        self._ts = np.empty(0, dtype="datetime64[us]")
        self._values = np.empty(0)
        # Two kinds of deviation from the level are looked at together, so each has half a budget.
        self._spike, self._shift = Rarity(budget / 2), Rarity(budget / 2)
        self._rhythms = [Rarity(budget) for _ in PERIODS]
        self._size = Rarity(budget)

    def score(self, ts: NDArray[np.datetime64], values: Floats) -> Scores:
        """Score samples against those before them, and learn from them.

        Args:
            ts: Times of the samples in UTC, in the order they came, after those scored before.
                Repeated times and gaps are fine; a clock that goes back is read as standing still.
            values: Finite numbers.
        """
        new = len(values)
        times = np.maximum.accumulate(np.append(self._ts, ts.astype("datetime64[us]")))
        x = np.append(self._values, values)
        hours = times[len(x) - new :].astype("datetime64[h]")
        spike, shift, before = _from_the_level(x, new)
        floor = LEAST * np.nan_to_num(self._size.follow(hours, np.abs(values))[1])

        def ratio(rarity: Rarity, deviation: Floats) -> tuple[Floats, Floats]:
            size = np.abs(deviation)
            level, typical = rarity.follow(hours, size)
            # A deviation where there never was one is as large as can be, and no division by zero.
            least = np.maximum(floor, float(np.finfo(float).tiny))
            with np.errstate(over="ignore"):
                return np.minimum(size / np.maximum(level, least), 1e6), typical

        by_spike, typical = ratio(self._spike, spike)
        by_shift, _ = ratio(self._shift, shift)
        found = np.fmax(by_spike, by_shift)
        expected = np.where(by_shift > by_spike, before, values - spike)
        for rarity, period, repeats in zip(self._rhythms, PERIODS, REPEATS, strict=True):
            seasonal = _from_the_rhythm(times, x, new, period, repeats, self._zone)
            by_rhythm, usual = ratio(rarity, seasonal)
            better = (usual < RHYTHM * typical) & ~np.isnan(by_rhythm)
            found = np.where(better, by_rhythm, found)
            expected = np.where(better, values - seasonal, expected)
            typical = np.where(better, usual, typical)
        self._remember(times, x)
        judged = ~np.isnan(found)
        found = np.where(judged, found, 0.0)
        expected = np.where(np.isnan(expected), values, expected)
        return Scores(found / (found + 1.0), expected, judged)

    def _remember(self, times: NDArray[np.datetime64], x: Floats) -> None:
        if len(x):
            first = int(np.searchsorted(times, times[-1] - _PAST))
            first = max(min(first, len(x) - _ROWS), 0)
            self._ts, self._values = times[first:], x[first:]


def alarms(score: Floats, threshold: float = THRESHOLD) -> NDArray[np.intp]:
    """Rows at which an alarm is raised: anomalous, and nothing anomalous in the COOLDOWN before."""
    rows = np.flatnonzero(score >= threshold)
    return rows[np.diff(rows, prepend=-COOLDOWN) >= COOLDOWN]


def _from_the_level(x: Floats, new: int) -> tuple[Floats, Floats, Floats]:
    """The new samples from the recent median; that from the one before it, and the latter."""
    at_hand = pd.Series(x[max(len(x) - new - _ROWS, 0) :], dtype=float)
    spike = at_hand - at_hand.rolling(LEVEL, min_periods=MIN_LEVEL).median().shift(1)
    before = at_hand.rolling(SHIFT_BEFORE, min_periods=MIN_LEVEL).median().shift(SHIFT_NOW)
    shift = at_hand.rolling(SHIFT_NOW).median() - before
    rows = slice(len(at_hand) - new, None)
    return spike.to_numpy()[rows], shift.to_numpy()[rows], before.to_numpy()[rows]


def _from_the_rhythm(
    times: NDArray[np.datetime64],
    x: Floats,
    new: int,
    period: np.timedelta64,
    repeats: int,
    zone: str,
) -> Floats:
    """The new samples from those of the same time before, by the kinder clock."""
    values = x[len(x) - new :]
    seasonal = values - _same_time_before(times, x, new, period, repeats)
    if zone != "UTC" and new and _clock_changed(times[len(x) - new], times[-1], zone):
        local = values - _same_time_before(times, x, new, period, repeats, zone)
        kinder = np.abs(local) < np.abs(seasonal)
        seasonal = np.where(kinder | np.isnan(seasonal), local, seasonal)
    return seasonal


def _clock_changed(first: np.datetime64, last: np.datetime64, zone: str) -> bool:
    """Whether a zone's clock was changed while the samples, or what they are compared with, came.

    Where it was not, both clocks name the same instants.
    """
    at = np.append(np.arange(first - _PAST, last, _CHANGES), last)
    clock = pd.DatetimeIndex(at, tz="UTC").tz_convert(zone).tz_localize(None)
    return len(np.unique(clock.to_numpy() - at)) > 1


def _same_time_before(
    ts: NDArray[np.datetime64],
    values: Floats,
    new: int,
    period: np.timedelta64,
    repeats: int,
    zone: str = "UTC",
) -> Floats:
    """Median of the samples at the same time one, two, ... periods before each of the last ones.

    NaN where there is none.
    """
    found = np.full((repeats, new), np.nan)
    last = ts[len(ts) - new :]
    for k in range(1, repeats + 1):
        wanted = _earlier(last, k * period, zone)
        at = np.searchsorted(ts, wanted, side="right") - 1
        close = (at >= 0) & (wanted - ts[at] <= period / SLACK)
        found[k - 1, close] = values[at[close]]
    return row_medians(found.T)


def _earlier(ts: NDArray[np.datetime64], by: np.timedelta64, zone: str) -> NDArray[np.datetime64]:
    """Each instant's namesake so much earlier on a zone's clock."""
    if zone == "UTC":
        return ts - by
    clock = pd.DatetimeIndex(ts, tz="UTC").tz_convert(zone).tz_localize(None) - by
    # Of an hour that was told twice the first, of one that was left out the first instant after.
    first = np.ones(len(ts), dtype=bool)
    instants = clock.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return instants.tz_convert("UTC").tz_localize(None).to_numpy(dtype=ts.dtype)
