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
    Boolean,
    Column,
    ColumnElement,
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
    literal_column,
    true,
)

from blocks.ledger.engine.values import clean_text


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


def index_where(name: str, condition: ColumnElement[bool], *columns: Column[Any]) -> Index:
    """An index of the few rows that a condition holds for; it must stand so in the query, too."""
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


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

Index("ix_runs_workflow", RUNS.c.workflow, RUNS.c.started_at)

# The reconciler asks every few seconds which are open: few, however long the ledger grows.
index_where("ix_runs_open", RUNS.c.finished_at.is_(None), RUNS.c.started_at)

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
    Column("action", CleanText),
    Column("waited_ms", Double),
    Column("took_ms", Double),
)
"""One row per attempt of a call.

``action`` is the message's, ``waited_ms`` the time from when it was sent to the start, ``took_ms``
from there to the end: the figures of a day would else be made from the messages and the instants
of every single attempt.
"""

Index("ix_attempts_agent", ATTEMPTS.c.agent, ATTEMPTS.c.started_at)

ATTEMPT_FAILED = ATTEMPTS.c.outcome == literal_column("'failed'")
"""Written out: an index with a condition serves only who states it in the same words."""

index_where("ix_attempts_failed", ATTEMPT_FAILED, ATTEMPTS.c.started_at)

# Only open attempts are asked for by deadline, and they are few however long the ledger grows.
index_where("ix_attempts_open", ATTEMPTS.c.finished_at.is_(None), ATTEMPTS.c.deadline)

REPLIES = Table(
    "replies",
    METADATA,
    _required("message_id", primary_key=True),
    _required("sender"),
    _required("replied_at", Instant),
    _required("outcome"),
    _json("payload", nullable=False),
    _json("error"),
    _required("attempts", BigInteger),
    Column("duration_ms", Double),
)
"""One row per answered message."""

# A week's calls are counted from the index alone; the replies themselves may be large.
Index(
    "ix_replies_ended",
    REPLIES.c.replied_at,
    REPLIES.c.sender,
    REPLIES.c.outcome,
    REPLIES.c.duration_ms,
)

REPLY_FAILED = REPLIES.c.outcome == literal_column("'failed'")
"""Written out, as ``ATTEMPT_FAILED`` is."""

index_where("ix_replies_failed", REPLY_FAILED, REPLIES.c.replied_at)

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

Index("ix_remediations_resource", REMEDIATIONS.c.resource, REMEDIATIONS.c.started_at)

# Those that are not settled are looked for every few seconds.
index_where("ix_remediations_open", REMEDIATIONS.c.finished_at.is_(None), REMEDIATIONS.c.started_at)

REPORTS = Table(
    "reports",
    METADATA,
    _required("run_id", primary_key=True),
    _required("workflow"),
    _required("created_at", Instant, index=True),
    _json("body", nullable=False),
)
"""One row per run that left a report."""

# The last report of a workflow that seldom runs lies below very many others.
Index("ix_reports_workflow", REPORTS.c.workflow, REPORTS.c.created_at)

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
    _required("complete", Boolean, server_default=true()),
    _required("buckets", BigInteger, server_default="0"),
)
"""One row per kept snapshot of the store; until it is ``complete`` nobody sees it.

``buckets`` is into how many its items are divided.
"""


def _of_snapshot() -> Column[Any]:
    reference = ForeignKey("snapshots.id", ondelete="CASCADE")
    return Column("snapshot_id", CleanText, reference, primary_key=True)


SNAPSHOT_PARTS = Table(
    "snapshot_parts",
    METADATA,
    _of_snapshot(),
    _required("name", primary_key=True),
    _required("part", BigInteger, primary_key=True, autoincrement=False),
    _required("bytes", LargeBinary),
)
"""The frames of a snapshot: gzip CSV, cut into parts (see ``blocks.ledger.snapshots``)."""

SNAPSHOT_ITEMS = Table(
    "snapshot_items",
    METADATA,
    _of_snapshot(),
    _required("name", primary_key=True),
    _required("bucket", BigInteger, primary_key=True, autoincrement=False),
    _required("csv_gz", LargeBinary),
)
"""What is asked of single items: a few SKUs' rows of a frame per bucket, gzip CSV."""
