"""Reading days slice by slice, each statement with a deadline of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from blocks.errors import SourceTimeout
from blocks.store import sql
from blocks.store.days.block import Block, belongs, number_of
from blocks.store.days.gathering import Gathered, Skus
from blocks.store.days.sums import Span, Sums
from blocks.store.statements import Select

FIRST_DAYS = 7
"""Length of the first slice, the newest: it tells how fast this database is."""

QUICK = 0.4
"""When a slice takes less than this share of a deadline, the next one is twice as long: without an
index on the date each one costs a scan, and a few long ones are best."""

MOST_ROWS = 2_000_000
"""A slice with half as many sums is not made longer: they must fit into memory."""

MOST_REPEATED = 200_000
"""Lines of a slice in which duplicates are looked for: they are worth a word, not minutes."""

_AT_ONCE = 50_000  # rows that are taken from the driver
_LISTED = 500  # orders that are asked for at a time

RowReader = Callable[[Select, int], pd.DataFrame]
"""Reads rows of a SELECT of the n-th mapping as they came, with dates on the store's clock."""


class Slices:
    """Reads days of a store's sales.

    Args:
        connection: In a transaction that only reads.
        url: Of the database, for messages.
        sums: What is asked.
        seconds: That each statement may take.
        worth: See ``Gathered``.
        read_rows: Reads what cannot be added up.
    """

    def __init__(
        self,
        connection: sa.Connection,
        url: sa.URL,
        sums: Sums,
        seconds: float,
        worth: Mapping[str, float] | None,
        read_rows: RowReader,
    ) -> None:
        self._connection, self._url = connection, url
        self._sums, self._seconds = sums, seconds
        self._worth, self._read_rows = worth, read_rows
        self._length = FIRST_DAYS
        self._skus = Skus()

    def read(self, span: Span) -> Iterator[tuple[Span, Block]]:
        """The days of a span from its end on, in slices that are as long as the database allows.

        Raises:
            SourceTimeout: A single day takes longer than its deadline.
            SQLAlchemyError: It cannot be read.
            ContractViolation: The database cannot do what is asked.
        """
        end = span.end
        while end > span.first:
            part = Span(max(span.first, end - timedelta(days=self._length)), end)
            began = time.monotonic()
            try:
                block = self._read(part)
            except SourceTimeout:
                if part.days == 1 or self._connection.invalidated:
                    raise
                self._length = max(1, part.days // 2)
                continue
            yield part, block
            end = part.first
            quick = time.monotonic() - began < QUICK * self._seconds
            if quick and len(block.items.day) < MOST_ROWS / 2:
                self._length *= 2

    def nowhere(self, end: date) -> list[pd.DataFrame]:
        """Rows that lie on no day before ``end``, as they came."""
        with self._limited():
            return [self._read_rows(select, n) for n, select in enumerate(self._sums.nowhere(end))]

    def _read(self, span: Span) -> Block:
        gathered = Gathered(self._skus, self._worth)
        for rows in self._parts(self._sums.by_item(span)):
            gathered.add(rows)
        lines, unclean = gathered.lines, gathered.without_day
        if counts := self._sums.count(span):
            unclean = sum(self._fetch(count)[0][0] for count in counts) - lines
        block = gathered.block().within(span)
        told = block.told
        orders = self._by_day(self._sums.orders(span), span)
        told.orders = {day: float(count) for day, count in orders}
        if lines <= MOST_REPEATED:
            again = list(self._by_day(self._sums.repeated(span), span))
            told.repeated = (sum(int(times) for _, times, _ in again), again[0][2] if again else "")
        for n, select in enumerate(self._sums.unclean(span) if unclean else []):
            with self._limited():
                found = self._read_rows(select, n)
            found = found[belongs(found["sold_at"], span)]
            if len(found):
                told.singles.append(found.assign(counted=self._counted(found, span)))
        return block

    def _by_day(self, select: Select, span: Span) -> Iterator[tuple[Any, ...]]:
        """Rows that begin with a day of the span, which is told as a number."""
        for day, *rest in self._fetch(select):
            if day is not None and span.first.isoformat() <= str(day)[:10] < span.end.isoformat():
                yield number_of(day), *rest

    def _counted(self, rows: pd.DataFrame, span: Span) -> list[bool]:
        """Whether each row's order is counted already, for another line of it that day."""
        orders = [str(order).strip() for order in rows["order_id"]]
        distinct = sorted(set(orders))
        known: set[tuple[int, str]] = set()
        for at in range(0, len(distinct), _LISTED):
            asked = self._sums.among(span, distinct[at : at + _LISTED])
            known |= {(number_of(day), str(order)) for day, order in self._fetch(asked)}
        return [
            isinstance(when, pd.Timestamp) and (number_of(when), order) in known
            for when, order in zip(rows["sold_at"], orders, strict=True)
        ]

    def _limited(self) -> AbstractContextManager[None]:
        return sql.limited(self._connection, self._url, self._seconds)

    def _fetch(self, select: Select) -> list[tuple[Any, ...]]:
        with self._limited():
            return sql.fetch(self._connection, select)

    def _parts(self, select: Select) -> Iterator[Sequence[Sequence[Any]]]:
        """The rows of a SELECT, some at a time: a million of them take hundreds of megabytes."""
        in_binary = sql.in_binary(self._connection)
        with self._limited(), sql.own_fault(self._connection), in_binary:
            cursor: Any = self._connection.execute(select).cursor
            # The driver's own rows: to make SQLAlchemy's of them takes longer than all the rest.
            while part := cursor.fetchmany(_AT_ONCE):
                yield part
