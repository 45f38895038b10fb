"""Some days' sales, added up: what one reading of the database brings, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.store.days.sums import Span

Days = NDArray[np.int32]
Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 1).toordinal()

_NUMBERS = ("units", "returned", "revenue")


@dataclass(frozen=True)
class ItemDays:
    """Sums per day and SKU, in the columns of contract SALES.

    Attributes:
        day: Days since 1970.
        row: Which of ``skus``.
        units: Sold.
        returned: Units.
        revenue: Net, in the store's currency.
        skus: SKUs in order, those that are named among them.
    """

    day: Days
    row: NDArray[np.int32]
    units: Floats
    returned: Floats
    revenue: Floats
    skus: Sequence[str]

    @classmethod
    def of(cls, parts: Sequence[ItemDays]) -> ItemDays:
        """All parts together, one row per day and SKU, sorted by both."""
        parts = sorted((part for part in parts if len(part.day)), key=lambda part: part.day[0])
        skus = _all_skus(parts)
        day = _joined([part.day for part in parts], np.int32)
        row = _joined([_renumbered(part, skus) for part in parts], np.int32)
        key = day.astype(np.int64) * max(len(skus), 1) + row
        columns = (_joined([getattr(part, name) for part in parts]) for name in _NUMBERS)
        if not (np.diff(key) > 0).all():  # else parts of different days, each sorted already
            order = np.argsort(key)
            begins = np.flatnonzero(np.diff(key[order], prepend=key[order[0]] - 1))
            day, row = day[order[begins]], row[order[begins]]
            columns = (np.add.reduceat(column[order], begins) for column in columns)
        units, returned, revenue = columns
        return cls(day, row, units, returned, revenue, skus)

    @classmethod
    def of_sales(cls, sales: pd.DataFrame) -> ItemDays:
        """The rows of a SALES frame, with any SKUs."""
        row, skus = pd.factorize(sales["sku"].to_numpy(dtype=object), sort=True)
        day = sales["date"].to_numpy(dtype="datetime64[D]").astype(np.int32)
        units, returned, revenue = (
            sales[name].to_numpy(dtype=float) for name in ("units", "returned", "revenue")
        )
        rows = row.astype(np.int32)
        return cls.of([cls(day, rows, units, returned, revenue, [str(sku) for sku in skus])])

    def between(self, first: int, end: int) -> ItemDays:
        """The rows of some days; they must be sorted by day."""
        low, high = np.searchsorted(self.day, [first, end])
        some = slice(low, high)
        return ItemDays(
            self.day[some],
            self.row[some],
            self.units[some],
            self.returned[some],
            self.revenue[some],
            self.skus,
        )


@dataclass
class Told:
    """What is told of some days beside their sums per item.

    Attributes:
        orders: Per day (since 1970), how many orders had a unit sold.
        money: Per day and currency code ("" where none is told) its amount, and how many lines
            told it.
        repeated: Lines that are exact duplicates of another one, and an order that has one.
        singles: Rows of contract SALE_LINES that must be read one by one, as they came, with
            dates on the store's clock; and ``counted``, whether their order is in ``orders``
            already.
    """

    orders: dict[int, float] = field(default_factory=dict)
    money: dict[tuple[int, str], tuple[float, int]] = field(default_factory=dict)
    repeated: tuple[int, str] = (0, "")
    singles: list[pd.DataFrame] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Iterable[Told]) -> Told:
        """All parts together; a day's orders are those of the part that tells them."""
        whole = cls()
        for part in parts:
            whole.orders |= part.orders
            for key, (amount, count) in part.money.items():
                before = whole.money.get(key, (0.0, 0))
                whole.money[key] = (before[0] + amount, before[1] + count)
            count, example = whole.repeated
            whole.repeated = (count + part.repeated[0], example or part.repeated[1])
            whole.singles += part.singles
        return whole

    def within(self, span: Span) -> Told:
        """What it tells of some days; the duplicates, of which no day is known, aside."""
        first, end = number_of(span.first), number_of(span.end)
        singles = [rows[belongs(rows["sold_at"], span)] for rows in self.singles]
        return Told(
            {day: count for day, count in self.orders.items() if first <= day < end},
            {key: told for key, told in self.money.items() if first <= key[0] < end},
            singles=[rows for rows in singles if len(rows)],
        )

    @property
    def lines(self) -> int:
        """Lines that were added up."""
        return sum(count for _, count in self.money.values())

    @property
    def amount(self) -> float:
        """Money that was added up, returns and all, whatever its currency."""
        return sum(abs(amount) for amount, _ in self.money.values())


@dataclass(frozen=True)
class Block:
    """Some days' sales: sums per day and SKU, sorted by both, and what is told beside them."""

    items: ItemDays
    told: Told

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Block:
        """Several blocks as one."""
        items = ItemDays.of([block.items for block in blocks])
        return cls(items, Told.of(block.told for block in blocks))

    def within(self, span: Span) -> Block:
        """What it tells of some days."""
        items = self.items.between(number_of(span.first), number_of(span.end))
        return Block(items, self.told.within(span))

    def differing_days(self, other: Block, by: float) -> list[date]:
        """Days of which the two tell other orders, lines or units, or money that differs."""
        mine, others = self._by_day(), other._by_day()
        none = (0.0, 0.0, 0.0, 0.0)
        days = sorted(mine.keys() | others.keys())
        return [
            date.fromordinal(day + EPOCH)
            for day in days
            if any(
                abs(a - b) >= by
                for a, b in zip(mine.get(day, none), others.get(day, none), strict=True)
            )
        ]

    def _by_day(self) -> dict[int, tuple[float, ...]]:
        items = self.items
        days, at = np.unique(items.day, return_inverse=True)
        sums = [np.bincount(at, each) for each in (items.units, items.returned, items.revenue)]
        orders = [self.told.orders.get(int(day), 0.0) for day in days]
        return {
            int(day): tuple(map(float, told))
            for day, *told in zip(days, orders, *sums, strict=True)
        }


class Read:
    """Blocks as they are read, newest first, of which parts are taken once they are complete."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Span, Block]] = []
        self._repeated = (0, "")

    def add(self, span: Span, block: Block) -> None:
        """Take the block of a span that ends where the one before begins."""
        count, example = self._repeated
        self._repeated = (count + block.told.repeated[0], example or block.told.repeated[1])
        self._blocks.append((span, block))

    def take(self, span: Span) -> Block:
        """The newest days that are there, and the duplicates that were found till now."""
        whole = Block.of([block.within(span) for _, block in self._blocks])
        whole.told.repeated, self._repeated = self._repeated, (0, "")
        self._blocks = [each for each in self._blocks if each[0].first < span.first]
        return whole


def number_of(day: Any) -> int:
    """Days since 1970, of a date, a time or ISO text."""
    return date.fromisoformat(str(day)[:10]).toordinal() - EPOCH


def belongs(sold_at: pd.Series[Any], span: Span) -> NDArray[np.bool_]:
    """Rows of some days; what is no date belongs to the day that its text begins with."""
    told = sold_at.map(lambda when: str(when).removeprefix("no ISO date: ")[:10])
    inside = (told >= span.first.isoformat()) & (told < span.end.isoformat())
    return np.asarray(inside, dtype=bool)


def days_of(values: Iterable[Any]) -> Days:
    """Days since 1970, of dates or ISO texts; each distinct one is read once."""
    codes, distinct = pd.factorize(np.array(list(values), dtype=object))
    days = np.array([number_of(each) for each in distinct], dtype=np.int32)
    return np.asarray(days[codes], dtype=np.int32)


def _all_skus(parts: Sequence[ItemDays]) -> Sequence[str]:
    """The SKUs of all parts, in order."""
    first = parts[0].skus if parts else []
    if all(part.skus is first for part in parts):
        return first
    return sorted({sku for part in parts for sku in part.skus})


def _renumbered(part: ItemDays, skus: Sequence[str]) -> NDArray[np.int32]:
    """Which of ``skus`` each row of a part is."""
    if part.skus is skus:
        return part.row
    places = dict(zip(skus, range(len(skus)), strict=True))
    at = np.fromiter(map(places.__getitem__, part.skus), np.int32, len(part.skus))
    return at[part.row]


def _joined(parts: Sequence[NDArray[Any]], kind: Any = np.float64) -> NDArray[Any]:
    """The parts of a column one after the other; of a single one no copy."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, kind), *parts])
