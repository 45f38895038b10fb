"""What an item sold itself in as many days as are to be covered: its own errors, not everybody's.

The errors that a forecast made over all items tell little of one that sells by the carton once a
month. Its own past does: the units of all windows of the same length in the last year, each less
their average, are put around what is forecast now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.ordering.protection import Protection, Rows
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.statistics import Floats

WEEKS = 52
"""Weeks of the past that windows are taken from."""

LEAST_WEEKS = 8
"""Windows go back so many weeks at least, before the first sale too: what a new item sells in its
first weeks is no rate. Where the shop's history is shorter, everybody's errors stand for its own.
"""

RATE_WEEKS = 13
"""Weeks over which the rate that quantities rest on is taken; a forecast from week to week is too
nervous for an order that covers many."""

_LEAST_RATE_WEEKS = 4
_TOGETHER = 5_000  # rows whose windows are made at a time: bounds the memory

_Asked = Callable[[Floats, Floats, Floats], Floats]
"""What is asked of sorted windows: their units, how many of them count, and what is aimed at."""


@dataclass(frozen=True)
class OwnPast:
    """The windows of some items' past.

    Attributes:
        weekly: Units per SKU (row) and week (column), the last week ended yesterday.
        age: Whole weeks since each SKU's first sale.
        days: Lengths of the windows, as the protection has them.
        expected: Units that are forecast over them, per SKU.
    """

    weekly: Floats
    age: NDArray[np.intp]
    days: NDArray[np.intp]
    expected: Floats

    @classmethod
    def of(
        cls, past: UnitSales, days: NDArray[np.intp], expected: Floats, rows: Rows | None = None
    ) -> OwnPast:
        """Of the rows of ``past`` that are asked for; all when None."""
        chosen = np.arange(len(past.weekly)) if rows is None else rows
        age = past.weeks - past.first_week[chosen]
        return cls(past.weekly[chosen, -WEEKS:].astype(float), age, days, expected)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which SKUs have a past of their own, for windows of these lengths."""
        longest = -(-self.days.max(axis=1) // 7)
        enough = self.weekly.shape[1] >= np.maximum(LEAST_WEEKS, 2 * longest)
        return np.asarray(enough & (self.age > 0))

    def quantile(self, p: Floats) -> Floats:
        """Units that demand does not exceed with probability ``p``; NaN without a past."""

        def at(units: Floats, many: Floats, p: Floats) -> Floats:
            rank = np.ceil(p * many - 1e-9).astype(np.intp) - 1
            found = units[np.arange(len(units)), np.clip(rank, 0, units.shape[1] - 1)]
            return np.asarray(found)

        return self._chunked(p, at)

    def covering(self, shortage: Floats) -> Floats:
        """Units beyond which the expected demand is ``shortage``; NaN without a past."""

        def at(units: Floats, many: Floats, aim: Floats) -> Floats:
            known = np.isfinite(units)
            low, high = np.zeros(len(units)), np.where(known, units, 0.0).max(axis=1)
            for _ in range(40):
                middle = (low + high) / 2
                more = np.where(known, np.maximum(units - middle[:, None], 0.0), 0.0)
                enough = more.sum(axis=1) <= aim * many
                high, low = np.where(enough, middle, high), np.where(enough, low, middle)
            return np.asarray(high)

        return self._chunked(shortage, at)

    def _chunked(self, asked: Floats, at: _Asked) -> Floats:
        found = np.full(len(self.weekly), np.nan)
        rows = np.flatnonzero(self.known)
        # Lead times are few, items many: those of the same lengths have the same windows.
        lengths, kind = np.unique(self.days[rows], axis=0, return_inverse=True)
        for k, each in enumerate(lengths):
            of_kind = rows[kind.reshape(-1) == k]
            for begin in range(0, len(of_kind), _TOGETHER):
                some = of_kind[begin : begin + _TOGETHER]
                units, many = self._windows(some, each)
                found[some] = np.maximum(at(units, many, asked[some]), 0.0)
        return found

    def _windows(self, rows: Rows, days: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Demand as the windows since each SKU's first sale have it, sorted; inf after them.

        A window begins with a week; of its last week it has the share of its days.
        """
        weekly, weeks = self.weekly[rows], self.weekly.shape[1]
        sums = np.zeros((len(rows), weeks + 1))
        np.cumsum(weekly, axis=1, out=sums[:, 1:])
        parts, begins = [], []
        for length in days:
            whole, rest = divmod(max(int(length), 1), 7)
            begin = np.arange(weeks - whole - (rest > 0) + 1)
            units = sums[:, begin + whole] - sums[:, begin]
            if rest:
                units += rest / 7 * weekly[:, begin + whole]
            parts.append(units)
            begins.append(begin)
        units = np.concatenate(parts, axis=1)
        longest = -(-int(days.max()) // 7)
        back = np.clip(self.age[rows], max(LEAST_WEEKS, 2 * longest), weeks)
        inside = np.concatenate(begins) >= (weeks - back)[:, None]
        many = inside.sum(axis=1).astype(float)
        average = np.where(inside, units, 0.0).sum(axis=1) / many
        units += (self.expected[rows] - average)[:, None]
        np.maximum(units, 0.0, out=units)
        units[~inside] = np.inf
        units.sort(axis=1)
        return units, many


def recent_rate(past: UnitSales, rows: Rows | None = None) -> Floats:
    """Units per day over the last quarter, or since the first sale (four weeks at least)."""
    chosen = np.arange(len(past.weekly)) if rows is None else rows
    last = past.weekly[chosen, -RATE_WEEKS:]
    age = past.weeks - past.first_week[chosen]
    weeks = np.clip(age, min(_LEAST_RATE_WEEKS, last.shape[1]), last.shape[1])
    return np.asarray(last.sum(axis=1) / (7 * weeks))


def quantile(protection: Protection, own: OwnPast | None, p: Floats) -> Floats:
    """Quantile of each SKU's demand: by its own past where it has one, else by everybody's."""
    if own is None:
        return protection.quantile(p)
    found = own.quantile(p)
    return np.where(own.known, found, protection.quantile(p))


def covering(protection: Protection, own: OwnPast | None, shortage: Floats) -> Floats:
    """Units at which so much demand is lost: by its own past where it has one, else everybody's."""
    pooled = protection.covering(shortage)
    return pooled if own is None else np.where(own.known, own.covering(shortage), pooled)
