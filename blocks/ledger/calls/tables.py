"""The tables of calls: runs, messages, attempts, replies, reports, leases, dead letters."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Table, literal_column

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

RUNS = Table(
    "runs",
    METADATA,
    required("id", primary_key=True),
    required("workflow"),
    required("trigger"),
    Column("flow_run_id", CleanText),
    required("started_at", Instant, index=True),
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
    required("id", primary_key=True),
    Column("run_id", CleanText, index=True),
    Column("task_id", CleanText, index=True),
    required("sender"),
    required("recipient"),
    required("type"),
    required("action"),
    required("priority", BigInteger),
    required("sent_at", Instant, index=True),
    json_column("payload", nullable=False),
)
"""One row per message."""

ATTEMPTS = Table(
    "attempts",
    METADATA,
    required("message_id", primary_key=True),
    required("attempt", BigInteger, primary_key=True, autoincrement=False),
    required("agent"),
    required("instance", server_default=""),
    required("started_at", Instant, index=True),
    required("deadline", Instant),
    Column("finished_at", Instant),
    Column("outcome", CleanText),
    json_column("error"),
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
    required("message_id", primary_key=True),
    required("sender"),
    required("replied_at", Instant),
    required("outcome"),
    json_column("payload", nullable=False),
    json_column("error"),
    required("attempts", BigInteger),
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

REPORTS = Table(
    "reports",
    METADATA,
    required("run_id", primary_key=True),
    required("workflow"),
    required("created_at", Instant, index=True),
    json_column("body", nullable=False),
)
"""One row per run that left a report."""

# The last report of a workflow that seldom runs lies below very many others.
Index("ix_reports_workflow", REPORTS.c.workflow, REPORTS.c.created_at)

LEASES = Table(
    "leases",
    METADATA,
    required("id", primary_key=True),
    required("instance", index=True),
    required("agent"),
    required("taken_at", Instant),
    required("expires_at", Instant),
)
"""One row per slot of an agent instance that is in use; a released one is deleted."""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    required("id", primary_key=True),
    required("received_at", Instant, index=True),
    required("origin"),
    required("dialect"),
    required("raw"),
    required("reason"),
    required("status"),
    Column("message_id", CleanText),
    Column("settled_at", Instant),
)
"""One row per message that could not be delivered as it came."""
