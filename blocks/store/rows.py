"""Reads the rows of a store's frames through one connection, and holds them against contracts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import pandas as pd
import pandera.pandas as pa
import sqlalchemy as sa

from blocks.errors import ContractViolation, DataError, EmptySource
from blocks.formats.dates import in_zone
from blocks.formats.decimal_marks import DecimalMark
from blocks.store import sql
from blocks.store.compiling import Element
from blocks.store.days.trading_days import DAY, Period, repeated, within
from blocks.store.filters import refuse_misspelt, values_there
from blocks.store.mapping import FrameMapping
from blocks.store.money import amounts
from blocks.store.schema import Schema
from blocks.store.statements import HOLES, Select, Statement, added_up, statement
from blocks.store.stock import one_row_per_item
from blocks.vocabulary.conform import Conformed, conform_fully
from blocks.vocabulary.frames import CONTRACTS, Problem

MAY_BE_EMPTY = frozenset({"open_orders"})
"""Frames for which no rows is an answer, not a failure."""


@dataclass(frozen=True)
class FrameSample:
    """The newest rows of one frame, held against its contract.

    Attributes:
        name: The contract's name.
        seen: How many rows were looked at.
        frame: The valid ones.
        problems: Rows that were set aside, and why.
        error: Why the frame cannot be read at all; "" when it can.
    """

    name: str
    seen: int = 0
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: list[Problem] = field(default_factory=list)
    error: str = ""


class FrameReader:
    """Reads frames through one connection."""

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, decimal_mark: DecimalMark | None = None
    ) -> None:
        self.connection = connection
        self.decimal_mark = decimal_mark
        self.schema = Schema(connection)
        self.zone = zone
        self._looked_over: list[tuple[str, FrameMapping]] = []

    def read(
        self,
        name: str,
        mappings: Sequence[FrameMapping],
        max_rows: int,
        period: Period | None = None,
    ) -> Conformed:
        """Read one frame and hold it against its contract.

        Args:
            name: The frame.
            mappings: Where it is found; the rows of all are put together.
            max_rows: Most rows of each mapping, the newest first.
            period: Rows wanted by date.

        Returns:
            The valid rows, and the problems: rows set aside, rows beyond ``max_rows``, duplicates.

        Raises:
            ContractViolation: A table or column does not exist, a filter is misspelt, a join
                finds several rows for one, or no row is usable.
            EmptySource: There are no rows.
        """
        parts, beyond = [], 0
        for mapping in mappings:
            self.look_over(name, mapping)
            part, more = self._rows_of(name, mapping, max_rows, period)
            parts.append(part)
            beyond += more
        raw = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        if raw.empty and name not in MAY_BE_EMPTY:
            raise EmptySource(self.nothing(name, mappings, period))
        found = self._conform(raw, name, mappings)
        frame, problems = found.frame, found.problems
        if beyond:
            reason = f"more than {max_rows} rows; older ones were left out"
            problems.append(Problem(name, "", reason, beyond))
        if period:
            if beyond:  # the first day is cut somewhere in the middle
                first = frame[period.column].min().normalize()
                frame = frame[frame[period.column] >= first + DAY]
            frame, future = within(frame, period, name)
            problems += future
        if name == "sale_lines":
            problems += repeated(frame)
        if frame.empty and not raw.empty:
            why = "; ".join(map(str, problems)) or "none is in the period"
            raise ContractViolation(f"no row of {tables_of(mappings)} is usable: {why}.")
        return Conformed(frame, problems, found.refused)

    def newest(self, name: str, mappings: Sequence[FrameMapping], rows: int) -> FrameSample:
        """The newest rows of a frame, as a sample; never raises for what is in the database.

        Where the table numbers its rows they are the newest of the last ones; where filters leave
        too few of these, any rows.
        """
        try:
            parts = []
            for mapping in mappings:
                self.look_over(name, mapping)
                parts.append(self._newest_of(name, mapping, rows))
            raw = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
            found = self._conform(raw, name, mappings)
            fault = ""
            if raw.empty and name not in MAY_BE_EMPTY:
                fault = self.nothing(name, mappings, None)
            elif found.frame.empty and not raw.empty:
                fault = f"None of {len(raw)} rows of {tables_of(mappings)} is usable."
        except DataError as error:
            return FrameSample(name, error=str(error))
        return FrameSample(name, len(raw), found.frame, found.problems, fault)

    def _rows_of(
        self, name: str, mapping: FrameMapping, max_rows: int, period: Period | None
    ) -> tuple[pd.DataFrame, int]:
        """The rows of one mapping, and how many there are beyond ``max_rows``."""
        asked = statement(self.schema, name, mapping)
        if mapping.rows == "sum" and name == "stock":
            whole = self._added_up(asked)
            if whole is not None:
                return whole, 0
        if period:
            asked = _since(asked, period, self.schema.dialect)
        counting = sa.select(sa.func.count()).select_from(asked.select.subquery())
        beyond = sql.fetch(self.connection, counting)[0][0] - max_rows
        # Sorting is only paid for when it is needed.
        select = self._by_date(asked, max_rows) if beyond > 0 else asked.select
        return self.as_they_came(name, asked, select), max(0, beyond)

    def _added_up(self, asked: Statement) -> pd.DataFrame | None:
        """Stock per SKU as the database adds it up; None where a row has to be looked at."""
        select = added_up(asked, self.schema.dialect)
        if select is None:
            return None
        columns = [column.name for column in select.selected_columns]
        rows = pd.DataFrame(sql.fetch(self.connection, select), columns=columns, dtype=object)
        if rows[HOLES].astype(float).any():
            return None
        return in_zone(rows.drop(columns=HOLES), CONTRACTS["stock"], self.zone, asked.utc)

    def _newest_of(self, name: str, mapping: FrameMapping, rows: int) -> pd.DataFrame:
        asked = statement(self.schema, name, mapping, latest=True)
        raw = self.as_they_came(name, asked, self._by_date(asked, rows))
        if len(raw) < rows:
            asked = statement(self.schema, name, mapping)
            raw = self.as_they_came(name, asked, asked.select.limit(rows))
        return raw

    def look_over(self, name: str, mapping: FrameMapping) -> None:
        """Find out, once, what makes wrong figures without a word: see blocks.store.filters."""
        if (name, mapping) in self._looked_over:
            return
        self._find_faults(name, mapping)
        self._looked_over.append((name, mapping))

    def _find_faults(self, name: str, mapping: FrameMapping) -> None:
        refuse_misspelt(self.connection, self.schema, name, mapping)
        key = self.schema.primary_key(mapping.table, name) if mapping.joins else []
        if not key:
            return
        asked = statement(self.schema, name, mapping, latest=True)
        seen = Counter(row[-len(key) :] for row in sql.fetch(self.connection, asked.select))
        row, times = seen.most_common(1)[0] if seen else ((), 0)
        if times > 1:
            which = ", ".join(f"{c} {v}" for c, v in zip(key, row, strict=True))
            raise ContractViolation(
                f"{name}: joining {', '.join(join.called for join in mapping.joins)} finds several "
                f"rows for one row of {mapping.table} ({which}): it would count several times.",
                hint="Give the join conditions that leave one row, or sums, which add them up.",
            )

    def _by_date(self, asked: Statement, rows: int) -> Select:
        dated = next((c for c in asked.columns.values() if _is_dated(c)), None)
        select = asked.select
        if dated is not None:
            order = sa.type_coerce(dated, sa.types.NullType()).desc()
            # PostgreSQL alone would begin with the rows that have no date.
            last = self.schema.dialect == "postgresql"
            select = select.order_by(order.nulls_last() if last else order)
        return select.limit(rows)

    def as_they_came(self, name: str, asked: Statement, select: Select) -> pd.DataFrame:
        """The rows as they came, with dates on the contract's clock."""
        columns = list(asked.columns)
        rows = [row[: len(columns)] for row in sql.fetch(self.connection, select)]
        # object: a column of whole numbers with a gap must not turn SKU 17 into 17.0
        raw = pd.DataFrame(rows, columns=columns, dtype=object)
        return in_zone(raw, CONTRACTS[name], self.zone, asked.utc)

    def _conform(self, raw: pd.DataFrame, name: str, mappings: Sequence[FrameMapping]) -> Conformed:
        contract = CONTRACTS[name]
        if name == "stock":
            summed = any(mapping.rows == "sum" for mapping in mappings)
            return one_row_per_item(raw, summed, self.decimal_mark)
        if name == "sale_lines":
            return conform_fully(raw, with_money(raw), self.decimal_mark, amounts)
        return conform_fully(raw, contract, self.decimal_mark)

    def nothing(self, name: str, mappings: Sequence[FrameMapping], period: Period | None) -> str:
        """That there are no rows and, where filters may be why, the values that there are."""
        there = [
            told
            for mapping in mappings
            for told in values_there(self.connection, self.schema, name, mapping)
        ]
        when = " in the period" if period else ""
        filters = f" with these filters: {'; '.join(there)}" if there else ""
        return f"{tables_of(mappings)} has no rows{when}{filters}."


def tables_of(mappings: Sequence[FrameMapping]) -> str:
    """Their tables, for a message."""
    return " and ".join(dict.fromkeys(mapping.table for mapping in mappings))


def with_money(raw: pd.DataFrame) -> pa.DataFrameSchema:
    """The contract of order lines: what their money is made of must be there.

    Raises:
        ContractViolation: Neither revenue nor a price is mapped.
    """
    contract = CONTRACTS["sale_lines"]
    sources = [name for name in ("revenue", "unit_price") if name in raw]
    if not sources:
        raise ContractViolation(
            "sale_lines: missing column revenue or unit_price.",
            hint="Map what a line brings, or what a unit of it costs.",
        )
    if len(sources) == 1:
        return contract.update_column(sources[0], nullable=False)
    return contract


def _since(asked: Statement, period: Period, dialect: str) -> Statement:
    """Leave old rows in the database, with a day's margin for time zones; pandas cuts exactly.

    Rows without a date come along: they are for the contract to set aside, and to be told.
    """
    column = asked.columns.get(period.column)
    if column is None:
        return asked
    earliest = (period.start - DAY).to_pydatetime()
    if dialect == "sqlite":
        # SQLite keeps dates as text, or as anything: only ISO text can be compared here.
        stored = sa.type_coerce(column, sa.types.NullType())
        iso = stored.op("GLOB")("[0-9][0-9][0-9][0-9]-*")
        kept = sa.or_(stored >= earliest.date().isoformat(), sa.not_(iso), stored.is_(None))
    elif _is_dated(column):
        kept = sa.or_(column >= earliest, column.is_(None))
        if dialect != "postgresql":  # 0000-00-00
            kept = sa.or_(kept, sa.func.year(column) == 0)
    else:
        return asked
    return replace(asked, select=asked.select.where(kept))


def _is_dated(column: Element) -> bool:
    return isinstance(column.type, sa.Date | sa.DateTime)
