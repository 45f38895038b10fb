"""The ledger's tables of coordination: tasks, claims, approvals, events, receipts, the API.

As in ``blocks.ledger.calls.tables``, no foreign keys: rows arrive from several processes in any
order.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table

from blocks.ledger.calls.tables import METADATA, CleanText, Instant, _json, _required, index_where

TASKS = Table(
    "tasks",
    METADATA,
    _required("id", primary_key=True),
    Column("need_key", CleanText, unique=True),
    _required("task_type", index=True),
    _json("params", nullable=False),
    _required("resource"),
    _required("priority", BigInteger),
    _required("requested_by"),
    _required("requested_at", Instant, index=True),
    Column("deadline", Instant),
    _required("status"),
    Column("run_id", CleanText, index=True),
    Column("alive_until", Instant),
    _required("policy_version"),
    Column("played_by", CleanText),
    Column("finished_at", Instant),
    _json("result"),
    _json("error"),
)
"""One row per routed task."""

# Every few seconds somebody asks for those whose run died; what is open is little.
index_where("ix_tasks_open", TASKS.c.finished_at.is_(None), TASKS.c.requested_at)

# Whether an issue came back: the same type of task about the same thing, asked for again.
Index("ix_tasks_issue", TASKS.c.resource, TASKS.c.task_type, TASKS.c.requested_at)

LEASES = Table(
    "leases",
    METADATA,
    _required("id", primary_key=True),
    _required("instance", index=True),
    _required("agent"),
    _required("taken_at", Instant),
    _required("expires_at", Instant),
)
"""One row per slot of an agent instance that is in use; a released one is deleted."""

CLAIMS = Table(
    "claims",
    METADATA,
    _required("resource", primary_key=True),
    _required("token", BigInteger),
    Column("holder", CleanText),
    _required("workflow"),
    _required("priority", BigInteger),
    _required("taken_at", Instant),
    _required("expires_at", Instant),
    _required("acting", Boolean),
    Column("wanted_by", CleanText),
    Column("wanted_priority", BigInteger),
    Column("wanted_until", Instant),
)
"""One row per resource that was ever claimed: the fencing token only grows, so rows stay."""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    _required("id", primary_key=True),
    _required("received_at", Instant, index=True),
    _required("origin"),
    _required("dialect"),
    _required("raw"),
    _required("reason"),
    _required("status"),
    Column("message_id", CleanText),
    Column("settled_at", Instant),
)
"""One row per message that could not be delivered as it came."""

APPROVALS = Table(
    "approvals",
    METADATA,
    _required("id", primary_key=True),
    _required("need_key", unique=True),
    Column("run_id", CleanText, index=True),
    Column("task_id", CleanText, index=True),
    _required("title"),
    _required("detail"),
    _required("resource"),
    _required("priority", BigInteger),
    _json("proposal", nullable=False),
    _required("safe_choice"),
    _required("asked_at", Instant, index=True),
    _required("expires_at", Instant),
    _required("status"),
    Column("answered_at", Instant),
    Column("answered_by", CleanText),
    Column("via", CleanText),
    _required("note"),
    Column("applying_by", CleanText),
    Column("applying_until", Instant),
    Column("applied_at", Instant),
    Column("outcome", CleanText),
)
"""One row per question to a person: asked, answered or expired, and then applied once."""

# Every few seconds somebody asks what there is to expire or to apply: almost always nothing.
index_where("ix_approvals_unapplied", APPROVALS.c.applied_at.is_(None), APPROVALS.c.expires_at)

Index("ix_approvals_status", APPROVALS.c.status, APPROVALS.c.asked_at)

EVENTS = Table(
    "events",
    METADATA,
    _required("source", primary_key=True),
    _required("id", primary_key=True),
    _required("type"),
    _required("time", Instant),
    _required("severity"),
    _required("rank", BigInteger),
    _required("subject"),
    _json("data", nullable=False),
    _required("fingerprint"),
    _required("content_hash"),
    _required("received_at", Instant, index=True),
    _required("status"),
    Column("taken_by", CleanText),
    Column("taken_until", Instant),
    _required("tries", BigInteger),
    Column("situation_id", CleanText, index=True),
    Column("settled_at", Instant),
)
"""The inbox: one row per event, whatever became of it."""

# The inbox is asked for what waits, and that is little however long the ledger grows.
index_where("ix_events_open", EVENTS.c.settled_at.is_(None), EVENTS.c.rank, EVENTS.c.received_at)

# Whether an event says something new of a thing is asked on arrival, of its newest event only.
Index("ix_events_fingerprint", EVENTS.c.fingerprint, EVENTS.c.received_at)

SITUATIONS = Table(
    "situations",
    METADATA,
    _required("id", primary_key=True),
    _required("need_key", unique=True),
    _required("resource"),
    _required("severity"),
    _required("title"),
    _required("opened_at", Instant, index=True),
    _required("updated_at", Instant),
    _required("status"),
    _required("events", BigInteger),
    Column("run_id", CleanText),
    Column("settled_at", Instant),
    _json("response"),
    Column("responded_at", Instant),
    Column("ending", CleanText),
    Column("ended_by", CleanText),
    Column("impact_per_hour", Double),
    Column("group_key", CleanText),
    Column("approval_id", CleanText),
)
"""One row per situation: events that belong together, and the one response to them."""

Index("ix_situations_resource", SITUATIONS.c.resource, SITUATIONS.c.opened_at)

# What is not over is asked for all the time, and is little however long the ledger grows.
index_where("ix_situations_open", SITUATIONS.c.settled_at.is_(None), SITUATIONS.c.opened_at)

ALERTS = Table(
    "alerts",
    METADATA,
    _required("fingerprint", primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _required("source"),
    _required("event_id"),
    _required("rank", BigInteger),
    _required("heard_at", Instant),
    Column("resolved_at", Instant),
    Column("resolved_by", CleanText),
)
"""One row per outage that a source told of, from the event with which it began (``event_id``) to
the one that ended it; with the highest severity, and the last time that anything was heard of it.
"""

Index("ix_alerts_event", ALERTS.c.source, ALERTS.c.event_id)
Index("ix_alerts_resolved_by", ALERTS.c.source, ALERTS.c.resolved_by)

RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _required("id", unique=True),
    _required("at", Instant, index=True),
    _required("kind"),
    _required("subject", index=True),
    Column("run_id", CleanText, index=True),
    _required("policy_version"),
    _required("body"),
    _required("previous"),
    _required("hash"),
    Column("mac", CleanText),
)
"""One row per decision, chained by ``hash``; the last of each commit is signed (``mac``).

``body`` is JSON as text: it is hashed, so it must come back to the letter.
"""

Index("ix_receipts_kind", RECEIPTS.c.kind, RECEIPTS.c.seq)

POLICIES = Table(
    "policies",
    METADATA,
    _required("version", primary_key=True),
    _required("first_used_at", Instant),
    _json("body", nullable=False),
)
"""One row per version of the policy that a decision was made under."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    _required("receipt_id", primary_key=True),
    _required("kind"),
    _required("subject"),
    Column("task_type", CleanText),
    Column("instance", CleanText, index=True),
    _required("decided_at", Instant, index=True),
    _required("settled_at", Instant),
    _required("verdict"),
    Column("cost_ms", Double),
    _json("detail", nullable=False),
)
"""One row per automatic decision that was compared with what then happened."""

# Selection asks every few seconds for what came back, and that is little.
Index("ix_outcomes_verdict", OUTCOMES.c.verdict, OUTCOMES.c.decided_at)

SETTLING = Table(
    "settling",
    METADATA,
    _required("kind", primary_key=True),
    _required("read_to", BigInteger),
    _json("held", nullable=False),
)
"""One row per kind of decision whose outcomes are settled.

All decisions up to the receipt numbered ``read_to`` have their outcome, but for those whose numbers
``held`` lists: of them it was too early to tell.
"""

API_TOKENS = Table(
    "api_tokens",
    METADATA,
    _required("id", primary_key=True),
    _required("name"),
    _required("hash"),
    _json("scopes", nullable=False),
    _required("created_at", Instant),
    _required("created_by"),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)
"""One row per token of the API that was ever made; of its text only the hash."""

API_REQUESTS = Table(
    "api_requests",
    METADATA,
    _required("caller", primary_key=True),
    _required("key", primary_key=True),
    _required("fingerprint"),
    _required("begun_at", Instant, index=True),
    _required("begun_by"),
    _required("alive_until", Instant),
    Column("finished_at", Instant),
    Column("status", BigInteger),
    _json("headers"),
    Column("body", CleanText),
)
"""One row per request with an idempotency key, and its answer once there is one.

``body`` is JSON as text: whoever asks again is answered to the letter.
"""
