"""Coordination: tasks, leases, claims, dead letters, approvals, events, receipts, outcomes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_INSTANT = sa.DateTime(timezone=True)


def _text(name: str, **kwargs: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=kwargs.pop("nullable", False), **kwargs)


def _instant(name: str, **kwargs: Any) -> sa.Column[Any]:
    return sa.Column(name, _INSTANT, nullable=kwargs.pop("nullable", False), **kwargs)


def _number(name: str, **kwargs: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=kwargs.pop("nullable", False), **kwargs)


def upgrade() -> None:
    op.add_column("messages", sa.Column("task_id", sa.Text))
    op.create_index("ix_messages_task_id", "messages", ["task_id"])
    op.add_column("attempts", sa.Column("instance", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.create_table(
        "tasks",
        _text("id", primary_key=True),
        _text("need_key", nullable=True, unique=True),
        _text("task_type", index=True),
        sa.Column("params", sa.JSON, nullable=False),
        _text("resource"),
        _number("priority"),
        _text("requested_by"),
        _instant("requested_at", index=True),
        _instant("deadline", nullable=True),
        _text("status"),
        _text("run_id", nullable=True, index=True),
        _instant("alive_until", nullable=True),
        _text("policy_version"),
        _text("played_by", nullable=True),
        _instant("finished_at", nullable=True),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
    )
    op.create_table(
        "leases",
        _text("id", primary_key=True),
        _text("instance", index=True),
        _text("agent"),
        _instant("taken_at"),
        _instant("expires_at"),
    )
    op.create_table(
        "claims",
        _text("resource", primary_key=True),
        _number("token"),
        _text("holder", nullable=True),
        _text("workflow"),
        _number("priority"),
        _instant("taken_at"),
        _instant("expires_at"),
        sa.Column("acting", sa.Boolean, nullable=False),
        _text("wanted_by", nullable=True),
        _number("wanted_priority", nullable=True),
        _instant("wanted_until", nullable=True),
    )
    op.create_table(
        "dead_letters",
        _text("id", primary_key=True),
        _instant("received_at", index=True),
        _text("origin"),
        _text("dialect"),
        _text("raw"),
        _text("reason"),
        _text("status"),
        _text("message_id", nullable=True),
        _instant("settled_at", nullable=True),
    )
    op.create_table(
        "approvals",
        _text("id", primary_key=True),
        _text("need_key", unique=True),
        _text("run_id", nullable=True, index=True),
        _text("task_id", nullable=True, index=True),
        _text("title"),
        _text("detail"),
        _text("resource"),
        _number("priority"),
        sa.Column("proposal", sa.JSON, nullable=False),
        _text("safe_choice"),
        _instant("asked_at", index=True),
        _instant("expires_at"),
        _text("status"),
        _instant("answered_at", nullable=True),
        _text("answered_by", nullable=True),
        _text("via", nullable=True),
        _text("note"),
        _text("applying_by", nullable=True),
        _instant("applying_until", nullable=True),
        _instant("applied_at", nullable=True),
        _text("outcome", nullable=True),
    )
    op.create_index(
        "ix_approvals_unapplied",
        "approvals",
        ["expires_at"],
        sqlite_where=sa.text("applied_at IS NULL"),
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "events",
        _text("source", primary_key=True),
        _text("id", primary_key=True),
        _text("type"),
        _instant("time"),
        _text("severity"),
        _number("rank"),
        _text("subject"),
        sa.Column("data", sa.JSON, nullable=False),
        _text("fingerprint"),
        _text("content_hash"),
        _instant("received_at", index=True),
        _text("status"),
        _text("taken_by", nullable=True),
        _instant("taken_until", nullable=True),
        _number("tries"),
        _text("situation_id", nullable=True, index=True),
        _instant("settled_at", nullable=True),
    )
    op.create_index(
        "ix_events_open",
        "events",
        ["rank", "received_at"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index("ix_events_fingerprint", "events", ["fingerprint", "received_at"])
    op.create_table(
        "situations",
        _text("id", primary_key=True),
        _text("need_key", unique=True),
        _text("resource", index=True),
        _text("severity"),
        _text("title"),
        _instant("opened_at", index=True),
        _instant("updated_at"),
        _text("status"),
        _number("events"),
        _text("run_id", nullable=True),
        _instant("settled_at", nullable=True),
        sa.Column("response", sa.JSON),
    )
    op.create_table(
        "receipts",
        _number("seq", primary_key=True, autoincrement=False),
        _text("id", unique=True),
        _instant("at", index=True),
        _text("kind"),
        _text("subject", index=True),
        _text("run_id", nullable=True, index=True),
        _text("policy_version"),
        _text("body"),
        _text("previous"),
        _text("hash"),
        _text("mac", nullable=True),
    )
    op.create_table(
        "policies",
        _text("version", primary_key=True),
        _instant("first_used_at"),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "outcomes",
        _text("receipt_id", primary_key=True),
        _text("kind"),
        _text("subject"),
        _text("task_type", nullable=True),
        _text("instance", nullable=True, index=True),
        _instant("decided_at", index=True),
        _instant("settled_at"),
        _text("verdict"),
        sa.Column("cost_ms", sa.Double),
        sa.Column("detail", sa.JSON, nullable=False),
    )
