"""From days to the frames of a snapshot: each day of the last half year, weeks before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.machine.memory import give_back
from blocks.store.days.block import EPOCH, Floats, ItemDays
from blocks.store.days.gathering import Skus
from blocks.vocabulary.frames import DAILY_WEEKS, NO_ITEM

_NUMBERS = ("units", "returned", "revenue")
_TOTALS = ("units", "revenue", "returned")


class _Rows(NamedTuple):
    """Rows of SALES, their SKUs by number."""

    day: NDArray[np.int32]
    code: NDArray[np.int32]
    units: Floats
    returned: Floats
    revenue: Floats

    def where(self, chosen: NDArray[Any] | slice) -> _Rows:
        return self._of([column[chosen] for column in self])

    def copied(self) -> _Rows:
        """The same, which keeps no larger arrays in memory."""
        return self._of([column.copy() for column in self])

    def then(self, others: _Rows) -> _Rows:
        """These rows and others."""
        if not len(self.day):
            return others
        pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(self, others, strict=True)
        return self._of([np.concatenate(pair) for pair in pairs])

    @classmethod
    def _of(cls, columns: Sequence[NDArray[Any]]) -> _Rows:
        day, code, units, returned, revenue = columns
        return cls(day, code, units, returned, revenue)


_NONE = _Rows(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass
class Frames:
    """Takes days, oldest first, and makes the frames ``sales`` and ``orders`` of them.

    What is older than ``DAILY_WEEKS`` is added up by week and SKU as it comes, so that years of
    days are never in memory together.

    Attributes:
        today: The day after the last.
    """

    today: date
    _skus: Skus = field(default_factory=Skus)
    _latest: tuple[Sequence[str], NDArray[np.int32]] = ((), _NONE.code)
    _rows: list[_Rows] = field(default_factory=list)
    _begun: _Rows = _NONE
    _by_day: list[pd.DataFrame] = field(default_factory=list)

    def add(self, items: ItemDays) -> None:
        """Take some days, sorted; each is later than all before."""
        goods = np.array([sku != NO_ITEM for sku in items.skus], dtype=bool)
        sold = goods[items.row] if len(goods) else np.zeros(0, dtype=bool)
        self._add_up(items, sold)
        code = self._codes(items.skus)[items.row]
        rows = _Rows(items.day, code, items.units, items.returned, items.revenue)
        if not sold.all():
            rows = rows.where(sold)
        # Days are sorted: parts of them are no copies.
        recent = int(np.searchsorted(rows.day, self._number - 7 * DAILY_WEEKS))
        old = self._begun.then(rows.where(slice(recent)))
        # The last week may go on in what comes next.
        ends = recent < len(rows.day)
        whole = len(old.day) if ends else self._begin_of_last_week(old.day)
        self._begun = old.where(slice(whole, None)).copied()
        self._rows.append(self._by_week(old.where(slice(whole))))
        if ends:
            self._rows.append(rows.where(slice(recent, None)))

    def sales(self) -> pd.DataFrame:
        """Frame of contract SALES; what was taken is given up, as it would be in memory twice."""
        parts = [*self._rows, self._by_week(self._begun)]
        self._rows.clear()
        self._begun = _NONE
        # Column by column, each given up as soon as it is where it stays.
        columns = dict(zip(_Rows._fields, map(list, zip(*parts, strict=True)), strict=True))
        del parts
        numbers = np.empty((len(_NUMBERS), sum(map(len, columns["day"]))))
        for at, name in enumerate(_NUMBERS):
            np.concatenate(columns.pop(name), out=numbers[at])
            give_back()
        frame = pd.DataFrame(numbers.T, columns=list(_NUMBERS), copy=False)
        names = np.array(list(self._skus), dtype=object)
        code = np.concatenate(columns.pop("code"))
        frame.insert(0, "sku", pd.array(names[code], dtype="str", copy=False))
        del code
        frame.insert(0, "date", _dates(np.concatenate(columns.pop("day"))))
        return frame

    def orders(self, counts: dict[int, float]) -> pd.DataFrame:
        """Frame of contract ORDERS, with the number of orders of each day."""
        none = pd.DataFrame({"day": np.zeros(0, np.int32)} | {n: np.zeros(0) for n in _TOTALS})
        days = pd.concat([none, *self._by_day]).groupby("day", as_index=False).sum()
        counted = days["day"].map(counts).fillna(0.0).astype(float)
        frame = days.drop(columns="day")
        frame.insert(0, "date", _dates(days["day"].to_numpy()))
        frame.insert(1, "orders", counted)
        return frame

    def _add_up(self, items: ItemDays, sold: NDArray[np.bool_]) -> None:
        """The totals of each day; what is no item has no units that could be counted."""
        day, at = np.unique(items.day, return_inverse=True)
        totals = {
            "units": np.bincount(at, items.units * sold, len(day)),
            "revenue": np.bincount(at, items.revenue, len(day)),
            "returned": np.bincount(at, items.returned * sold, len(day)),
        }
        self._by_day.append(pd.DataFrame({"day": day} | totals))

    def _codes(self, skus: Sequence[str]) -> NDArray[np.int32]:
        """Our number of each of some SKUs."""
        if self._latest[0] is not skus:
            numbers = np.fromiter(map(self._skus.__getitem__, skus), np.int32, len(skus))
            self._latest = skus, numbers
        return self._latest[1]

    @property
    def _number(self) -> int:
        return self.today.toordinal() - EPOCH

    def _week(self, day: NDArray[np.int32]) -> NDArray[np.int32]:
        """Whole weeks from a day to today."""
        return np.asarray((self._number - 1 - day) // 7, dtype=np.int32)

    def _begin_of_last_week(self, day: NDArray[np.int32]) -> int:
        """The row with which the week of the last row begins."""
        if not len(day):
            return 0
        first = self._number - 7 * (int(self._week(day[-1:])[0]) + 1)
        return int(np.searchsorted(day, first))

    def _by_week(self, rows: _Rows) -> _Rows:
        """One row per week and SKU, of the SKU's last selling day, with sums of all its days.

        What came back counts up to what was sold the same day: net units stay what they are by
        day, where an order and its cancellation vanish, and never fall below nothing.

        Args:
            rows: Of whole weeks, sorted by day.

        Returns:
            Sorted by day and SKU, as the weeks follow each other.
        """
        if not len(rows.day):
            return _NONE  # an empty part of rows would keep all of them in memory
        _, rank = self._skus.ranked()
        place = rank[rows.code]
        key = -self._week(rows.day).astype(np.int64) << 32 | place
        order = np.argsort(key, kind="stable")
        begins = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
        first = order[begins]
        sold = np.where(rows.units > 0, rows.day, _NEVER)
        last = np.maximum.reduceat(sold[order], begins)
        last = np.where(last > _NEVER, last, rows.day[first])
        weeks = _Rows(
            last.astype(np.int32),
            rows.code[first],
            np.add.reduceat(rows.units[order], begins),
            np.add.reduceat(np.minimum(rows.returned, rows.units)[order], begins),
            np.add.reduceat(rows.revenue[order], begins),
        )
        return weeks.where(np.argsort(weeks.day.astype(np.int64) << 32 | place[first]))


_NEVER = np.iinfo(np.int32).min


def _dates(day: NDArray[np.int32]) -> NDArray[np.datetime64]:
    instants = day.astype(np.int64)
    instants *= 24 * 3600 * 1_000_000
    return instants.view("datetime64[us]")
