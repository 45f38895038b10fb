"""Reads a mapped store into a snapshot: one statement per frame, checked, then added up by day."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import exc

from blocks.errors import ContractViolation, DataError, EmptySource
from blocks.formats.dates import in_zone
from blocks.formats.decimal_marks import DecimalMark
from blocks.store import sql
from blocks.store.mapping import FrameMapping, StoreSource
from blocks.store.schema import Schema, find_column
from blocks.store.trading_days import DAY, Period, by_day, repeated, within
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import CONTRACTS, Problem, Snapshot

Select: TypeAlias = sa.Select[Any]
Columns: TypeAlias = dict[str, sa.ColumnElement[Any]]

LATEST = 20_000
"""So many of a table's last rows, by its key, hold its newest: no large table is sorted by date."""

MAY_BE_EMPTY = frozenset({"open_orders"})
"""Frames for which no rows is an answer, not a failure."""


def read_store(store: StoreSource, now: datetime) -> Snapshot:
    """See StoreDatabase.read_snapshot, which calls this in a thread."""
    zone = ZoneInfo(store.timezone)
    today = pd.Timestamp(now.astimezone(zone)).tz_localize(None).normalize()
    period = Period("sold_at", today - timedelta(days=store.history_days), today)
    snapshot = Snapshot(now, {}, currency=store.currency, timezone=store.timezone, store=store.name)
    with sql.reading(store.url, store.statement_timeout, store.reach) as connection:
        reader = FrameReader(connection, zone, store.decimal_mark)
        for name, mapping in store.frames.items():
            try:
                frame, problems = reader.read(
                    name, mapping, store.max_rows, period if name == "sale_lines" else None
                )
            except DataError as error:
                problems = [Problem(name, "", str(error))]
            else:
                snapshot.frames[name] = frame
            snapshot.problems += problems
    lines = snapshot.frames.pop("sale_lines", None)
    if lines is not None:
        snapshot.frames["sales"], snapshot.frames["orders"] = by_day(lines)
    snapshot.problems += _absent(snapshot)
    return snapshot


@dataclass(frozen=True)
class StoreCheck:
    """A quick look at a store: is it there, and are its newest rows what they should be?

    Attributes:
        latency_ms: Time to connect and answer the first question.
        clock_skew_s: The server's clock minus ours; None for a file.
        samples: The newest rows of each mapped frame.
    """

    latency_ms: float
    clock_skew_s: float | None
    samples: list[FrameSample]


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


def check_store(store: StoreSource, rows: int) -> StoreCheck:
    """Connect, ask for the time, and read the newest ``rows`` rows of each mapped frame."""
    began = time.perf_counter()
    with sql.reading(store.url, store.statement_timeout, store.reach) as connection:
        skew = sql.clock_skew(connection)
        latency_ms = (time.perf_counter() - began) * 1000
        reader = FrameReader(connection, ZoneInfo(store.timezone), store.decimal_mark)
        mappings = store.frames.items() if rows else ()
        return StoreCheck(latency_ms, skew, [reader.newest(n, m, rows) for n, m in mappings])


class FrameReader:
    """Reads frames through one connection."""

    def __init__(
        self, connection: sa.Connection, zone: ZoneInfo, decimal_mark: DecimalMark | None = None
    ) -> None:
        self._connection = connection
        self._decimal_mark = decimal_mark
        self._schema = Schema(connection)
        self._zone = zone

    def read(
        self, name: str, mapping: FrameMapping, max_rows: int, period: Period | None = None
    ) -> tuple[pd.DataFrame, list[Problem]]:
        """Read one frame and hold it against its contract.

        Returns:
            The valid rows, and the problems: rows set aside, rows beyond ``max_rows``, duplicates.

        Raises:
            ContractViolation: A table or column does not exist, or no row is usable.
            EmptySource: There are no rows.
        """
        select, columns = statement(self._schema, name, mapping, period)
        counting = sa.select(sa.func.count()).select_from(select.subquery())
        beyond = self._rows(counting)[0][0] - max_rows
        capped = beyond > 0
        # Sorting is only paid for when it is needed.
        raw = self._frame(self._newest(select, columns, max_rows) if capped else select, columns)
        if raw.empty and name not in MAY_BE_EMPTY:
            raise EmptySource(f"{mapping.table} has no rows{' in the period' if period else ''}.")
        frame, problems = self._conform(raw, name)
        if capped:
            reason = f"more than {max_rows} rows; older ones were left out"
            problems.append(Problem(name, "", reason, beyond))
        if period:
            if capped:  # the first day is cut somewhere in the middle
                first = frame[period.column].min().normalize()
                frame = frame[frame[period.column] >= first + DAY]
            frame, future = within(frame, period, name)
            problems += future
        if name == "sale_lines":
            problems += repeated(frame)
        if frame.empty and not raw.empty:
            why = "; ".join(map(str, problems)) or "none is in the period"
            raise ContractViolation(f"no row of {mapping.table} is usable: {why}.")
        return frame, problems

    def newest(self, name: str, mapping: FrameMapping, rows: int) -> FrameSample:
        """The newest rows of a frame, as a sample; never raises for what is in the database.

        Where the table numbers its rows they are the newest of the last ones; where filters leave
        too few of these, any rows.
        """
        try:
            key = self._schema.key(mapping.table, name)
            select, columns = statement(self._schema, name, mapping, last_by=key)
            raw = self._frame(self._newest(select, columns, rows), columns)
            if key and len(raw) < rows:
                select, columns = statement(self._schema, name, mapping)
                raw = self._frame(select.limit(rows), columns)
            frame, problems = self._conform(raw, name)
        except DataError as error:
            return FrameSample(name, error=str(error))
        fault = ""
        if raw.empty and name not in MAY_BE_EMPTY:
            fault = f"{mapping.table} has no rows."
        elif frame.empty and not raw.empty:
            fault = f"None of {len(raw)} rows of {mapping.table} is usable."
        return FrameSample(name, len(raw), frame, problems, fault)

    def _newest(self, select: Select, columns: Columns, rows: int) -> Select:
        dated = next((c for c in columns.values() if _is_dated(c)), None)
        if dated is not None:
            order = _as_stored(dated).desc()
            # PostgreSQL alone would begin with the rows that have no date.
            last = self._schema.dialect == "postgresql"
            select = select.order_by(order.nulls_last() if last else order)
        return select.limit(rows)

    def _frame(self, select: Select, columns: Columns) -> pd.DataFrame:
        # object: a column of whole numbers with a gap must not turn SKU 17 into 17.0
        return pd.DataFrame(self._rows(select), columns=list(columns), dtype=object)

    def _rows(self, select: sa.Select[Any]) -> list[tuple[Any, ...]]:
        """All rows; a statement that the database refuses is this frame's problem alone."""
        try:
            with self._connection.begin_nested():
                return [tuple(row) for row in self._connection.execute(select)]
        except exc.DBAPIError as error:
            refused = isinstance(error, exc.ProgrammingError | exc.DataError)
            if not refused and "denied" not in str(error.orig):
                raise
            reason = str(error.orig).splitlines()[0][:200]
            raise ContractViolation(
                f"the database refuses to read it as it is mapped: {reason}.",
                hint="Compare the types of the columns in joins and where.",
            ) from None

    def _conform(self, raw: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[Problem]]:
        contract = CONTRACTS[name]
        return conform(in_zone(raw, contract, self._zone), contract, self._decimal_mark)


def statement(
    schema: Schema,
    name: str,
    mapping: FrameMapping,
    period: Period | None = None,
    last_by: str | None = None,
) -> tuple[Select, Columns]:
    """The SELECT that a mapping means, and its columns by our names.

    Args:
        schema: Where tables and columns are looked up.
        name: The frame.
        mapping: Where it is found.
        period: Rows before it may stay in the database.
        last_by: A column of the mapping's own table; only its ``LATEST`` last rows are read.

    Raises:
        ContractViolation: A table or column does not exist.
    """
    source: sa.FromClause = schema.table(mapping.table, name)
    if last_by is not None:
        last = sa.select(*source.c).order_by(source.c[last_by].desc()).limit(LATEST)
        source = last.subquery("latest")
    tables = {mapping.table: source}
    for join in mapping.joins:
        joined = {join.table: schema.table(join.table, name)}
        pairs = [
            find_column(left, tables, name) == find_column(right, joined, name)
            for left, right in join.on.items()
        ]
        source = source.outerjoin(joined[join.table], sa.and_(*pairs))
        tables |= joined
    columns = {o: find_column(theirs, tables, name) for o, theirs in mapping.columns.items()}
    select: Select = sa.select(*(_as_stored(c).label(ours) for ours, c in columns.items()))
    select = select.select_from(source)
    for theirs, values in mapping.where.items():
        column = find_column(theirs, tables, name)
        select = select.where(column.in_(values) if values else column.is_(None))
    for theirs, values in mapping.where_not.items():
        column = find_column(theirs, tables, name)
        kept = sa.or_(column.is_(None), column.not_in(values)) if values else column.is_not(None)
        select = select.where(kept)
    if period and period.column in columns and _is_dated(columns[period.column]):
        select = select.where(_since(columns[period.column], period.start, schema.dialect))
    return select, columns


def _since(
    column: sa.ColumnElement[Any], start: pd.Timestamp, dialect: str
) -> sa.ColumnElement[bool]:
    """Leave old rows in the database, with a day's margin for time zones; pandas cuts exactly.

    Rows without a date come along: they are for the contract to set aside, and to be told.
    """
    stored = _as_stored(column)
    earliest = (start - DAY).to_pydatetime()
    if dialect != "sqlite":
        return sa.or_(column >= earliest, stored.is_(None))
    # SQLite keeps dates as text, or as anything: only ISO text can be compared here.
    iso = stored.op("GLOB")("[0-9][0-9][0-9][0-9]-*")
    return sa.or_(stored >= earliest.date().isoformat(), sa.not_(iso), stored.is_(None))


def _as_stored(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The driver's own values: SQLAlchemy's conversions would stop at the first bad one."""
    return sa.type_coerce(column, sa.types.NullType())


def _is_dated(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(column.type, sa.Date | sa.DateTime)


def _absent(snapshot: Snapshot) -> list[Problem]:
    """Why frames are absent that no problem names yet."""
    told = {p.frame for p in snapshot.problems}
    lines = "which could not be read" if "sale_lines" in told else "which is not mapped"
    reasons = dict.fromkeys(("products", "stock", "open_orders"), "is not mapped")
    reasons |= dict.fromkeys(("sales", "orders"), f"is added up from sale_lines, {lines}")
    return [
        Problem(name, "", reason)
        for name, reason in reasons.items()
        if name not in snapshot.frames and name not in told
    ]
