"""What the database added up, gathered as it comes: a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blocks.store.days.block import Block, ItemDays, Told, number_of

Row = Sequence[Any]
"""What ``Sums.by_item`` tells: day, SKU, currency, units, units returned, money, lines."""

_NO_DAY = int(np.iinfo(np.int32).min)
_DAY, _SKU, _CODE, _UNITS, _RETURNED, _MONEY, _LINES = range(7)


class Numbers(dict[Any, int]):
    """A number for each value that is asked for; a new one gets what ``made`` says, or the next."""

    def __init__(self, made: Callable[[Any], int] | None = None) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, value: Any) -> int:
        self[value] = number = self._made(value) if self._made else len(self)
        return number

    def of(self, rows: Sequence[Row], column: int, kind: Any) -> NDArray[Any]:
        """The number of each row's value in a column."""
        return np.fromiter(map(self.__getitem__, map(itemgetter(column), rows)), kind, len(rows))


class Skus(Numbers):
    """SKUs by number, in the order in which they came, and where each is in the alphabet."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._rank = np.zeros(0, np.int32)

    def ranked(self) -> tuple[list[str], NDArray[np.int32]]:
        """All SKUs in order, the same list until there is a new one; each number's place in it."""
        if len(self._names) < len(self):
            # Sorting is quick where most is in order already.
            self._names = sorted([*self._names, *islice(self, len(self._names), None)])
            self._rank = np.empty(len(self), dtype=np.int32)
            self._rank[[self[name] for name in self._names]] = np.arange(len(self))
        return self._names, self._rank


class Gathered:
    """Sums of some days, taken as they come from the database's driver.

    Attributes:
        lines: How many lines were added up or, without a day, only counted.
        without_day: How many of them were only counted.

    Args:
        skus: Numbers of SKUs, which all blocks of a reading may share.
        worth: Currency code to what one unit of it is in the store's currency; None takes all
            amounts as they are. A currency that is missing is worth nothing: it is kept apart.
    """

    def __init__(self, skus: Skus, worth: Mapping[str, float] | None) -> None:
        self.lines = self.without_day = 0
        self._skus, self._worth = skus, worth
        self._days = Numbers(lambda day: _NO_DAY if day is None else number_of(day))
        self._codes = Numbers()
        self._columns: list[tuple[NDArray[Any], ...]] = []
        self._told = Told()

    def add(self, rows: Sequence[Row]) -> None:
        """Take some rows."""
        day = self._days.of(rows, _DAY, np.int32)
        lines = _numbers(rows, _LINES, np.int64)
        self.lines += int(lines.sum())
        if (day == _NO_DAY).any():
            self.without_day += int(lines[day == _NO_DAY].sum())
            rows = [row for row in rows if row[_DAY] is not None]
            day, lines = day[day != _NO_DAY], _numbers(rows, _LINES, np.int64)
        code = self._codes.of(rows, _CODE, np.int32)
        money = _numbers(rows, _MONEY, float)
        self._tell(day, code, money, lines)
        if self._worth is not None:
            money = money * np.array([self._worth.get(each, 0.0) for each in self._codes])[code]
        sku = self._skus.of(rows, _SKU, np.int32)
        sold = (_numbers(rows, column, float) for column in (_UNITS, _RETURNED))
        self._columns.append((day, sku, *sold, money))

    def block(self) -> Block:
        """All of it together; what was taken is given up."""
        names, rank = self._skus.ranked()
        parts = []
        while self._columns:
            day, sku, units, returned, money = self._columns.pop()
            parts.append(ItemDays(day, rank[sku], units, returned, money, names))
        return Block(ItemDays.of(parts), self._told)

    def _tell(
        self,
        day: NDArray[np.int32],
        code: NDArray[np.int32],
        money: NDArray[np.float64],
        lines: NDArray[np.int64],
    ) -> None:
        """Money and lines per day and currency."""
        if not len(day):
            return
        codes, first = list(self._codes), int(day.min())
        cell = (day - first) * len(codes) + code
        sums, counts = np.bincount(cell, money), np.bincount(cell, lines)
        for at in np.flatnonzero(counts).tolist():
            key = (first + at // len(codes), str(codes[at % len(codes)]))
            amount, count = self._told.money.get(key, (0.0, 0))
            self._told.money[key] = (amount + float(sums[at]), count + int(counts[at]))


def _numbers(rows: Sequence[Row], column: int, kind: Any) -> NDArray[Any]:
    return np.fromiter(map(itemgetter(column), rows), kind, len(rows))
