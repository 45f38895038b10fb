"""The ERP rules' parameters, searched for on the days before the cut."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.ordering.rules import CLASSES
from agents.statistics import Floats
from benchmarks.purchasing.policies import Rule, averages, by_rule
from benchmarks.purchasing.replay import Period
from benchmarks.purchasing.world import Order, run

WINDOWS = (28, 91, 182, 364)
SAFETY_DAYS = (0.0, 3.5, 7.0, 10.0, 14.0, 21.0, 28.0, 42.0, 56.0)
COVER_DAYS = (7.0, 14.0, 21.0, 28.0, 42.0, 56.0, 91.0, 140.0, 210.0, 300.0, 364.0)
"""Grid of the search: the average's window, days beyond the lead time, days an order covers."""


@dataclass(frozen=True)
class Tuned:
    """What the search chose for each item: a window, safety days and days of cover."""

    window: NDArray[np.intp]
    safety: Floats
    cover: Floats

    def order(self, rule: Rule, period: Period) -> Order:
        """The rule as a policy of a period."""
        costs = period.world.costs
        average = np.zeros((len(self.window), period.world.reviews))
        for window in np.unique(self.window):
            of = self.window == window
            found = averages(
                period.data, int(window), period.first, period.world.reviews, costs.review_days
            )
            average[of] = found[of]
        return by_rule(rule, average, costs.lead_mean, self.safety, self.cover, period.seeds)


GRID = list(product(WINDOWS, SAFETY_DAYS, COVER_DAYS))


def search(rule: Rule, period: Period) -> Floats:
    """Total cost per candidate of ``GRID`` (row) and item (column), over the period's seeds."""
    costs, items = period.world.costs, len(period.data.skus)
    average = {
        w: averages(period.data, w, period.first, period.world.reviews, costs.review_days)
        for w in WINDOWS
    }
    totals = np.zeros((len(GRID), items))
    for k, (window, safety, cover) in enumerate(GRID):
        order = by_rule(
            rule,
            average[window],
            costs.lead_mean,
            np.full(items, safety),
            np.full(items, cover),
            period.seeds,
        )
        total = run(period.world, order).total(period.world)
        totals[k] = total.reshape(period.seeds, items).sum(axis=0)
    return totals


def by_class(totals: Floats, classes: NDArray[np.intp]) -> list[int]:
    """The best candidate of each class; the best of all where a class is empty."""
    everything = int(totals.sum(axis=1).argmin())
    return [
        int(totals[:, classes == each].sum(axis=1).argmin()) if (classes == each).any()
        else everything
        for each in range(len(CLASSES))
    ]  # fmt: skip


def tuned_by_class(best: list[int], classes: NDArray[np.intp]) -> Tuned:
    """Each item with the parameters of its class."""
    return _tuned(np.array(best)[classes])


def tuned_by_item(totals: Floats, row: NDArray[np.intp], fallback: Tuned) -> Tuned:
    """Each item with its own best parameters; those of its class where it was not tuned.

    Args:
        totals: Of ``search``.
        row: Column of ``totals`` of each item, -1 where it has none.
        fallback: Of the items' classes.
    """
    own = _tuned(totals.argmin(axis=0)[np.maximum(row, 0)])
    known = row >= 0
    return Tuned(
        np.where(known, own.window, fallback.window),
        np.where(known, own.safety, fallback.safety),
        np.where(known, own.cover, fallback.cover),
    )


def _tuned(best: NDArray[np.intp]) -> Tuned:
    grid = np.array(GRID)[best]
    return Tuned(grid[:, 0].astype(np.intp), grid[:, 1], grid[:, 2])
