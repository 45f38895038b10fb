"""The ledger's tables.

Entries of one call may arrive in any order and from several processes (a finished attempt before
its message, a message before its run), so no foreign key ties them; ``message_id`` and ``run_id``
do. A change here needs a migration; a test compares both.

JSON columns are ``json`` on PostgreSQL, not ``jsonb``: it keeps the order of keys and the exact
spelling of numbers, both of which a report shows, and nothing here searches inside them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

from blocks.ledger.values import clean_text


class Instant(TypeDecorator[datetime]):
    """An aware instant, UTC in and out; SQLite, which has no zones, stores it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver is given."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver gave."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CleanText(TypeDecorator[str]):
    """Text without what a database refuses: NUL characters and lone surrogates."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What the driver is given."""
        return None if value is None else clean_text(value)


def _required(name: str, kind: Any = CleanText, **kwargs: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **kwargs)


def _json(name: str, **kwargs: Any) -> Column[Any]:
    return Column(name, JSON(none_as_null=True), **kwargs)


METADATA = MetaData()

RUNS = Table(
    "runs",
    METADATA,
    _required("id", primary_key=True),
    _required("workflow"),
    _required("trigger"),
    Column("flow_run_id", CleanText),
    _required("started_at", Instant, index=True),
    Column("finished_at", Instant),
    Column("outcome", CleanText),
)
"""One row per run of a workflow."""

MESSAGES = Table(
    "messages",
    METADATA,
    _required("id", primary_key=True),
    Column("run_id", CleanText, index=True),
    Column("task_id", CleanText, index=True),
    _required("sender"),
    _required("recipient"),
    _required("type"),
    _required("action"),
    _required("priority", BigInteger),
    _required("sent_at", Instant, index=True),
    _json("payload", nullable=False),
)
"""One row per message."""

ATTEMPTS = Table(
    "attempts",
    METADATA,
    _required("message_id", primary_key=True),
    _required("attempt", BigInteger, primary_key=True, autoincrement=False),
    _required("agent"),
    _required("instance", server_default=""),
    _required("started_at", Instant, index=True),
    _required("deadline", Instant),
    Column("finished_at", Instant),
    Column("outcome", CleanText),
    _json("error"),
)
"""One row per attempt of a call."""

# Only open attempts are asked for by time, and they are few however long the ledger grows.
Index(
    "ix_attempts_open",
    ATTEMPTS.c.deadline,
    sqlite_where=ATTEMPTS.c.finished_at.is_(None),
    postgresql_where=ATTEMPTS.c.finished_at.is_(None),
)

REPLIES = Table(
    "replies",
    METADATA,
    _required("message_id", primary_key=True),
    _required("sender"),
    _required("replied_at", Instant, index=True),
    _required("outcome"),
    _json("payload", nullable=False),
    _json("error"),
    _required("attempts", BigInteger),
    Column("duration_ms", Double),
)
"""One row per answered message."""

REMEDIATIONS = Table(
    "remediations",
    METADATA,
    _required("id", primary_key=True),
    _required("run_id", index=True),
    _required("need_key", unique=True),
    _required("finding"),
    _required("resource"),
    _required("action"),
    _required("status"),
    _required("started_at", Instant, index=True),
    Column("deadline", Instant),
    Column("finished_at", Instant),
    _required("detail"),
    _json("before", nullable=False),
    _json("after", nullable=False),
)
"""One row per remediation: intent first, outcome later."""

# Those that are not settled are looked for every few seconds.
Index(
    "ix_remediations_open",
    REMEDIATIONS.c.started_at,
    sqlite_where=REMEDIATIONS.c.finished_at.is_(None),
    postgresql_where=REMEDIATIONS.c.finished_at.is_(None),
)

REPORTS = Table(
    "reports",
    METADATA,
    _required("run_id", primary_key=True),
    _required("workflow"),
    _required("created_at", Instant, index=True),
    _json("body", nullable=False),
)
"""One row per run that left a report."""

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    _required("id", primary_key=True),
    _required("taken_at", Instant, index=True),
    _required("currency"),
    _required("timezone"),
    _required("stale_because"),
    _required("store", server_default=""),
    _json("problems", nullable=False),
)
"""One row per kept snapshot of the store."""

SNAPSHOT_FRAMES = Table(
    "snapshot_frames",
    METADATA,
    Column(
        "snapshot_id",
        CleanText,
        ForeignKey("snapshots.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    _required("name", primary_key=True),
    _required("csv_gz", LargeBinary),
)
"""One row per frame of a snapshot: gzip CSV, see ``blocks.ledger.snapshots``."""
