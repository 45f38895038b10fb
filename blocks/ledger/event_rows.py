"""Many events written, or asked about, in one statement: the database unpacks one JSON text.

A statement with a parameter per value is put together anew for each number of rows, and costs
several times as much.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Executable,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql.selectable import TableValuedAlias

from blocks.ledger.coordination_tables import EVENTS
from blocks.ledger.event_records import EventKey
from blocks.ledger.rows import insert

_ROWS_PER_STATEMENT = 1000

_TEXTS = (
    *("source", "id", "type", "severity", "subject", "data"),
    *("fingerprint", "content_hash", "status"),
)
_INSTANTS = ("time", "received_at")
_NUMBERS = ("rank", "tries")
_WRITTEN = _TEXTS + _INSTANTS + _NUMBERS


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[EventKey]:
    """Write the rows of events that are not known yet.

    Args:
        connection: In a transaction.
        rows: As ``event_row`` makes them; no two have equal source and id.

    Returns:
        Source and id of those that were written.
    """
    written: list[EventKey] = []
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        part = [_unpackable(row) for row in rows[start : start + _ROWS_PER_STATEMENT]]
        found = connection.execute(_insert(connection.dialect.name), {"rows": json.dumps(part)})
        written += [(row.source, row.id) for row in found]
    return written


def each_text(connection: Connection, texts: Collection[str]) -> TableValuedAlias:
    """Texts as a table with the column ``value``."""
    packed = literal(json.dumps(list(texts)), Text)
    if connection.dialect.name == "sqlite":
        return func.json_each(packed).table_valued("value")
    return func.json_array_elements_text(cast(packed, JSON)).table_valued("value")


@cache
def _insert(dialect: str) -> Executable:
    packed = bindparam("rows", type_=Text)
    if dialect == "sqlite":
        each = func.json_each(packed).table_valued("value")
        values: list[ColumnElement[Any]] = [
            func.json_extract(each.c.value, f"$.{name}") for name in _WRITTEN
        ]
    else:
        each = (
            func.json_to_recordset(cast(packed, JSON))
            .table_valued(
                *(column(name, Text) for name in _TEXTS),
                *(column(name, DateTime) for name in _INSTANTS),
                *(column(name, BigInteger) for name in _NUMBERS),
            )
            .render_derived(with_types=True)
        )
        typed: dict[str, ColumnElement[Any]] = {"data": cast(each.c.data, JSON)}
        typed |= {name: func.timezone("UTC", each.c[name]) for name in _INSTANTS}
        values = [typed.get(name, each.c[name]) for name in _WRITTEN]
    return (
        insert(dialect, EVENTS)
        # Without a condition SQLite would take ON CONFLICT for one of a join.
        .from_select(list(_WRITTEN), select(*values).where(true()))
        .on_conflict_do_nothing()
        .returning(EVENTS.c.source, EVENTS.c.id)
    )


def _unpackable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _WRITTEN} | {n: _text(row[n]) for n in _INSTANTS}


def _text(instant: datetime) -> str:
    """As SQLAlchemy keeps an instant in SQLite; PostgreSQL is told that it is UTC."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
