"""Demand until what is ordered next can arrive: over a lead time that varies, and the review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.statistics import Floats

MOST_HORIZONS = 16
"""Horizons that the demand is asked for at most: each costs a backtest over all items. Lengths
between two of them take the nearest, stretched by the expected demand."""

LONGEST_DAYS = 400
"""Lengths are cut here: no shop's history tells errors over more than a year."""

_KNOTS = 1024  # points that are kept of a distribution of errors: enough, and quick to search
_HALVINGS = 40
_CLOSE = 1e-6
_TOGETHER = 20_000  # rows that are solved at a time: bounds the memory

Rows = NDArray[np.intp]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Protection:
    """Demand over an interval whose length varies: a mixture of the spreads over its lengths.

    Attributes:
        horizons: Demand over each of some horizons, one row per SKU.
        node: Horizon of each SKU (row) and length (column), each length as likely as any other.
        stretch: Expected demand over the very length, as a multiple of that horizon's mean; the
            variance is stretched alike.
    """

    horizons: list[_Horizon]
    node: Ints
    stretch: Floats

    @classmethod
    def over(cls, demand: Demand, days: Ints, rows: Rows | None = None) -> Protection:
        """The demand over some lengths.

        Args:
            demand: Whose.
            days: Lengths in days, one row per SKU that is asked for, one column per length.
            rows: Rows of ``demand`` that are asked for, in the order of ``days``; all when None.
        """
        chosen = np.arange(len(demand.skus)) if rows is None else rows
        lengths = np.clip(days, 1, LONGEST_DAYS)
        wanted = np.unique(lengths) if lengths.size else np.ones(1, dtype=np.intp)
        horizons = _few(wanted)
        # A spread is asked for all SKUs: the errors of all make the distribution of each. They are
        # millions: of each horizon only a table of them is kept.
        kept = [_Horizon.of(demand.spread(int(horizon)), chosen) for horizon in horizons]
        nearest = np.abs(np.log(wanted[:, None] / horizons)).argmin(axis=1)
        stretch = np.ones(lengths.shape)
        for length, at in zip(wanted, nearest, strict=True):
            if length == horizons[at]:
                continue
            base, mean = kept[at].mean, demand.mean(int(length))[chosen]
            ratio = np.full(len(base), length / horizons[at])
            np.divide(mean, base, out=ratio, where=base > 0)
            stretch = np.where(lengths == length, ratio[:, None], stretch)
        return cls(kept, nearest[np.searchsorted(wanted, lengths)], stretch)

    def lengths(self, columns: slice) -> Protection:
        """The same over some of the lengths."""
        return Protection(self.horizons, self.node[:, columns], self.stretch[:, columns])

    @property
    def mean(self) -> Floats:
        """Expected units, per SKU."""
        means = np.stack([horizon.mean for horizon in self.horizons])
        each = means[self.node, np.arange(len(self.node))[:, None]] * self.stretch
        return np.asarray(each.mean(axis=1))

    def exceeds(self, units: Floats) -> Floats:
        """Probability that demand is greater than ``units`` (at least 0), per SKU."""
        return self._chunked(lambda mixture, rows: mixture.exceeds(units[rows]))

    def shortage(self, units: Floats) -> Floats:
        """Expected demand beyond ``units`` (at least 0), per SKU, in units."""
        return self._chunked(lambda mixture, rows: mixture.shortage(units[rows]))

    def quantile(self, p: Floats) -> Floats:
        """Units that demand does not exceed with probability ``p``, one per SKU; at least 0."""

        def solve(mixture: _Mixture, rows: Rows) -> Floats:
            aim = 1 - p[rows]
            return _least(lambda units: mixture.exceeds(units) <= aim, mixture.greatest)

        return self._chunked(solve)

    def covering(self, shortage: Floats) -> Floats:
        """Units beyond which the expected demand is ``shortage``, one per SKU; at least 0."""

        def solve(mixture: _Mixture, rows: Rows) -> Floats:
            aim = shortage[rows]
            return _least(lambda units: mixture.shortage(units) <= aim, mixture.greatest)

        return self._chunked(solve)

    def _chunked(self, work: Callable[[_Mixture, Rows], Floats]) -> Floats:
        found = np.zeros(len(self.node))
        for at in range(0, len(found), _TOGETHER):
            rows = np.arange(at, min(at + _TOGETHER, len(found)))
            found[rows] = work(self._mixture(rows), rows)
        return found

    def _mixture(self, rows: Rows) -> _Mixture:
        parts = []
        for column in range(self.node.shape[1]):
            node, stretch = self.node[rows, column], self.stretch[rows, column]
            for k in np.unique(node):
                horizon, of_node = self.horizons[k], np.flatnonzero(node == k)
                group = horizon.group[rows[of_node]]
                for g in np.unique(group):
                    some = of_node[group == g]
                    mean = horizon.mean[rows[some]] * stretch[some]
                    scale = horizon.scale[rows[some]] * np.sqrt(stretch[some])
                    parts.append(_Part(some, mean, scale, horizon.tables[g]))
        return _Mixture(len(rows), self.node.shape[1], parts)


@dataclass(frozen=True)
class _Table:
    """A distribution of errors: its quantiles at some ranks, and the mean error beyond each."""

    error: Floats
    rank: Floats
    beyond: Floats

    @classmethod
    def of(cls, errors: Floats) -> _Table:
        """As ``Spread.quantile`` reads it: errors at even ranks, with straight lines between."""
        at = np.arange(len(errors))
        if len(errors) > _KNOTS:
            # Close together at both ends, where what is rare and dear is decided.
            share = (1 - np.cos(np.pi * np.linspace(0, 1, _KNOTS))) / 2
            at = np.unique(np.rint(share * (len(errors) - 1)).astype(np.intp))
        suffix = np.append(np.cumsum(errors[::-1])[::-1], 0.0)[at]
        beyond = (suffix - (len(errors) - at) * errors[at]) / len(errors)
        return cls(errors[at], at / max(len(errors) - 1, 1), np.maximum(beyond, 0.0))


@dataclass(frozen=True)
class _Horizon:
    """A spread over one horizon, its errors as tables."""

    mean: Floats
    scale: Floats
    group: Ints
    tables: list[_Table]

    @classmethod
    def of(cls, spread: Spread, rows: Rows) -> _Horizon:
        """Of some of its rows."""
        tables = [_Table.of(errors) for errors in spread.errors]
        return cls(spread.mean[rows], spread.scale[rows], spread.group[rows], tables)


@dataclass(frozen=True)
class _Part:
    """Rows of a mixture, and the demand over one of their lengths."""

    rows: Rows
    mean: Floats
    scale: Floats
    table: _Table

    def error(self, units: Floats) -> Floats:
        gap = units[self.rows] - self.mean
        certain = np.where(gap < 0, -np.inf, np.inf)
        return np.divide(gap, self.scale, out=certain, where=self.scale > 0)


@dataclass(frozen=True)
class _Mixture:
    """Some rows, each of as many parts as it has lengths."""

    count: int
    lengths: int
    parts: list[_Part]

    @property
    def greatest(self) -> Floats:
        """Demand that is never exceeded."""
        most = np.zeros(self.count)
        for part in self.parts:
            top = part.mean + part.scale * part.table.error[-1]
            most[part.rows] = np.maximum(most[part.rows], top)
        return most

    def exceeds(self, units: Floats) -> Floats:
        chance = np.zeros(self.count)
        for part in self.parts:
            table = part.table
            below = np.interp(part.error(units), table.error, table.rank, left=0.0, right=1.0)
            chance[part.rows] += 1 - below
        return chance / self.lengths

    def shortage(self, units: Floats) -> Floats:
        beyond = np.zeros(self.count)
        for part in self.parts:
            table = part.table
            error = part.error(units)
            under = np.maximum(table.error[0] - error, 0.0)
            with np.errstate(invalid="ignore"):
                more = part.scale * (np.interp(error, table.error, table.beyond) + under)
            sure = np.maximum(part.mean - units[part.rows], 0.0)
            beyond[part.rows] += np.where(part.scale > 0, more, sure)
        return beyond / self.lengths


def _few(wanted: Ints) -> Ints:
    """Of many lengths some that are spaced evenly in their logarithm, the ends included."""
    if len(wanted) <= MOST_HORIZONS:
        return wanted
    even = np.geomspace(wanted[0], wanted[-1], MOST_HORIZONS)
    return np.unique(np.rint(even).astype(np.intp))


def _least(enough: Callable[[Floats], NDArray[np.bool_]], most: Floats) -> Floats:
    """The least units from 0 on that are enough, where ``most`` is, by bisection."""
    low, high = np.zeros(len(most)), np.maximum(most, 0.0)
    high = np.where(enough(low), 0.0, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = enough(middle)
        high, low = np.where(fits, middle, high), np.where(fits, low, middle)
        if (high - low <= _CLOSE * (1 + high)).all():
            break
    return high
