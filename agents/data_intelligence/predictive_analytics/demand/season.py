"""How the same weeks of the year before went, over groups of items: never one factor for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.history import YEAR, History, Weeks
from agents.statistics import Floats

Rows = NDArray[np.intp]

BASIS = 8
"""Weeks up to an origin with which the weeks after it are compared, a year before."""

AROUND = 1
"""Weeks before and after that count as the same time of the year: feasts move."""

OWN_WEEKS = 8
"""Weeks of a group's usual sales that an item's own year counts against."""

LEAST_ITEMS = 30
"""A category with fewer items has the season and the newcomers of the whole shop."""

SIZES = 4
"""Without categories, items of similar size stand together."""


def groups_of(skus: Sequence[str], categories: Mapping[str, str] | None) -> Rows:
    """The group of each SKU: its category where that is large enough, else group 0, the rest."""
    if not categories:
        return np.zeros(len(skus), dtype=np.intp)
    names = [categories.get(sku) or "" for sku in skus]
    found, number, count = np.unique(np.array(names), return_inverse=True, return_counts=True)
    large = (count >= LEAST_ITEMS) & (found != "")
    new = np.where(large, np.cumsum(large), 0)
    return np.asarray(new[number], dtype=np.intp)


class Season:
    """Ratios of a coming stretch of weeks to the weeks before it, a year ago.

    Args:
        history: Of all SKUs.
        groups: Group of each SKU.
    """

    def __init__(self, history: History, groups: Rows) -> None:
        self._history = history
        self._groups = groups

    def ratios(self, origin: int, first: int, end: int, size: Floats) -> tuple[Weeks, Weeks]:
        """Of every SKU's group, and of itself shrunk towards its group; NaN without such a year.

        Args:
            origin: Week from which on nothing is known.
            first: First week of the stretch, counted from the origin.
            end: The week after its last one.
            size: Usual weekly units of each SKU at the origin.
        """
        count = len(self._groups)
        year = origin - YEAR
        before = max(year - BASIS, 0)
        if year - before < BASIS // 2:
            return (np.full(count, np.nan, dtype=np.float32),) * 2
        rate = self._history.rate
        begin = max(year + first - AROUND, 0)
        last = min(year + end + AROUND, origin)
        there = self._history.first <= before
        basis = np.where(there, np.nan_to_num(rate[:, before:year]).mean(axis=1), 0.0)
        then = np.where(there, np.nan_to_num(rate[:, begin:last]).mean(axis=1), 0.0)
        cell = self._cells(size)
        cells = int(cell.max()) + 1 if count else 1
        basis_of = np.bincount(cell, basis, minlength=cells)
        then_of = np.bincount(cell, then, minlength=cells)
        ratio = np.divide(then_of, basis_of, out=np.ones(cells), where=basis_of > 0)[cell]
        own_basis = (year - before) * basis
        prior = OWN_WEEKS * np.maximum((basis + then) / 2, 1e-9)
        own = (
            own_basis * np.divide(then, basis, out=np.ones(count), where=basis > 0) + prior * ratio
        ) / (own_basis + prior)
        own = np.where(there, own, np.nan)
        return ratio.astype(np.float32), own.astype(np.float32)

    def _cells(self, size: Floats) -> Rows:
        """Categories, or classes of size where there are none."""
        if self._groups.any():
            return self._groups
        edges = np.quantile(size, np.linspace(0, 1, SIZES + 1)[1:-1])
        return np.asarray(np.searchsorted(edges, size), dtype=np.intp)
