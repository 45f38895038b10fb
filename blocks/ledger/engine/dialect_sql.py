"""What SQLite and PostgreSQL spell differently: time, lists, and values packed as JSON.

Packed values come back as one JSON text: of many rows, each costs the interpreter's lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Subquery,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.sql.selectable import TableValuedAlias

from blocks.ledger.engine.tables import Instant

Span = tuple[datetime, datetime]
"""From, and until just before."""


@dataclass(frozen=True)
class Spans:
    """Spans of time as a table: their place in the list that was given, and both ends."""

    table: FromClause
    number: ColumnElement[int]
    start: ColumnElement[datetime]
    end: ColumnElement[datetime]


def each_text(connection: Connection, texts: Collection[str]) -> TableValuedAlias:
    """Texts as a table with the column ``value``."""
    return unpacked(connection.dialect.name, literal(json.dumps(list(texts)), Text))


def unpacked(dialect: str, packed: ColumnElement[str]) -> TableValuedAlias:
    """The texts of a JSON list as a table with the column ``value``."""
    if dialect == "sqlite":
        return func.json_each(packed).table_valued("value")
    return func.json_array_elements_text(cast(packed, JSON)).table_valued("value")


def each_row(connection: Connection, rows: Sequence[Sequence[str]]) -> Subquery:
    """Rows of texts as a table; its columns come in their order."""
    packed = literal(json.dumps(rows), Text)
    cells: list[ColumnElement[Any]]
    if _is_sqlite(connection):
        table = func.json_each(packed).table_valued("value")
        cells = [func.json_extract(table.c.value, f"$[{n}]") for n in range(len(rows[0]))]
    else:
        table = func.json_array_elements(cast(packed, JSON)).table_valued("value")
        value = type_coerce(table.c.value, JSON)
        cells = [value[n].as_string() for n in range(len(rows[0]))]
    return select(*(cell.label(f"cell_{n}") for n, cell in enumerate(cells))).subquery()


def spans_of(connection: Connection, spans: Sequence[Span]) -> Spans:
    """A table of spans."""
    sqlite = _is_sqlite(connection)
    packed = literal(json.dumps([_packed(n, span, sqlite) for n, span in enumerate(spans)]), Text)
    columns = (BigInteger, Instant, Instant)
    fields: list[ColumnElement[Any]]
    if sqlite:
        table = func.json_each(packed).table_valued("value")
        fields = [
            type_coerce(func.json_extract(table.c.value, f"$[{place}]"), kind)
            for place, kind in enumerate(columns)
        ]
    else:
        table = func.json_array_elements(cast(packed, JSON)).table_valued("value")
        value = type_coerce(table.c.value, JSON)
        fields = [cast(value[place].as_string(), kind) for place, kind in enumerate(columns)]
    return Spans(table, *fields)


def _packed(number: int, span: Span, sqlite: bool) -> list[int | str]:
    write = instant_text if sqlite else _zoned_text
    return [number, *map(write, span)]


def instant_text(instant: datetime) -> str:
    """As SQLAlchemy keeps an instant in SQLite; PostgreSQL is told that it is UTC."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _zoned_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def array(connection: Connection, *values: ColumnElement[Any]) -> ColumnElement[Any]:
    """Values side by side, as a JSON array."""
    return func.json_array(*values) if _is_sqlite(connection) else func.json_build_array(*values)


def gathered(
    connection: Connection, value: ColumnElement[Any], *which: ColumnElement[bool]
) -> ColumnElement[str]:
    """The values of a group's rows, or of some of them, as the text of a JSON array."""
    together = func.json_group_array if _is_sqlite(connection) else func.json_agg
    return func.coalesce(cast(together(value).filter(and_(*which)), Text), "[]")


def seconds(
    connection: Connection, earlier: ColumnElement[Any], later: ColumnElement[Any]
) -> ColumnElement[float]:
    """From one instant to another, to the millisecond."""
    if _is_sqlite(connection):
        return func.round((func.julianday(later) - func.julianday(earlier)) * 86_400.0, 3)
    return func.round(func.extract("epoch", later - earlier), 3)


def whole_hours(
    connection: Connection, earlier: ColumnElement[Any], later: ColumnElement[Any]
) -> ColumnElement[int]:
    """How many full hours lie between two instants."""
    if _is_sqlite(connection):  # where a cast cuts off, and does not round
        return cast((func.julianday(later) - func.julianday(earlier)) * 24.0, BigInteger)
    return cast(func.floor(func.extract("epoch", later - earlier) / 3600), BigInteger)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
