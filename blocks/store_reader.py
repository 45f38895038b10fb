"""Reads a mapped store into a snapshot: one statement per frame, checked, then added up by day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
import pandera.pandas as pa
import sqlalchemy as sa

from blocks import sql
from blocks.errors import ContractViolation
from blocks.frames import CONTRACTS, ORDERS, SALES, Problem, Snapshot, conform

if TYPE_CHECKING:
    from blocks.stores import FrameMapping, StoreDatabase

_LINE = ["order_id", "sku", "sold_at", "units", "unit_price"]


def read_store(store: StoreDatabase, now: datetime) -> Snapshot:
    """See StoreDatabase.read_snapshot, which calls this in a thread."""
    url = sql.parse_url(store.url.get_secret_value())
    zone = ZoneInfo(store.timezone)
    today = pd.Timestamp(now.astimezone(zone)).tz_localize(None).normalize()
    period = Period("sold_at", today - timedelta(days=store.history_days), today)
    snapshot = Snapshot(now, {}, currency=store.currency, timezone=store.timezone)
    with sql.reading(url, store.statement_timeout) as connection:
        schema = sql.Schema(connection)
        for name, mapping in store.frames.items():
            limit = period if name == "sale_lines" else None
            try:
                frame, problems = read_frame(
                    connection, schema, name, mapping, zone, limit, store.max_rows
                )
            except ContractViolation as error:
                snapshot.problems.append(Problem(name, "", str(error)))
                continue
            snapshot.frames[name] = frame
            snapshot.problems += problems
    lines = snapshot.frames.pop("sale_lines", None)
    if lines is not None:
        snapshot.frames["sales"], snapshot.frames["orders"] = by_day(lines)
    _explain_absent(snapshot)
    return snapshot


@dataclass(frozen=True)
class Period:
    """Rows wanted by date: ``start`` <= ``column`` < ``end``, in store time."""

    column: str
    start: pd.Timestamp
    end: pd.Timestamp


def read_frame(
    connection: sa.Connection,
    schema: sql.Schema,
    name: str,
    mapping: FrameMapping,
    zone: ZoneInfo,
    period: Period | None,
    max_rows: int,
) -> tuple[pd.DataFrame, list[Problem]]:
    """Read one frame and hold it against its contract.

    Returns:
        The valid rows, and the problems: rows set aside, rows beyond ``max_rows``, duplicates.

    Raises:
        ContractViolation: A table or column does not exist, or there is no usable row.
    """
    contract = CONTRACTS[name]
    select, columns = statement(schema, name, mapping, connection.dialect.name, period)
    raw, capped = _fetch(connection, select, columns, period, max_rows)
    if raw.empty:
        raise ContractViolation(f"{mapping.table} has no rows{' in the period' * bool(period)}.")
    frame, problems = conform(in_zone(raw, contract, zone), contract)
    if capped:
        problems.append(
            Problem(name, "", f"more than {max_rows} rows; older ones were left out", len(raw))
        )
        if period:  # its first day is cut somewhere in the middle
            frame = frame[frame[period.column] >= frame[period.column].min().normalize() + _DAY]
    if period:
        frame, more = _within(frame, period, name)
        problems += more
    if name == "sale_lines":
        problems += _repeated(frame)
    if frame.empty:
        why = "; ".join(map(str, problems))
        raise ContractViolation(f"none of the {len(raw)} rows of {mapping.table} is usable: {why}")
    return frame, problems


_DAY = timedelta(days=1)


def statement(
    schema: sql.Schema, name: str, mapping: FrameMapping, dialect: str, period: Period | None
) -> tuple[sa.Select[*tuple[Any, ...]], dict[str, sa.ColumnElement[Any]]]:
    """The SELECT that a mapping means, and its columns by our names.

    Raises:
        ContractViolation: A table or column does not exist, or a required one is not mapped.
    """
    tables = {mapping.table: schema.table(mapping.table, name)}
    source: sa.FromClause = tables[mapping.table]
    for join in mapping.joins:
        joined = schema.table(join.table, name)
        on = [
            sql.find_column(left, tables, name)
            == sql.find_column(right, {join.table: joined}, name)
            for left, right in join.on.items()
        ]
        source = source.outerjoin(joined, sa.and_(*on))
        tables[join.table] = joined
    columns = {
        ours: sql.find_column(theirs, tables, name) for ours, theirs in mapping.columns.items()
    }
    # The driver's own values: SQLAlchemy's conversions would stop at the first bad one.
    raw = [sa.type_coerce(c, sa.types.NullType()).label(ours) for ours, c in columns.items()]
    select: sa.Select[*tuple[Any, ...]] = sa.select(*raw).select_from(source)
    for theirs, values in mapping.where.items():
        column = sql.find_column(theirs, tables, name)
        select = select.where(column.in_(values) if values else column.is_(None))
    for theirs, values in mapping.where_not.items():
        column = sql.find_column(theirs, tables, name)
        kept = sa.or_(column.is_(None), column.not_in(values)) if values else column.is_not(None)
        select = select.where(kept)
    if period and (dated := columns.get(period.column)) is not None and _is_dated(dated):
        start = (period.start - _DAY).to_pydatetime()  # a day's margin for other time zones
        recent = dated >= start
        if dialect == "sqlite":  # holds anything in any column; we judge what is no text
            text = sa.type_coerce(dated, sa.types.NullType())
            recent = sa.or_(text >= start.date().isoformat(), sa.func.typeof(text) != "text")
        select = select.where(recent)
    return select, columns


def _is_dated(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(column.type, sa.Date | sa.DateTime)


def _fetch(
    connection: sa.Connection,
    select: sa.Select[*tuple[Any, ...]],
    columns: dict[str, sa.ColumnElement[Any]],
    period: Period | None,
    max_rows: int,
) -> tuple[pd.DataFrame, bool]:
    count = connection.scalar(sa.select(sa.func.count()).select_from(select.subquery())) or 0
    if count > max_rows:  # sorting is only paid for when it is needed
        if period and period.column in columns:
            select = select.order_by(columns[period.column].desc())
        select = select.limit(max_rows)
    rows = connection.execute(select).all()
    # object: a column of whole numbers with a gap must not turn SKU 17 into 17.0
    return pd.DataFrame(rows, columns=list(columns), dtype=object), count > max_rows


def in_zone(raw: pd.DataFrame, contract: pa.DataFrameSchema, zone: ZoneInfo) -> pd.DataFrame:
    """Dates and instants of ``raw`` in the contract's clock: store time, or UTC for instants.

    A value without a zone is store time; one with a zone is converted. A value that cannot be
    read stays as it is, so that its row is set aside with the value in the problem.
    """
    dated = {
        name: column
        for name, column in contract.columns.items()
        if str(column.dtype).startswith("datetime64") and name in raw
    }
    return raw.assign(
        **{name: _read_dates(raw[name], zone, "UTC" in str(c.dtype)) for name, c in dated.items()}
    )


def _read_dates(raw: pd.Series[Any], zone: ZoneInfo, instant: bool) -> pd.Series[Any]:
    if pd.api.types.infer_dtype(raw, skipna=True) not in ("string", "datetime", "date"):
        raw = raw.map(_spell_out)
    zoned = _have_zone(raw)
    # ISO 8601 only: whether 01.02.2024 is in January or in February, nobody can know.
    read: pd.Series[Any] = pd.to_datetime(raw.mask(zoned), errors="coerce", format="ISO8601")
    if instant:
        read = read.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        read = read.dt.tz_convert("UTC")
    if zoned.any():
        there = pd.to_datetime(raw.where(zoned), errors="coerce", format="ISO8601", utc=True)
        read = read.mask(
            zoned, there if instant else there.dt.tz_convert(zone).dt.tz_localize(None)
        )
    unreadable = read.isna() & raw.notna()
    if not unreadable.any():
        return read
    return read.astype(object).mask(unreadable, "no ISO date: " + raw.astype(str))


def _have_zone(raw: pd.Series[Any]) -> pd.Series[Any]:
    kind = pd.api.types.infer_dtype(raw, skipna=True)
    if kind == "date":
        return pd.Series(False, index=raw.index)
    if kind == "string":
        return raw.str.contains(_ZONE, na=False)
    return raw.map(lambda v: getattr(v, "tzinfo", None) is not None or bool(_ends_in_zone(v)))


_ZONE = r"\d[ ]?(?:Z|[+-]\d\d(?::?\d\d)?)$"


def _ends_in_zone(value: object) -> bool:
    return isinstance(value, str) and re.search(_ZONE, value) is not None


def _spell_out(value: object) -> object:
    """20240131 is a date that some systems keep as a number; any other number is not."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return f"{value:.0f}" if 19_000_101 <= value <= 29_991_231 else f"number {value}"
    return value


def by_day(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add order lines up by trading day.

    Args:
        lines: Valid rows of contract SALE_LINES.

    Returns:
        ``sales`` (one row per day and SKU) and ``orders`` (one row per day). Returns lower the
        revenue of the day they came back; ``units`` counts only what was sold; a day's ``orders``
        are the distinct orders with at least one unit sold.
    """
    sold = lines["units"].clip(lower=0)
    table = pd.DataFrame(
        {
            "date": lines["sold_at"].dt.normalize(),
            "sku": lines["sku"],
            "units": sold,
            "returned": sold - lines["units"],
            "revenue": lines["units"] * lines["unit_price"],
        }
    )
    sales = table.groupby(["date", "sku"], as_index=False, sort=True).sum()
    orders = table.groupby("date", as_index=False, sort=True)[["units", "revenue"]].sum()
    bought = lines["order_id"][sold > 0].groupby(table["date"]).nunique()
    orders.insert(1, "orders", orders["date"].map(bought).fillna(0.0).astype(float))
    return SALES.validate(sales), ORDERS.validate(orders)


def _within(frame: pd.DataFrame, period: Period, name: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Rows of the period. Today's are not over yet; later ones are a mistake worth telling."""
    when = frame[period.column]
    future = when >= period.end + _DAY
    problems = []
    if future.any():
        example = str(when[future].iloc[0])
        problems.append(
            Problem(name, period.column, "dated in the future", int(future.sum()), example)
        )
    return frame[(when >= period.start) & (when < period.end)], problems


def _repeated(lines: pd.DataFrame) -> list[Problem]:
    """Count exact duplicates, and keep them.

    A basket may hold an item on two lines, and only the store can tell that from a double import.
    """
    again = lines.duplicated(subset=_LINE)
    if not again.any():
        return []
    reason = "exact duplicates of another line; kept, since a basket may hold an item twice"
    return [
        Problem(
            "sale_lines", "", reason, int(again.sum()), f"order {lines['order_id'][again].iloc[0]}"
        )
    ]


def _explain_absent(snapshot: Snapshot) -> None:
    """Frames added up from lines are missed under their own names."""
    why = "; ".join(str(p) for p in snapshot.problems if p.frame == "sale_lines" and not p.rows)
    if "sales" not in snapshot.frames:
        reason = f"comes from sale_lines, which {'could not be read' if why else 'is not mapped'}"
        for name in ("sales", "orders"):
            snapshot.problems.append(Problem(name, "", reason))
    named = {p.frame for p in snapshot.problems}
    for name in ("products", "stock", "open_orders"):
        if name not in snapshot.frames and name not in named:
            snapshot.problems.append(Problem(name, "", "is not mapped"))
