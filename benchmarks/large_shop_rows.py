"""A shop of any size, drawn from the sample's two years of a real one, in a database.

Each item follows one of the sample's 200 products over the year: the same days, quantities and
relative prices, up to twelve weeks later, of which a part was drawn by chance so that no two are
alike. Lines of a day are put together to orders of the sizes that the sample's orders have; what
comes back is an order of its own. On the average an item has 500 lines in 730 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.settings import PROJECT_ROOT

LINES_PER_ITEM = 500
DAYS = 730

_SAMPLE = PROJECT_ROOT / "deployments/sample/data/online_retail_slice.csv.gz"
_PERIOD = 95 * 7  # whole weeks, so that weekdays stay what they are
_LATEST_SHIFT = 12  # weeks

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DayOfLines:
    """The order lines of one day, order by order.

    Attributes:
        day: Which.
        order: Number of each line's order, counted from the shop's first; rising.
        minute: Of the day, of each line's order.
        item: Number of each line's item, from 0.
        units: Negative where they came back.
        cents: Price of a unit.
    """

    day: date
    order: Ints
    minute: Ints
    item: Ints
    units: Ints
    cents: Ints


class Shop:
    """A shop that sold for two years.

    Args:
        items: How many goods it sells.
        today: Its first day without lines.
        seed: Of chance: the same shop each time.
    """

    def __init__(self, items: int, today: date, seed: int = 1) -> None:
        self.items, self.today, self.seed = items, today, seed
        chance = np.random.default_rng(seed)
        self._like = chance.integers(0, self._sample.products, items)
        self._shift = 7 * chance.integers(0, _LATEST_SHIFT + 1, items)
        self._dearer = np.exp(chance.normal(0, 0.3, items))

    @cached_property
    def _sample(self) -> Sample:
        return Sample.read()

    def sku(self, item: int) -> str:
        """The SKU of an item."""
        return f"A{item:06}"

    def days(self) -> Iterator[DayOfLines]:
        """The lines of each day on which anything was sold, oldest first."""
        chance = np.random.default_rng(self.seed + 1)
        sample, orders = self._sample, 0
        drawn = LINES_PER_ITEM * self.items / self._undrawn()
        for number in range(DAYS):
            then = (number - DAYS - self._shift) % _PERIOD
            begin = sample.first[self._like, then]
            count = sample.first[self._like, then + 1] - begin
            item = np.repeat(np.arange(self.items), count)
            line = np.arange(len(item)) - np.repeat(np.cumsum(count) - count - begin, count)
            kept = np.flatnonzero(chance.random(len(item)) < drawn)
            chance.shuffle(kept)
            item, line = item[kept], line[kept]
            back = np.argsort(sample.units[line] < 0, kind="stable")
            item, line = item[back], line[back]
            if not len(line):
                continue
            ends = np.cumsum(chance.choice(sample.sizes, len(line)))
            returned = int((sample.units[line] < 0).sum())
            ends = np.union1d(ends[ends < len(line)], [len(line) - returned, len(line)])
            ends = ends[ends > 0]
            sizes = np.diff(ends, prepend=0)
            minutes = np.sort(chance.integers(8 * 60, 20 * 60, len(sizes)))
            cents = np.maximum(np.round(sample.cents[line] * self._dearer[item]), 0)
            yield DayOfLines(
                self.today - timedelta(days=DAYS - number),
                orders + np.repeat(np.arange(1, len(sizes) + 1), sizes),
                np.repeat(minutes, sizes),
                item,
                sample.units[line],
                np.where(sample.cents[line] > 0, np.maximum(cents, 1), 0).astype(np.int64),
            )
            orders += len(sizes)

    def _undrawn(self) -> int:
        """Lines that the shop would have if all were drawn."""
        total = 0
        for number in range(DAYS):
            then = (number - DAYS - self._shift) % _PERIOD
            sample = self._sample
            total += int(
                (sample.first[self._like, then + 1] - sample.first[self._like, then]).sum()
            )
        return total


@dataclass(frozen=True)
class Sample:
    """The lines of the sample's last 95 weeks, by product and day.

    Attributes:
        first: Per product and day, the first of its lines; of shape (products, days + 1).
        units: Of each line.
        cents: Price of a unit of each line.
        sizes: Lines of each order.
    """

    first: Ints
    units: Ints
    cents: Ints
    sizes: Ints

    @property
    def products(self) -> int:
        """How many."""
        return len(self.first)

    @classmethod
    def read(cls) -> Sample:
        """The sample that is in the repository."""
        lines = pd.read_csv(_SAMPLE, dtype={"invoice": str, "sku": str})
        when = pd.to_datetime(lines["ts"]).dt.normalize()
        day = _PERIOD - 1 - (when.max() - when).dt.days
        lines = lines.assign(day=day, product=lines["sku"].astype("category").cat.codes)
        lines = lines[day >= 0].sort_values(["product", "day"], kind="stable")
        products = int(lines["product"].max()) + 1
        cell = lines["product"].to_numpy(dtype=np.int64) * _PERIOD + lines["day"].to_numpy()
        counts = np.bincount(cell, minlength=products * _PERIOD)
        ends = np.cumsum(counts).reshape(products, _PERIOD)
        first = np.column_stack([ends - counts.reshape(products, _PERIOD), ends[:, -1]]).astype(
            np.int64
        )
        return cls(
            first,
            lines["quantity"].to_numpy(dtype=np.int64),
            (100 * lines["unit_price"]).round().to_numpy(dtype=np.int64),
            np.asarray(lines.groupby("invoice").size(), dtype=np.int64),
        )
