"""Reads how many orders a store had in each five minutes, the newest first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import sqlalchemy as sa

from blocks.errors import ContractViolation, SourceTimeout
from blocks.store import sql
from blocks.store.days.sums import Span, Sums
from blocks.store.hours.asking import STEP_SECONDS, money_by_step, orders_by_step
from blocks.store.hours.counts import BIN, OrderCounts, floored
from blocks.store.mapping import StoreSource
from blocks.store.rows import FrameReader
from blocks.store.statements import Select, Statement, statement
from blocks.vocabulary.frames import NO_CURRENCY

SLICE = timedelta(days=14)
"""So much of the past is asked for at a time."""

FEW = 20
"""From so many orders on, all of them at midnight tells that the time of day is not kept."""

_ELSEWHERE = {
    "an order line of whatever state": ("sale_lines", "sold_at"),
    "a count of stock": ("stock", "updated_at"),
    "a purchase order": ("open_orders", "ordered_at"),
}
"""What of a database tells that it is written to, by what it is called."""

_NEEDED = frozenset({"order_id", "sku", "sold_at", "units"})


def count_orders(
    store: StoreSource, since: datetime, until: datetime, seconds: float
) -> OrderCounts:
    """See StoreDatabase.count_orders, which calls this in a thread."""
    deadline = time.monotonic() + seconds
    with sql.reading(store.url, seconds + store.statement_timeout, store.reach) as connection:
        counting = _Counting(store, connection)
        begin, end = floored(since), floored(until)
        parts: list[OrderCounts] = []
        while end > begin and (not parts or time.monotonic() < deadline):
            first = max(begin, end - SLICE)
            try:
                parts.insert(0, counting.read(first, end))
            except SourceTimeout:
                if not parts or connection.invalidated:
                    raise
                break
            end = first
    found = _joined(parts)
    _refuse_dates(found, ZoneInfo(store.timezone))
    return found


def newest_elsewhere(store: StoreSource) -> dict[str, datetime]:
    """See StoreDatabase.newest_elsewhere, which calls this in a thread."""
    found: dict[str, datetime] = {}
    zone = ZoneInfo(store.timezone)
    with sql.reading(store.url, store.statement_timeout, store.reach) as connection:
        reader = FrameReader(connection, zone, store.decimal_mark)
        for what, (frame, column) in _ELSEWHERE.items():
            for mapping in store.frames.get(frame, ()):
                if column not in mapping.columns:
                    continue
                bare = mapping.model_copy(update={"where": {}, "where_not": {}, "keep": ""})
                asked = statement(reader.schema, frame, bare)
                newest = sa.func.max(asked.columns[column]).label(column)
                rows = reader.as_they_came(
                    frame,
                    Statement(asked.select, {column: asked.columns[column]}, asked.utc),
                    asked.select.with_only_columns(newest),
                )
                at = rows[column].iloc[0]
                if isinstance(at, pd.Timestamp):
                    instant = at.to_pydatetime().replace(tzinfo=zone).astimezone(UTC)
                    found[what] = max(instant, found.get(what, instant))
    return found


class _Counting:
    """Counts the orders of one store through one connection."""

    def __init__(self, store: StoreSource, connection: sa.Connection) -> None:
        self._store, self._connection = store, connection
        self._zone = ZoneInfo(store.timezone)
        mappings = store.frames.get("sale_lines", [])
        if not mappings:
            raise ContractViolation(
                "sale_lines is not mapped: orders cannot be counted.",
                hint="Let ./orchestrator connect URL propose the mapping.",
            )
        if not all(_has_all(set(mapping.columns)) for mapping in mappings):
            raise ContractViolation(
                "sale_lines: orders are counted by order_id, sku, sold_at, units and what a line "
                "brings.",
                hint="Map these columns.",
            )
        reader = FrameReader(connection, self._zone, store.decimal_mark)
        asked = [statement(reader.schema, "sale_lines", mapping) for mapping in mappings]
        self._dialect = reader.schema.dialect
        self._sums = Sums(asked, self._dialect, self._zone)
        if self._sums.dates_only:
            raise _dates_only()
        if not self._sums.possible:
            raise ContractViolation(
                "sale_lines: the types of its columns do not let the database count orders by time."
            )
        local = self._sums.local
        if local is None:
            raise ContractViolation(
                "sale_lines: some of its tables keep times in UTC and others on the store's clock."
            )
        self._local = local

    def read(self, begin: datetime, end: datetime) -> OrderCounts:
        """The steps from ``begin`` on and before ``end``."""
        span = Span(
            begin.astimezone(self._zone).date(),
            end.astimezone(self._zone).date() + timedelta(days=1),
        )
        orders: dict[int, tuple[float, int]] = {}
        with self._limited():
            for step, count, second in self._fetch(orders_by_step(self._sums, span, self._dialect)):
                orders[int(step)] = (float(count), int(second))
        money: dict[int, float] = {}
        worth = self._worth()
        with self._limited():
            for step, code, total in self._fetch(money_by_step(self._sums, span, self._dialect)):
                rate = 1.0 if worth is None else worth.get(code, 0.0)
                money[int(step)] = money.get(int(step), 0.0) + rate * float(total or 0.0)
        steps, unclear = self._steps(begin, end)
        counts = np.array([0.0 if step < 0 else orders.get(step, (0.0, 0))[0] for step in steps])
        takings = np.array([0.0 if step < 0 else money.get(step, 0.0) for step in steps])
        there = [orders[step][1] for step in set(steps.tolist()) if step in orders]
        newest = self._instant(max(there), end) if there else None
        return OrderCounts(begin, counts, takings, newest, unclear)

    def _steps(self, begin: datetime, end: datetime) -> tuple[np.ndarray, np.ndarray]:
        """Each step's number on the clock that times are kept by; which of them are unclear.

        The hour that a local clock has twice is counted when it comes first; -1 is no number.
        """
        times = pd.date_range(begin, end, freq=BIN, inclusive="left")
        if not self._local:
            return _numbers(times), np.zeros(len(times), dtype=bool)
        numbers = _numbers(times.tz_convert(self._zone).tz_localize(None).tz_localize("UTC"))
        seen: dict[int, int] = {}
        unclear = np.zeros(len(numbers), dtype=bool)
        for at, number in enumerate(numbers.tolist()):
            if number in seen:
                unclear[[seen[number], at]] = True
                numbers[at] = -1
            seen.setdefault(number, at)
        return numbers, unclear

    def _instant(self, second: int, end: datetime) -> datetime:
        """The instant of a second on the clock that times are kept by."""
        plain = datetime.fromtimestamp(second, UTC)
        if not self._local:
            return plain
        later = plain.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        return later if later < end else plain.replace(tzinfo=self._zone).astimezone(UTC)

    def _fetch(self, select: Select) -> list[tuple[Any, ...]]:
        return [row for row in sql.fetch(self._connection, select) if row[0] is not None]

    def _limited(self) -> AbstractContextManager[None]:
        return sql.limited(self._connection, self._store.url, self._store.statement_timeout)

    def _worth(self) -> Mapping[str, float] | None:
        """What one unit of each currency is in the store's; None where amounts are as they are."""
        told = any("currency" in each.columns for each in self._store.frames["sale_lines"])
        if not told or self._store.currency == NO_CURRENCY:
            return None
        return {"": 1.0, self._store.currency: 1.0, **self._store.rates}


def _numbers(times: pd.DatetimeIndex) -> np.ndarray:
    seconds = (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=STEP_SECONDS)
    return seconds.to_numpy().astype(np.int64)


def _has_all(columns: set[str]) -> bool:
    return columns >= _NEEDED and not columns.isdisjoint({"revenue", "unit_price"})


def _joined(parts: list[OrderCounts]) -> OrderCounts:
    newest = [part.newest for part in parts if part.newest]
    return OrderCounts(
        parts[0].begin,
        np.concatenate([part.orders for part in parts]),
        np.concatenate([part.revenue for part in parts]),
        max(newest, default=None),
        np.concatenate([part.unclear for part in parts]),
    )


def _refuse_dates(counts: OrderCounts, zone: ZoneInfo) -> None:
    """Raises ContractViolation where all orders were made at midnight."""
    if counts.orders.sum() < FEW:
        return
    times = pd.date_range(counts.begin, periods=len(counts.orders), freq=BIN)
    times = times[counts.orders > 0]
    for clock in (times, times.tz_convert(zone)):
        if not (clock.hour.to_numpy().any() or clock.minute.to_numpy().any()):
            raise _dates_only()


def _dates_only() -> ContractViolation:
    return ContractViolation(
        "sale_lines: orders have a date and no time of day: they cannot be judged by the hour.",
        hint="Map sold_at to a column that holds the time of the order, if there is one.",
    )
