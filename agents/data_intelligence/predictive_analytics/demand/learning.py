"""One model over all items: the units of coming weeks, over an item's usual size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.bins import Bins
from agents.data_intelligence.predictive_analytics.demand.features import (
    BLOCKS,
    SEASON,
    Origin,
    at_week,
    past,
    table,
)
from agents.data_intelligence.predictive_analytics.demand.history import History, Weeks
from agents.data_intelligence.predictive_analytics.demand.season import Season
from agents.data_intelligence.predictive_analytics.demand_model import WARM_UP
from agents.statistics import Floats

Rows = NDArray[np.intp]

MOST_ROWS = 200_000
"""Rows that are learned from; more make it hardly better, only slower."""

LEAST_ROWS = 500
"""Fewer teach nothing."""

LEARNED_WEEKS = 60
"""Origins reach back so far: older weeks are of another shop."""

CHUNK = 20_000
"""SKUs that are forecast at a time."""

SEED = 20
"""Of the sampling of rows and of the trees: the same sales give the same rates."""

FIRST_WEEKS = 2
"""Weeks of a newcomer's own that weigh as much as what newcomers of its group usually sell."""

LEAF = (20, 200)
LEAVES = 400
"""Rows of a leaf: one of LEAVES parts of all, within these limits. In a small shop newcomers would
otherwise never have a leaf of their own."""

TREES = {
    "loss": "squared_error",
    "learning_rate": 0.05,
    "max_iter": 100,
    "max_leaf_nodes": 16,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": SEED,
}

OFTEN = (0.1, 0.25, 0.45, 0.7, 0.95)
RANKS = (0.5, 0.75, 0.9)
"""Edges of the classes of items, by their share of selling weeks and by their rank of size, within
which squares of expected roots are turned into expectations."""

SEASON_LIMITS = (0.4, 2.5)
"""A group's season moves what is expected of its items by no more, before anything is learned."""

PRIOR = 0.02
"""Share of all units with which the factor of a class is drawn to that of all items."""


@dataclass(frozen=True)
class Learner:
    """Weekly units of each stretch of coming weeks, learned up to a week.

    What is learned is the square root of the units over the item's usual size in the season of its
    group, which single weeks move less than the units. The square of an expected root is less than
    the expectation, the more so the more rarely an item sells: the units that were sold per unit
    forecast, within classes of items, make up for it (the smearing of Duan 1983, JASA 78:605, as a
    ratio).

    Attributes:
        history: Of the SKUs that are forecast.
        groups: Group of each.
        trees: The fitted model; None where there was too little to learn from.
        bins: The classes of the features' values, by which it knows them.
        factor: Units per squared root of each class of items.
    """

    history: History
    groups: Rows
    trees: Any
    bins: Bins
    factor: Floats

    @classmethod
    def up_to(cls, history: History, groups: Rows, week: int) -> Learner:
        """Learn from what was sold before a week."""
        rows = _rows(history, groups, week)
        if rows is None or len(rows.target) < LEAST_ROWS:
            return cls(history, groups, None, Bins({}), np.zeros(0))
        weight = rows.weight / rows.weight.mean()
        bins = Bins.of(rows.features, weight)
        codes = bins.codes(rows.features)
        root = np.sqrt(rows.target)
        leaf = int(np.clip(len(root) // LEAVES, *LEAF))
        # Imported first: only threads of what is loaded can be limited.
        from sklearn.ensemble import HistGradientBoostingRegressor

        with _one_thread():
            trees = HistGradientBoostingRegressor(min_samples_leaf=leaf, **TREES)
            trees.fit(codes, root, sample_weight=weight)
            expected = np.maximum(trees.predict(codes), 0.0) ** 2
        cells = (len(OFTEN) + 1) * (len(RANKS) + 1)
        sold = np.bincount(rows.cell, rows.weight * rows.target, minlength=cells)
        told = np.bincount(rows.cell, rows.weight * expected, minlength=cells)
        prior = max(PRIOR * told.sum(), 1e-9)
        factor = (sold + prior * sold.sum() / max(told.sum(), 1e-9)) / (told + prior)
        return cls(history, groups, trees, bins, factor)

    def on(self, history: History, groups: Rows) -> Learner:
        """The same for other SKUs of the same weeks."""
        return replace(self, history=history, groups=groups)

    def rates(self, week: int) -> Weeks:
        """Units per usual week from the start of a week on: a row per SKU, a column per block.

        The TSB level stands for what has not sold for a year.
        """
        origin = at_week(self.history, self.groups, week)
        season = Season(self.history, self.groups)
        rates = np.repeat(self.history.levels[:, week, None], len(BLOCKS), axis=1)
        sells = np.flatnonzero(origin.size > 0)
        with _one_thread():
            for at in range(0, len(sells), CHUNK):
                rows = sells[at : at + CHUNK]
                factor = self.factor[_cells(self.history, origin, rows)]
                age = week - self.history.first[rows]
                young = age < WARM_UP
                known = past(self.history, origin, rows)
                for column, block in enumerate(BLOCKS):
                    features = table(known, self.history, season, origin, rows, block)
                    codes = self.bins.codes(features)
                    root = np.maximum(self.trees.predict(codes), 0.0)
                    # What a newcomer will do is told by others until it has weeks of its own.
                    root = np.where(young, (age * root + FIRST_WEEKS) / (age + FIRST_WEEKS), root)
                    size = _expected(origin, rows, features)
                    rates[rows, column] = size * factor * root**2
        return rates


@dataclass(frozen=True)
class _Rows:
    """What is learned from: features, units over usual size, weight, and class, of each row."""

    features: Weeks
    target: Floats
    weight: Floats
    cell: Rows


def _rows(history: History, groups: Rows, end: int) -> _Rows | None:
    rng = np.random.default_rng(SEED)
    season = Season(history, groups)
    origins = range(max(2, end - LEARNED_WEEKS), end)
    at_most = MOST_ROWS // (len(BLOCKS) * max(len(origins), 1))
    found = []
    for week in origins:
        origin = at_week(history, groups, week)
        sells = np.flatnonzero(origin.size > 0)
        for block in BLOCKS:
            if week + block[1] > end:
                continue
            rows = sells
            if len(rows) > at_most:
                rows = np.sort(rng.choice(rows, at_most, replace=False))
            weeks = slice(week + block[0], week + block[1])
            number = history.seen[rows, weeks].sum(axis=1)
            rows, number = rows[number > 0], number[number > 0]
            if not len(rows):
                continue
            seen = history.seen[rows, weeks]
            units = np.where(seen, history.rate[rows, weeks], 0.0).sum(axis=1) / number
            known = past(history, origin, rows)
            features = table(known, history, season, origin, rows, block)
            size = _expected(origin, rows, features)
            found.append(
                (
                    features,
                    (units / size).astype(float),
                    (size * np.sqrt(number)).astype(float),
                    _cells(history, origin, rows),
                )
            )
    if not found:
        return None
    tables, target, weight, cell = zip(*found, strict=True)
    return _Rows(
        np.concatenate(tables),
        np.concatenate(target),
        np.concatenate(weight),
        np.concatenate(cell),
    )


def _cells(history: History, origin: Origin, rows: Rows) -> Rows:
    """The class of each item, by how often it sells and how much."""
    half = history.rate[rows, max(origin.week - 26, 0) : origin.week]
    known = np.maximum(np.isfinite(half).sum(axis=1), 1)
    share = (np.nan_to_num(half) > 0).sum(axis=1) / known
    often = np.searchsorted(OFTEN, share)
    large = np.searchsorted(RANKS, origin.rank[rows])
    return np.asarray(often * (len(RANKS) + 1) + large, dtype=np.intp)


def _expected(origin: Origin, rows: Rows, features: Weeks) -> Weeks:
    """What is expected of each item before anything is learned: its size in its group's season."""
    season = np.clip(np.nan_to_num(features[:, SEASON], nan=1.0), *SEASON_LIMITS)
    return np.asarray(origin.size[rows] * season, dtype=np.float32)


def _one_thread() -> Any:
    """A second thread waits for the first by spinning: on a busy machine that takes many times."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="openmp")
