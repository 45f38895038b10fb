"""From days to the frames of a snapshot: each day of the last half year, weeks before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blocks.store.days.block import EPOCH, Floats, ItemDays
from blocks.vocabulary.frames import DAILY_WEEKS, NO_ITEM

_NUMBERS = ("units", "returned", "revenue")
_TOTALS = ("units", "revenue", "returned")


class _Rows(NamedTuple):
    """Rows of SALES, their SKUs by number."""

    day: NDArray[np.int32]
    code: NDArray[np.int64]
    units: Floats
    returned: Floats
    revenue: Floats

    def where(self, chosen: NDArray[Any] | slice) -> _Rows:
        return _Rows(
            self.day[chosen],
            self.code[chosen],
            self.units[chosen],
            self.returned[chosen],
            self.revenue[chosen],
        )


def _together(parts: Iterable[_Rows]) -> _Rows:
    rows = list(parts)
    return _Rows(
        np.concatenate([np.zeros(0, np.int32), *(part.day for part in rows)]),
        np.concatenate([np.zeros(0, np.int64), *(part.code for part in rows)]),
        np.concatenate([np.zeros(0), *(part.units for part in rows)]),
        np.concatenate([np.zeros(0), *(part.returned for part in rows)]),
        np.concatenate([np.zeros(0), *(part.revenue for part in rows)]),
    )


@dataclass
class Frames:
    """Takes days, oldest first, and makes the frames ``sales`` and ``orders`` of them.

    What is older than ``DAILY_WEEKS`` is added up by week and SKU as it comes, so that years of
    days are never in memory together.

    Attributes:
        today: The day after the last.
    """

    today: date
    _codes: dict[str, int] = field(default_factory=dict)
    _days: list[_Rows] = field(default_factory=list)
    _weeks: list[_Rows] = field(default_factory=list)
    _begun: _Rows = field(default_factory=lambda: _together([]))
    _by_day: list[pd.DataFrame] = field(default_factory=list)

    def add(self, items: ItemDays) -> None:
        """Take some days, sorted; each is later than all before."""
        goods = np.array([sku != NO_ITEM for sku in items.skus], dtype=float)
        sold = goods[items.row] if len(goods) else np.zeros(0)
        self._by_day.append(
            pd.DataFrame(
                {
                    "day": items.day,
                    "units": items.units * sold,
                    "revenue": items.revenue,
                    "returned": items.returned * sold,
                }
            )
            .groupby("day", as_index=False)
            .sum()
        )
        codes = np.array(
            [self._codes.setdefault(sku, len(self._codes)) for sku in items.skus], dtype=np.int64
        )
        rows = _Rows(items.day, codes[items.row], items.units, items.returned, items.revenue)
        if not sold.all():
            rows = rows.where(sold > 0)
        recent = rows.day >= self._number - 7 * DAILY_WEEKS
        self._days.append(rows.where(recent))
        old = _together([self._begun, rows.where(~recent)])
        # The last week may go on in what comes next.
        whole = self._week(old.day) > (self._week(old.day[-1:]) if len(old.day) else 0)
        self._begun = old.where(~whole)
        self._weeks.append(self._by_week(old.where(whole)))

    def sales(self) -> pd.DataFrame:
        """Frame of contract SALES."""
        weeks = _together([*self._weeks, self._by_week(self._begun)])
        names = np.array(list(self._codes), dtype=object)
        order = np.argsort(names) if len(names) else np.zeros(0, np.int64)
        rank = np.empty(len(names), dtype=np.int64)
        rank[order] = np.arange(len(names))
        weeks = weeks.where(np.lexsort((rank[weeks.code], weeks.day)))
        rows = _together([weeks, *self._days])
        return pd.DataFrame(
            {
                "date": _dates(rows.day),
                "sku": pd.array(names[rows.code], dtype="str"),
                **{name: getattr(rows, name) for name in _NUMBERS},
            }
        )

    def orders(self, counts: dict[int, float]) -> pd.DataFrame:
        """Frame of contract ORDERS, with the number of orders of each day."""
        none = pd.DataFrame({"day": np.zeros(0, np.int32)} | {n: np.zeros(0) for n in _TOTALS})
        days = pd.concat([none, *self._by_day]).groupby("day", as_index=False).sum()
        counted = days["day"].map(counts).fillna(0.0).astype(float)
        frame = days.drop(columns="day")
        frame.insert(0, "date", _dates(days["day"].to_numpy()))
        frame.insert(1, "orders", counted)
        return frame

    @property
    def _number(self) -> int:
        return self.today.toordinal() - EPOCH

    def _week(self, day: NDArray[np.int32]) -> NDArray[np.int32]:
        """Whole weeks from a day to today."""
        return np.asarray((self._number - 1 - day) // 7, dtype=np.int32)

    def _by_week(self, rows: _Rows) -> _Rows:
        """One row per week and SKU: of the SKU's last selling day, with sums of all its days.

        What came back counts up to what was sold the same day: net units stay what they are by
        day, where an order and its cancellation vanish, and never fall below nothing.
        """
        if not len(rows.day):
            return rows
        key = -self._week(rows.day).astype(np.int64) << 32 | rows.code
        order = np.argsort(key, kind="stable")
        begins = np.flatnonzero(np.diff(key[order], prepend=key[order][0] - 1))
        sorted_ = rows.where(order)
        selling = np.where(sorted_.units > 0, sorted_.day, np.iinfo(np.int32).min)
        last = np.maximum.reduceat(selling, begins)
        last = np.where(last > np.iinfo(np.int32).min, last, sorted_.day[begins])
        return _Rows(
            last.astype(np.int32),
            sorted_.code[begins],
            np.add.reduceat(sorted_.units, begins),
            np.add.reduceat(np.minimum(sorted_.returned, sorted_.units), begins),
            np.add.reduceat(sorted_.revenue, begins),
        )


def _dates(day: NDArray[np.int32]) -> NDArray[np.datetime64]:
    return day.astype("datetime64[D]").astype("datetime64[us]")
