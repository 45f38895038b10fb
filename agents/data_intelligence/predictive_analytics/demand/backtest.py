"""Forecasts as they would have been made in the last half year, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.features import BLOCKS
from agents.data_intelligence.predictive_analytics.demand.history import History, Weeks
from agents.data_intelligence.predictive_analytics.demand.kinds import Kinds, kinds_at
from agents.data_intelligence.predictive_analytics.demand.learning import Learner
from agents.data_intelligence.predictive_analytics.demand_model import (
    LEAST_FORECAST,
    PRIOR_ORIGINS,
)
from agents.statistics import Floats

Rows = NDArray[np.intp]

WEEKS = BLOCKS[-1][1]
"""Weeks that are forecast."""

RECENT = 2
"""Weeks whose plain mean stands beside what was learned, where that is known to do better."""

FOLD_WEEKS = 13
"""Origins that share a learner, which was told nothing of their weeks."""

FOLDS = 2


@dataclass(frozen=True)
class Trial:
    """Forecasts from one origin, of the SKUs that had sold by then.

    Attributes:
        start: Week up to which its learner learned.
        learned: Learned units in each of the coming weeks, as the shop was open and the item was
            there: a row per SKU, ``WEEKS`` columns, NaN from the present on.
        recent: The same, of the mean of the last weeks.
        actual: Units that were sold; single large orders count.
        kind: Of each SKU.
        size: Learned units per usual week over the first two weeks.
        dispersion: Of each SKU, as it was known when the learner learned.
    """

    start: int
    learned: Weeks
    recent: Weeks
    actual: Weeks
    kind: Kinds
    size: Weeks
    dispersion: Weeks


def trials(history: History, groups: Rows) -> list[Trial]:
    """Run the model over the last half year, or the last third of a shorter past."""
    weeks = history.weeks
    tested = min(FOLDS * FOLD_WEEKS, weeks // 3)
    found = []
    starts = range(weeks - tested, weeks, FOLD_WEEKS) if tested > FOLD_WEEKS else [weeks - tested]
    for start in starts:
        learner = Learner.up_to(history, groups, start)
        if learner.trees is None:
            continue
        dispersion = dispersions(history, start)
        found += [
            _trial(history, learner, start, week, dispersion)
            for week in range(start, min(start + FOLD_WEEKS, weeks))
        ]
    return found


def spread_out(rates: Weeks) -> Weeks:
    """Rates of the blocks as rates of weeks."""
    return np.repeat(rates, [end - first for first, end in BLOCKS], axis=1)


def latest(history: History, week: int) -> Weeks:
    """Mean rate of each SKU over the last weeks before a week."""
    some = history.rate[:, max(week - RECENT, 0) : week]
    known = np.isfinite(some).sum(axis=1)
    total = np.nansum(some, axis=1)
    return np.asarray(total / np.maximum(known, 1), dtype=np.float32)


def dispersions(history: History, week: int) -> Weeks:
    """Squared error per unit of the TSB level over the half year before a week, per SKU.

    Shrunk towards that of all SKUs with the weight of ``PRIOR_ORIGINS`` weeks.
    """
    begin = max(week - 26, 1)
    level = np.maximum(history.levels[:, begin:week], LEAST_FORECAST)
    valid = history.seen[:, begin:week] & (np.arange(begin, week) > history.first[:, None])
    error = np.where(valid, history.rate[:, begin:week] - level, 0.0)
    weight = np.where(valid, level, 0.0)
    squares = (error**2).sum(axis=1, dtype=float)
    pooled = squares.sum() / max(weight.sum(dtype=float), LEAST_FORECAST)
    own = squares / np.maximum(weight.sum(axis=1), LEAST_FORECAST)
    count = valid.sum(axis=1)
    shrunk = (count * own + PRIOR_ORIGINS * pooled) / (count + PRIOR_ORIGINS)
    return np.asarray(np.maximum(shrunk, 1e-6), dtype=np.float32)


def _trial(history: History, learner: Learner, start: int, week: int, dispersion: Weeks) -> Trial:
    rows = np.flatnonzero(history.first < week)
    ahead = min(WEEKS, history.weeks - week)
    exposure = history.exposed(rows, week, week + ahead)
    weekly = spread_out(learner.rates(week)[rows])

    def filled(known: Weeks) -> Weeks:
        whole = np.full((len(rows), WEEKS), np.nan, dtype=np.float32)
        whole[:, :ahead] = known
        return whole

    return Trial(
        start=start,
        learned=filled(weekly[:, :ahead] * exposure),
        recent=filled(latest(history, week)[rows, None] * exposure),
        actual=filled(history.units[rows, week : week + ahead]),
        kind=kinds_at(history, week)[rows],
        size=weekly[:, :2].mean(axis=1),
        dispersion=dispersion[rows],
    )


def joined(some: list[Trial], name: str) -> Floats:
    """One attribute of all trials together."""
    return np.concatenate([getattr(trial, name) for trial in some])
