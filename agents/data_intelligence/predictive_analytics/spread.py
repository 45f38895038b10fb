"""How demand over some days is distributed: the forecast, and the errors that were made before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agents.statistics import Floats

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Spread:
    """Distribution of total demand over a horizon, one row per SKU.

    Demand is ``max(mean + scale * error, 0)``, each error of the SKU's group as likely as any
    other. It rises with the error, so that what it exceeds is found by halving the sorted errors,
    and what it adds up to from the sums of the greatest errors: the cost per SKU is the logarithm
    of how many errors there are.

    Attributes:
        mean: Forecast total, in units.
        scale: Typical size of its error, in units.
        errors: Error in scales, sorted: one column per group of SKUs of similar demand.
        group: Column of ``errors`` of each SKU.
    """

    mean: Floats
    scale: Floats
    errors: list[Floats]
    group: NDArray[np.intp]

    def quantile(self, p: float) -> Floats:
        """Units that demand does not exceed with probability ``p``; never below zero."""
        at = np.array([np.quantile(errors, p) for errors in self.errors])
        return np.asarray(np.maximum(self.mean + self.scale * at[self.group], 0.0))

    def exceeds(self, units: Floats) -> Floats:
        """Probability that demand is greater than ``units``."""
        chance = np.zeros(len(self.mean))
        for rows, errors, _ in self._groups():
            there = units[rows]

            def exceeds(demand: Floats, there: Floats = there) -> NDArray[np.bool_]:
                return demand > there

            chance[rows] = 1 - self._first(rows, errors, exceeds) / len(errors)
        return chance

    def shortage(self, units: Floats) -> Floats:
        """Expected demand beyond ``units``, in units; of a demand whose mean is the forecast.

        The backtest's errors need not average to nothing; what is lost never exceeds the forecast
        that is shown beside it.
        """
        lost = np.zeros(len(self.mean))
        for rows, errors, greatest in self._groups():
            wanted = units[rows]
            # Sums over the errors from one on: of the demand, where it is above zero.
            some = self._first(rows, errors, lambda demand: demand > 0)
            mean = self._sum(rows, greatest, some) / len(errors)
            factor = np.divide(self.mean[rows], mean, out=np.zeros(len(rows)), where=mean > 0)

            def short(
                demand: Floats, factor: Floats = factor, wanted: Floats = wanted
            ) -> NDArray[np.bool_]:
                return factor * demand > wanted

            begin = self._first(rows, errors, short)
            demanded = factor * self._sum(rows, greatest, np.maximum(begin, some))
            beyond = demanded - (len(errors) - begin) * wanted
            lost[rows] = np.maximum(beyond, 0.0) / len(errors)
        return lost

    def rows(self, rows: Rows) -> Spread:
        """The same for some of the SKUs."""
        return Spread(self.mean[rows], self.scale[rows], self.errors, self.group[rows])

    def _groups(self) -> Iterator[tuple[Rows, Floats, Floats]]:
        """Per group its rows, its errors, and the sum of the errors from each one on (and 0)."""
        for group, errors in enumerate(self.errors):
            greatest = np.append(np.cumsum(errors[::-1])[::-1], 0.0)
            yield np.flatnonzero(self.group == group), errors, greatest

    def _first(
        self, rows: Rows, errors: Floats, holds: Callable[[Floats], NDArray[np.bool_]]
    ) -> Rows:
        """The first error of each row from which on a condition of the demand holds.

        The very product is asked for that makes the demand, not its inverse: demand that equals
        what there is must not count as more by a rounding error.
        """
        low = np.zeros(len(rows), dtype=np.intp)
        high = np.full(len(rows), len(errors), dtype=np.intp)
        while (low < high).any():
            middle = (low + high) // 2
            error = errors[np.minimum(middle, len(errors) - 1)]
            demand = np.maximum(self.mean[rows] + self.scale[rows] * error, 0.0)
            found = holds(demand) | (low >= high)
            high = np.where(found, np.minimum(middle, high), high)
            low = np.where(found, low, middle + 1)
        return low

    def _sum(self, rows: Rows, greatest: Floats, begin: Rows) -> Floats:
        """Demand that is above zero, added up over the errors from one of each row on."""
        count = len(greatest) - 1 - begin
        return np.asarray(count * self.mean[rows] + self.scale[rows] * greatest[begin])


@dataclass(frozen=True)
class Backtest:
    """Forecast and actual totals over one horizon: one row per SKU, one column per origin.

    ``valid`` leaves out origins before the SKU had a history.
    """

    forecast: Floats
    actual: Floats
    valid: NDArray[np.bool_]

    @cached_property
    def error(self) -> Floats:
        """Forecast minus actual, zero where it does not count."""
        return np.asarray(np.where(self.valid, self.forecast - self.actual, 0.0))

    def at_least(self, units: float) -> Floats:
        """The forecast, and not less than some units: what an error is measured by."""
        return np.maximum(self.forecast, units)

    @cached_property
    def demand(self) -> Floats:
        """Total actual demand per SKU."""
        return np.asarray(np.where(self.valid, self.actual, 0.0).sum(axis=1))


def pooled_spread(mean: Floats, scale: Floats, scaled: Floats, valid: NDArray[np.bool_]) -> Spread:
    """The spread that a backtest's errors make.

    Those of SKUs of similar demand together: slow sellers err more skewly than fast ones.

    Args:
        mean: Forecast total of each SKU.
        scale: Typical size of its error.
        scaled: Errors in scales: one row per SKU, one column per origin.
        valid: Which of them count.
    """
    groups = 4 if valid.sum() >= 4 * 500 else 1
    edges = np.quantile(mean, np.linspace(0, 1, groups + 1)[1:-1])
    group = np.searchsorted(edges, mean, side="right")
    errors = [np.sort(scaled[group == g][valid[group == g]]) for g in range(groups)]
    if any(len(e) < 100 for e in errors):
        everyone = np.sort(scaled[valid])
        errors = [e if len(e) >= 100 else everyone for e in errors]
    return Spread(mean, scale, errors, group)


def poisson_spread(mean: Floats) -> Spread:
    """Without a backtest: the spread of independent orders of one piece, at the normal's ranks."""
    return Spread(mean, np.sqrt(mean), [_NORMAL_RANKS], np.zeros(len(mean), dtype=np.intp))


_NORMAL_RANKS = np.sort(np.random.default_rng(0).standard_normal(2001))
