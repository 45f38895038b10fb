"""Units that each SKU sold: by week over all its history, by day over the last weeks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.statistics import Floats
from blocks.vocabulary.frames import DAILY_WEEKS

Units: TypeAlias = NDArray[np.float32] | Floats

RECENT_WEEKS = DAILY_WEEKS
"""Weeks of which the days are known, too."""

AT_ONCE = 250_000
"""Rows of sales of which copies are made at a time."""

_TOGETHER = 2_000  # SKUs whose weeks are worked on at a time


@dataclass(frozen=True)
class UnitSales:
    """Net units: sold minus returned the same day, so that an order and its cancellation vanish.

    At least 0 a day. Weeks are counted back from ``today``, the last ended yesterday. Of days
    there are millions, most without a sale: they are kept as a list.

    Units are kept in single precision where that is exact, as of pieces it is: there are many.

    Attributes:
        weekly: Units per SKU (row) and week (column), oldest first.
        row: SKU of each sale of the last ``RECENT_WEEKS`` weeks.
        day: Days from the first of these weeks to it.
        net: Its units.
    """

    weekly: Units
    row: NDArray[np.int32]
    day: NDArray[np.int16]
    net: Units

    @classmethod
    def of(
        cls,
        sales: pd.DataFrame,
        skus: list[str],
        today: date,
        first: date | None = None,
        at_once: int = AT_ONCE,
    ) -> UnitSales:
        """Add sales up.

        Args:
            sales: SALES frame of days before ``today``.
            skus: One row each, in this order; all others are left out.
            today: The day after the last week.
            first: The shop's first day, where it is known to be before the first of the sales:
                what is old may be told by week. The first week is the last that is whole since.
            at_once: Rows that are worked on at a time.
        """
        days = (pd.Timestamp(today) - sales["date"].min()).days if len(sales) else 7
        days = max(days, (today - first).days if first else 0)
        weeks = max(1, days // 7)
        weekly = np.zeros((len(skus), weeks))
        index = pd.Index(skus)
        start = np.datetime64(today, "D") - 7 * weeks
        recent_from = 7 * max(weeks - RECENT_WEEKS, 0)
        most = int((sales["date"] >= pd.Timestamp(start + recent_from)).sum())
        rows, days_of = np.empty(most, np.int32), np.empty(most, np.int16)
        nets: Units = np.zeros(most, np.float32)  # what is not filled yet may be cast, too
        there = 0
        for at in range(0, len(sales), at_once):
            some = sales.iloc[at : at + at_once]
            row = index.get_indexer(pd.Index(some["sku"]))
            dates = some["date"].to_numpy(dtype="datetime64[D]")
            day = (dates - start).astype(np.int64)
            net = np.maximum((some["units"] - some["returned"]).to_numpy(), 0.0)
            inside = (row >= 0) & (day >= 0)
            row, day, net = row[inside], day[inside], net[inside]
            np.add.at(weekly.reshape(-1), row * weeks + day // 7, net)
            late = np.flatnonzero(day >= recent_from)
            if nets.dtype == np.float32 and _compact(net[late]).dtype != np.float32:
                nets = nets.astype(float)
            these = slice(there, there + len(late))
            rows[these], days_of[these], nets[these] = row[late], day[late] - recent_from, net[late]
            there += len(late)
        return cls(_compact(weekly), rows[:there], days_of[:there], nets[:there])

    def rows(self, rows: NDArray[np.intp]) -> UnitSales:
        """Some of the SKUs, by the week alone: their days are left out."""
        none = (np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0))
        return UnitSales(self.weekly[rows], *none)

    @property
    def weeks(self) -> int:
        """How many."""
        return int(self.weekly.shape[1])

    @property
    def first_week(self) -> NDArray[np.intp]:
        """Week of each SKU's first sale; the number of weeks when there is none."""
        sold = self.weekly > 0
        first = np.where(sold.any(axis=1), sold.argmax(axis=1), self.weeks)
        return np.asarray(first, dtype=np.intp)

    def totals(self, first: int, count: int, days: int) -> Floats:
        """Units over ``days`` days from the start of each of some weeks on.

        Args:
            first: The first of these weeks; all begin within the last ``RECENT_WEEKS`` weeks
                before the last day on which such a horizon fits.
            count: How many.
            days: They end before today.

        Returns:
            One row per SKU, one column per week.
        """
        whole, rest = divmod(days, 7)
        totals = np.empty((len(self.weekly), count))
        for at in range(0, len(totals), _TOGETHER):
            some = slice(at, at + _TOGETHER)
            weeks = self.weekly[some, first : first + count + whole]
            sums = np.zeros((len(weeks), weeks.shape[1] + 1))
            np.cumsum(weeks, axis=1, out=sums[:, 1:])
            totals[some] = sums[:, whole : whole + count] - sums[:, :count]
        if not rest:
            return totals
        before = max(self.weeks - RECENT_WEEKS, 0) - first - whole
        for at in range(0, len(self.row), AT_ONCE):
            some = slice(at, at + AT_ONCE)
            week = self.day[some] // 7 + before
            part = (week >= 0) & (week < count) & (self.day[some] % 7 < rest)
            place = self.row[some][part].astype(np.intp) * count + week[part]
            np.add.at(totals.reshape(-1), place, self.net[some][part].astype(float))
        return totals

    def by_weekday(self, today: date) -> Floats:
        """Square roots of each SKU's units, added up over it and the days of each weekday.

        One order of thousands of pieces would move a weekday; its square root does not.
        """
        days = 7 * min(self.weeks, RECENT_WEEKS)
        by_day = np.zeros(days)
        for at in range(0, len(self.day), AT_ONCE):
            some = slice(at, at + AT_ONCE)
            by_day += np.bincount(self.day[some], np.sqrt(self.net[some].astype(float)), days)
        weekday = (today.weekday() - days + np.arange(days)) % 7
        return np.asarray(np.bincount(weekday, by_day, 7), dtype=float)


def _compact(units: Floats) -> Units:
    """The same in single precision where that is exact."""
    single = units.astype(np.float32)
    return single if (single == units).all() else units
