"""What past forecasts teach: how far demand strays from them, by kind and size of item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.backtest import Trial, joined
from agents.data_intelligence.predictive_analytics.demand.history import Weeks
from agents.data_intelligence.predictive_analytics.demand.kinds import (
    INTERMITTENT,
    KINDS,
    NEW,
    SMOOTH,
    Kinds,
)
from agents.data_intelligence.predictive_analytics.demand_model import LEAST_FORECAST
from agents.statistics import Floats

HORIZONS = (1, 2, 4, 8, 13)
"""Weeks over which errors are measured."""

POINTS = 400
"""Errors that are kept of each group, at even ranks."""

LEAST_ERRORS = 400
"""Errors that stand for a kind and size of their own."""

SIZES = 6
"""Groups of size of each kind."""

PARTS = np.linspace(0, 1, 5)
"""Weights of the learned forecast that are tried."""

MOST = 1.6
"""A kind that sold this many times its forecast, measured by smooth items, did so by chance."""


@dataclass(frozen=True)
class Calibration:
    """Corrections and errors of each kind and size.

    Attributes:
        factor: What learned forecasts of each kind are multiplied by.
        weight: Of the learned forecast of each kind; the rest is the mean of the last weeks.
        edges: Sizes of forecasts, in units per week, by which errors are grouped: a row per kind.
        horizons: Whole weeks.
        errors: As in ``Rates``.
    """

    factor: Floats
    weight: Floats
    edges: Floats
    horizons: NDArray[np.int32]
    errors: NDArray[np.float32]

    @property
    def names(self) -> Sequence[str]:
        """Kind and rank of size of each group of errors."""
        return [f"{kind} {size}" for kind in KINDS for size in range(SIZES)]

    def group(self, kind: Kinds, size: Weeks) -> NDArray[np.uint8]:
        """The group of errors of each SKU."""
        return _group(self.edges, kind, size).astype(np.uint8)

    def forecast(self, learned: Weeks, recent: Weeks, kind: Kinds) -> Weeks:
        """What to expect of each week, of learned rates and the mean of the last weeks."""
        return _mixed(learned, recent[:, None], kind, self.factor, self.weight)

    @classmethod
    def of(cls, trials: list[Trial]) -> Calibration:
        """Learn from forecasts that were made out of sample, and what was sold."""
        factor = _factors(trials)
        weight = _weights(trials, factor)
        trials = [
            replace(trial, learned=_mixed(trial.learned, trial.recent, trial.kind, factor, weight))
            for trial in trials
        ]
        centred = [
            replace(trial, learned=(trial.learned * scale).astype(np.float32))
            for trial, scale in zip(trials, _centres(trials), strict=True)
        ]
        kind = joined(trials, "kind").astype(np.uint8)
        size = joined(trials, "learned")[:, :2]
        known = np.isfinite(size)
        size = np.where(known, size, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        size = size.astype(np.float32)
        edges = np.full((len(KINDS), SIZES - 1), np.inf)
        for each in range(len(KINDS)):
            mine = size[kind == each]
            parts = int(min(SIZES, len(mine) // LEAST_ERRORS))
            if parts > 1:
                edges[each, : parts - 1] = np.quantile(mine, np.linspace(0, 1, parts + 1)[1:-1])
        horizons, errors = _errors(_group(edges, kind, size), centred)
        return cls(factor, weight, edges, horizons, errors)


def _mixed(learned: Weeks, recent: Weeks, kind: Kinds, factor: Floats, weight: Floats) -> Weeks:
    part = weight[kind][:, None]
    mixed = part * factor[kind][:, None] * learned + (1 - part) * recent
    return np.asarray(mixed, dtype=np.float32)


def _weights(trials: list[Trial], factor: Floats) -> Floats:
    """The weights of the learned forecast with the least absolute error, of each kind."""
    kind = joined(trials, "kind").astype(np.uint8)
    learned, recent = joined(trials, "learned"), joined(trials, "recent")
    actual = joined(trials, "actual")
    weight = np.ones(len(KINDS))
    for each in range(len(KINDS)):
        mine = kind == each
        if mine.sum() < LEAST_ERRORS:
            continue
        loss = [
            np.nansum(
                np.abs(
                    part * factor[each] * learned[mine] + (1 - part) * recent[mine] - actual[mine]
                )
            )
            for part in PARTS
        ]
        weight[each] = PARTS[int(np.argmin(loss))]
    return weight


def _factors(trials: list[Trial]) -> Floats:
    """Rare sellers and newcomers are told short or long, measured by what smooth items are.

    Not by the whole: that a shop sold more than forecast in one season says nothing of the next.
    """
    sold, told = np.zeros(len(KINDS)), np.zeros(len(KINDS))
    for trial in trials:
        sold += _by_kind(trial, _known(trial, trial.actual))
        told += _by_kind(trial, _known(trial, trial.learned))
    ratio = np.divide(sold, told, out=np.ones(len(KINDS)), where=told > 0)
    factor = np.ones(len(KINDS))
    for kind in (INTERMITTENT, NEW):
        if told[SMOOTH] > 0 and told[kind] > 0:
            factor[kind] = ratio[kind] / max(ratio[SMOOTH], 1 / MOST)
    return np.clip(factor, 1 / MOST, MOST)


def _centres(trials: list[Trial]) -> list[float]:
    """A factor for each trial, such that its learner's forecasts add up to what was sold.

    How the whole shop strayed in those months would move the errors of every item the same way.
    """
    scales = []
    for trial in trials:
        same = [other for other in trials if other.start == trial.start]
        sold = sum(_by_kind(each, _known(each, each.actual)).sum() for each in same)
        told = sum(_by_kind(each, _known(each, each.learned)).sum() for each in same)
        scales.append(float(sold / told) if told > 0 and sold > 0 else 1.0)
    return scales


def _known(trial: Trial, units: Weeks) -> Weeks:
    return np.where(np.isfinite(trial.learned), units, 0.0)


def _by_kind(trial: Trial, units: Weeks) -> Floats:
    units_of = np.bincount(trial.kind, units.sum(axis=1, dtype=float), minlength=len(KINDS))
    return np.asarray(units_of, dtype=float)


def _group(edges: Floats, kind: Kinds, size: Weeks) -> NDArray[np.intp]:
    above = (size[:, None] >= edges[kind]).sum(axis=1)
    return np.asarray(kind.astype(np.intp) * SIZES + above)


def _errors(
    group: NDArray[np.intp], trials: list[Trial]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Scaled errors of totals over each horizon of which there are enough."""
    ranks = (np.arange(POINTS) + 0.5) / POINTS
    forecast, actual = joined(trials, "learned"), joined(trials, "actual")
    dispersion = joined(trials, "dispersion")
    groups = len(KINDS) * SIZES
    horizons, found = [], []
    for weeks in HORIZONS:
        told = forecast[:, :weeks].sum(axis=1)
        known = np.isfinite(told)
        if known.sum() < LEAST_ERRORS // 4:
            continue
        least = np.maximum(told[known], LEAST_FORECAST)
        scaled = actual[known, :weeks].sum(axis=1) - told[known]
        scaled = scaled / np.sqrt(dispersion[known] * least)
        everyone = np.quantile(scaled, ranks)
        table = np.empty((groups, POINTS), dtype=np.float32)
        for each in range(groups):
            mine = scaled[group[known] == each]
            table[each] = np.quantile(mine, ranks) if len(mine) >= LEAST_ERRORS // 4 else everyone
        horizons.append(weeks)
        found.append(table)
    return np.array(horizons, dtype=np.int32), np.stack(found)
