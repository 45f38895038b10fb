"""The tables of work: tasks, claims, approvals, effects, what people were told of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, and_

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

TASKS = Table(
    "tasks",
    METADATA,
    required("id", primary_key=True),
    Column("need_key", CleanText, unique=True),
    required("task_type", index=True),
    json_column("params", nullable=False),
    required("resource"),
    required("priority", BigInteger),
    required("requested_by"),
    required("requested_at", Instant, index=True),
    Column("deadline", Instant),
    required("status"),
    Column("run_id", CleanText, index=True),
    Column("alive_until", Instant),
    required("policy_version"),
    Column("played_by", CleanText),
    Column("finished_at", Instant),
    json_column("result"),
    json_column("error"),
)
"""One row per routed task."""

# Every few seconds somebody asks for those whose run died; what is open is little.
index_where("ix_tasks_open", TASKS.c.finished_at.is_(None), TASKS.c.requested_at)

# Whether an issue came back: the same type of task about the same thing, asked for again.
Index("ix_tasks_issue", TASKS.c.resource, TASKS.c.task_type, TASKS.c.requested_at)

CLAIMS = Table(
    "claims",
    METADATA,
    required("resource", primary_key=True),
    required("token", BigInteger),
    Column("holder", CleanText),
    required("workflow"),
    required("priority", BigInteger),
    required("taken_at", Instant),
    required("expires_at", Instant),
    required("acting", Boolean),
    Column("wanted_by", CleanText),
    Column("wanted_priority", BigInteger),
    Column("wanted_until", Instant),
)
"""One row per resource that was ever claimed: the fencing token only grows, so rows stay."""

APPROVALS = Table(
    "approvals",
    METADATA,
    required("id", primary_key=True),
    required("need_key", unique=True),
    Column("run_id", CleanText, index=True),
    Column("task_id", CleanText, index=True),
    required("title"),
    required("detail"),
    required("resource"),
    required("priority", BigInteger),
    json_column("proposal", nullable=False),
    required("safe_choice"),
    required("asked_at", Instant, index=True),
    required("expires_at", Instant),
    required("status"),
    Column("answered_at", Instant),
    Column("answered_by", CleanText),
    Column("via", CleanText),
    required("note"),
    Column("applying_by", CleanText),
    Column("applying_until", Instant),
    Column("applied_at", Instant),
    Column("outcome", CleanText),
)
"""One row per question to a person: asked, answered or expired, and then applied once."""

# Every few seconds somebody asks what there is to expire or to apply: almost always nothing.
index_where("ix_approvals_unapplied", APPROVALS.c.applied_at.is_(None), APPROVALS.c.expires_at)

Index("ix_approvals_status", APPROVALS.c.status, APPROVALS.c.asked_at)

EFFECTS = Table(
    "effects",
    METADATA,
    required("id", primary_key=True),
    required("kind"),
    required("target"),
    required("need_key", unique=True),
    required("idempotency_key", index=True),
    required("cause"),
    json_column("payload", nullable=False),
    Column("run_id", CleanText, index=True),
    Column("task_id", CleanText),
    Column("fence", BigInteger),
    Column("lease", Instant),
    required("attempts", BigInteger),
    required("intended_at", Instant, index=True),
    Column("next_at", Instant),
    Column("finished_at", Instant),
    required("status"),
    json_column("outcome", nullable=False),
    Column("approval_id", CleanText),
    Column("receipt", CleanText),
    required("tries_before", BigInteger, server_default="0"),
    Column("queue", CleanText),
)
"""One row per act on the outside world: intent first, outcome later."""

Index("ix_effects_target", EFFECTS.c.target, EFFECTS.c.intended_at)
Index("ix_effects_status", EFFECTS.c.status, EFFECTS.c.intended_at)

# Every few seconds somebody asks what is due: almost always nothing.
index_where("ix_effects_lease", EFFECTS.c.lease.is_not(None), EFFECTS.c.lease)
index_where(
    "ix_effects_next_at",
    and_(EFFECTS.c.next_at.is_not(None), EFFECTS.c.queue.is_(None)),
    EFFECTS.c.next_at,
)

# What waits in a queue of its own costs nobody who looks for what is due.
index_where(
    "ix_effects_queue",
    and_(EFFECTS.c.queue.is_not(None), EFFECTS.c.finished_at.is_(None)),
    EFFECTS.c.queue,
    EFFECTS.c.next_at,
)

TELLINGS = Table(
    "tellings",
    METADATA,
    required("audience", primary_key=True),
    required("fingerprint", primary_key=True),
    required("state"),
    required("title"),
    required("source"),
    required("since", Instant),
    required("told_at", Instant, index=True),
    Column("over_at", Instant),
)
"""One row per audience and thing that it was told of; and one per audience, by whose lock of those
who tell it something at once one comes after the other."""

index_where("ix_tellings_open", TELLINGS.c.over_at.is_(None), TELLINGS.c.audience)
