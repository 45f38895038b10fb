"""Sales of a store by day: what is settled from files, the rest added up by the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import sqlalchemy as sa

from blocks.errors import ContractViolation, EmptySource, SourceTimeout
from blocks.machine.memory import give_back
from blocks.store import sql
from blocks.store.days.again import look_again
from blocks.store.days.block import Block, ItemDays, Read, Told, number_of
from blocks.store.days.kept import KeptMonths, whole_months
from blocks.store.days.lines import SalesRead
from blocks.store.days.singles import Singles, add_up
from blocks.store.days.slices import Slices
from blocks.store.days.sums import Span, Sums
from blocks.store.days.trading_days import Period
from blocks.store.days.weeks import Frames
from blocks.store.mapping import StoreSource
from blocks.store.rows import FrameReader, tables_of
from blocks.store.statements import Select, Statement, statement
from blocks.vocabulary.frames import NO_CURRENCY, Problem

READING_SECONDS = 600.0
"""What a first reading may take; what it did not get to is read the next time."""

LONGEST_READING = READING_SECONDS + 100.0
"""After which we hang up: the statement that is going on then has its own time."""

LOOK_AGAIN_DAYS = 7
"""Lines without a day are looked for so often, once there were none: that reads whole tables."""

_NEEDED = ("order_id", "sku", "sold_at", "units")


class DayReader:
    """Reads the sales of a store by day.

    Args:
        store: The store.
        reader: Reads single rows, through the connection that is used for all.
        period: Its end is today.
        kept: Settled months; None reads all from the database.
        seconds: When they are over, what was not got to is left for the next reading.

    Raises:
        ContractViolation: A table or column does not exist, a filter is misspelt, a join finds
            several rows for one.
    """

    def __init__(
        self,
        store: StoreSource,
        reader: FrameReader,
        period: Period,
        kept: KeptMonths | None,
        seconds: float = READING_SECONDS,
    ) -> None:
        self._store, self._reader, self._period, self._kept = store, reader, period, kept
        self._first, self._today = period.start.date(), period.end.date()
        self._mappings = store.frames["sale_lines"]
        self._asked: list[Statement] = []
        if all(_has_all(set(mapping.columns)) for mapping in self._mappings):
            for mapping in self._mappings:
                reader.look_over("sale_lines", mapping)
                self._asked.append(statement(reader.schema, "sale_lines", mapping))
        self._sums = Sums(self._asked, reader.schema.dialect, reader.zone)
        self._slices = Slices(
            reader.connection,
            store.url,
            self._sums,
            store.statement_timeout,
            self._worth(),
            self._rows,
        )
        self._blocks: dict[date, Block] = {}
        self._problems: list[Problem] = []
        self._single_rows = self._beyond = 0
        self._cut: date | None = None
        self._seconds, self._deadline = seconds, time.monotonic() + seconds

    @property
    def possible(self) -> bool:
        """Whether the database can add the lines up: whether their columns' types let it."""
        return bool(self._asked) and self._sums.possible

    def read(self) -> SalesRead:
        """Read the period's days.

        Raises:
            ContractViolation: No line is usable, or amounts are in several currencies.
            EmptySource: There is no line.
            SQLAlchemyError: It cannot be read; see ``sql.reading``.
        """
        parts = self._parts()
        if self._kept:
            months = [part for part in parts if self._is_month(part)]
            self._problems += look_again(self._kept, months, self._today, self._read)
        read_from = self._read_missing(parts)
        parts = [part for part in parts if part.end > read_from]
        told = Told.of(self._told(part) for part in parts)
        rows = ([] if self._cut else self._nowhere()) + told.singles
        if not (rows or told.lines or self._cut):
            raise EmptySource(self._reader.nothing("sale_lines", self._mappings, self._period))
        singles = self._one_by_one(rows, told, read_from)
        frames = Frames(self._today)
        for part in parts:
            give_back()  # what reading a part took: the frames need as much
            frames.add(self._with(singles.items, part))
            self._blocks.pop(part.first, None)
        sales, orders = frames.sales(), frames.orders(_added(told.orders, singles.orders))
        problems = [*singles.problems, *self._problems]
        if orders.empty:
            tables = tables_of(self._mappings)
            why = "; ".join(map(str, problems)) or "none is in the period"
            raise ContractViolation(f"no row of {tables} is usable: {why}.")
        return SalesRead(sales, orders, singles.currency, problems)

    def _parts(self) -> list[Span]:
        """The period in parts, oldest first: each settled month, what is before, what is after."""
        settled = self._today - timedelta(days=self._store.settled_days)
        months = list(whole_months(self._first, settled)) if self._kept else []
        edges = {self._first, self._today}
        edges |= {edge for month in months for edge in (month.first, month.end)}
        return [Span(begin, end) for begin, end in pairwise(sorted(edges))]

    def _is_month(self, part: Span) -> bool:
        """Whether a part is a settled month, which may be kept."""
        settled = self._today - timedelta(days=self._store.settled_days)
        return part.is_month and part.end <= settled

    def _read(self, part: Span) -> Block:
        return Block.of([block for _, block in self._slices.read(part)])

    def _read_missing(self, parts: Sequence[Span]) -> date:
        """Read what is not kept, newest first; the first day of which all is known now."""
        known = set(self._kept.months()) if self._kept else set()
        for run in _runs(parts, known):
            read, began = Read(), time.monotonic()
            for part, block in self._slices.read(Span(run[-1].first, run[0].end)):
                read.add(part, block)
                first = max(part.first, self._cut or part.first)
                while run and run[0].first >= first:
                    whole = run.pop(0)
                    self._take(whole, read.take(whole))
                now = time.monotonic()  # the next slice may take twice as long as this one
                late = now + 2 * (now - began) > self._deadline and first > self._first
                began = now
                if late or self._cut:
                    if run and first < run[0].end:
                        self._blocks[run[0].first] = read.take(Span(first, run[0].end))
                    self._problems.append(self._left_out(first))
                    return first
        return self._first

    def _left_out(self, first: date) -> Problem:
        """Why there are no days before ``first``."""
        if self._cut:
            reason = (
                f"more than {self._store.max_rows} rows must be read one by one; older ones were "
                f"left out, with all days before {first}"
            )
            return Problem("sale_lines", "", reason, self._beyond)
        reason = (
            f"sales before {first} are not read yet: the first reading takes longer than "
            f"{self._seconds:g} s, and goes on with the next run"
        )
        return Problem("sale_lines", "", reason)

    def _take(self, part: Span, block: Block) -> None:
        """Keep a part that was read whole, in a file where it is settled."""
        saved = False
        if self._kept and self._is_month(part) and not self._cut:
            saved = self._kept.save(part.first, block)
        if not saved:
            self._blocks[part.first] = block

    def _told(self, part: Span) -> Told:
        if part.first not in self._blocks and self._kept:
            told = self._kept.told(part.first)
            if told is not None:
                return told
        return self._block(part).told

    def _block(self, part: Span) -> Block:
        if part.first not in self._blocks:
            block = self._kept.load(part.first) if self._kept else None
            if block is not None:
                return block
            self._blocks[part.first] = self._read(part)  # its file went, or is damaged
        return self._blocks[part.first]

    def _with(self, singles: ItemDays, part: Span) -> ItemDays:
        """A part's sums per item, with those of rows that were read one by one."""
        items = self._block(part).items
        more = singles.between(number_of(part.first), number_of(part.end))
        return ItemDays.of([items, more]) if len(more.day) else items

    def _nowhere(self) -> list[pd.DataFrame]:
        """Lines without a day, or of days to come."""
        if self._kept and self._kept.none_nowhere(self._today, LOOK_AGAIN_DAYS):
            return []
        try:
            rows = self._slices.nowhere(self._today + timedelta(days=1))
        except SourceTimeout:
            if self._reader.connection.invalidated:
                raise
            reason = "lines without a date, or of days to come, could not be looked for in time"
            self._problems.append(Problem("sale_lines", "sold_at", reason, kept=True))
            return []
        found = [each.assign(counted=False) for each in rows if len(each)]
        if self._kept and not found:
            self._kept.note_none_nowhere(self._today)
        return found

    def _rows(self, select: Select, mapping: int) -> pd.DataFrame:
        """Rows that must be read one by one, as they came; the newest when there are too many."""
        left = self._store.max_rows - self._single_rows
        asked = self._asked[mapping]
        rows = self._reader.as_they_came("sale_lines", asked, select.limit(left + 1))
        if len(rows) > left:
            connection = self._reader.connection
            counting = sa.select(sa.func.count()).select_from(select.subquery())
            self._beyond += sql.fetch(connection, counting)[0][0] - left
            stored = sa.type_coerce(asked.columns["sold_at"], sa.types.NullType())
            newest = select.order_by(stored.desc()).limit(left)
            rows = self._reader.as_they_came("sale_lines", asked, newest)
            # The oldest day among them is cut somewhere in the middle.
            days = [when.date() for when in rows["sold_at"] if isinstance(when, pd.Timestamp)]
            cut = min(days, default=self._today - timedelta(days=1)) + timedelta(days=1)
            self._cut = max(cut, self._cut or cut)
        self._single_rows += len(rows)
        return rows

    def _one_by_one(self, rows: Sequence[pd.DataFrame], told: Told, first: date) -> Singles:
        raw = pd.concat(rows, ignore_index=True) if rows else _none(self._asked)
        return add_up(
            raw,
            told,
            Period("sold_at", pd.Timestamp(first), self._period.end),
            self._store.currency,
            self._store.rates,
            self._store.decimal_mark,
        )

    def _worth(self) -> Mapping[str, float] | None:
        """What one unit of each currency is in the store's; None where amounts are as they are."""
        told = any("currency" in mapping.columns for mapping in self._mappings)
        if not told or self._store.currency == NO_CURRENCY:
            return None
        return {"": 1.0, self._store.currency: 1.0, **self._store.rates}


def _has_all(columns: set[str]) -> bool:
    return columns.issuperset(_NEEDED) and not columns.isdisjoint({"revenue", "unit_price"})


def _runs(parts: Sequence[Span], known: set[date]) -> Iterator[list[Span]]:
    """Parts that are not known, newest first, those that touch together."""
    run: list[Span] = []
    for part in reversed(parts):
        if part.first in known:
            if run:
                yield run
            run = []
        else:
            run.append(part)
    if run:
        yield run


def _none(asked: Sequence[Statement]) -> pd.DataFrame:
    columns = dict.fromkeys(name for each in asked for name in each.columns)
    return pd.DataFrame(columns=list(columns), dtype=object)


def _added(counts: Mapping[int, float], more: Mapping[int, int]) -> dict[int, float]:
    return {day: counts.get(day, 0.0) + more.get(day, 0) for day in counts.keys() | more.keys()}
