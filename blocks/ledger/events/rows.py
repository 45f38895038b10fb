"""Many events written, or asked about, in one statement: the database unpacks one JSON text.

A statement with a parameter per value is put together anew for each number of rows. The answer is
one JSON text too: for each row that it is handed, the thread lets go of the interpreter's lock, and
may then have to wait for it while the event loop is busy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from blocks.ledger.engine.dialect_sql import instant_text
from blocks.ledger.engine.values import clean_text, to_json
from blocks.ledger.events.records import EventKey, EventStatus
from blocks.vocabulary.messages import SystemEvent

_ROWS_PER_STATEMENT = 1000

_KINDS = {
    **dict.fromkeys(("source", "id", "type", "severity", "subject", "data"), "TEXT"),
    **dict.fromkeys(("fingerprint", "content_hash", "status"), "TEXT"),
    **dict.fromkeys(("time", "received_at"), "TIMESTAMP"),
    **dict.fromkeys(("rank", "tries"), "BIGINT"),
}
_COLUMNS = ", ".join(_KINDS)

# Written out: SQLAlchemy puts an INSERT … ON CONFLICT together anew each time.
_KNOWN = text(
    "SELECT json_group_array(key) FROM json_each(:rows) WHERE EXISTS (SELECT 1 FROM events "
    "WHERE source = json_extract(value, '$.source') AND events.id = json_extract(value, '$.id'))"
)
_INSERT = text(
    f"INSERT INTO events ({_COLUMNS}) SELECT "  # noqa: S608
    + ", ".join(f"json_extract(value, '$.{name}')" for name in _KINDS)
    # Without a condition SQLite would take ON CONFLICT for one of a join.
    + " FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING"
)
_TYPED = {"data": "CAST(data AS JSON)"} | {
    name: f"timezone('UTC', {name})" for name in ("time", "received_at")
}
_INSERT_POSTGRESQL = text(
    f"WITH written AS (INSERT INTO events ({_COLUMNS}) SELECT "  # noqa: S608
    + ", ".join(_TYPED.get(name, name) for name in _KINDS)
    + " FROM json_to_recordset(CAST(:rows AS JSON)) AS handed"
    + f" ({', '.join(f'{name} {kind}' for name, kind in _KINDS.items())})"
    + " ON CONFLICT DO NOTHING RETURNING source, id)"
    + " SELECT CAST(json_agg(json_build_array(source, id)) AS TEXT) FROM written"
)


def event_row(event: SystemEvent, received_at: str) -> dict[str, Any]:
    """The row of an event that arrives; the instant as ``instant_text`` gives it."""
    return {
        "source": clean_text(event.source),
        "id": clean_text(event.id),
        "type": clean_text(event.type),
        "time": instant_text(event.time),
        "severity": event.severity,
        "rank": event.severity.rank,
        "subject": clean_text(event.subject),
        "data": to_json(event.data),
        "fingerprint": event.fingerprint,
        "content_hash": event.content_hash,
        "received_at": received_at,
        "status": EventStatus.WAITING,
        "tries": 0,
    }


def insert_events(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[EventKey]:
    """Write the rows of events that are not known yet.

    Args:
        connection: In a transaction for writing.
        rows: As ``event_row`` makes them; no two have equal source and id.

    Returns:
        Source and id of those that were written.
    """
    write = _written_sqlite if connection.dialect.name == "sqlite" else _written_postgresql
    written: list[EventKey] = []
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        written += write(connection, rows[start : start + _ROWS_PER_STATEMENT])
    return written


def _written_sqlite(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[EventKey]:
    packed = {"rows": json.dumps(rows)}
    # Nobody writes between the two: the transaction holds SQLite's only lock for writing.
    known = set(json.loads(connection.execute(_KNOWN, packed).scalar_one()))
    connection.execute(_INSERT, packed)
    return [(row["source"], row["id"]) for n, row in enumerate(rows) if n not in known]


def _written_postgresql(
    connection: Connection, rows: Sequence[Mapping[str, Any]]
) -> list[EventKey]:
    found = connection.execute(_INSERT_POSTGRESQL, {"rows": json.dumps(rows)}).scalar_one()
    return [(source, id_) for source, id_ in json.loads(found or "[]")]
