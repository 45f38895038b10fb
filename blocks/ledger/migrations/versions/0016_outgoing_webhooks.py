"""Partners are told by webhooks: events for them, deliveries, and how each endpoint stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "effects", sa.Column("tries_before", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("effects", sa.Column("queue", sa.Text))
    op.drop_index("ix_effects_next_at", "effects")
    _index("ix_effects_next_at", "effects", ["next_at"], "next_at IS NOT NULL AND queue IS NULL")
    waits = "queue IS NOT NULL AND finished_at IS NULL"
    _index("ix_effects_queue", "effects", ["queue", "next_at"], waits)
    op.create_table(
        "partner_events",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("need_key", sa.Text, nullable=False, unique=True),
        sa.Column("number", sa.BigInteger, nullable=False, index=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False, index=True),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("shared_at", _INSTANT),
    )
    _index("ix_partner_events_unshared", "partner_events", ["number"], "shared_at IS NULL")
    op.create_table(
        "deliveries",
        sa.Column("effect_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False, index=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False, index=True),
    )
    op.create_index("ix_deliveries_endpoint", "deliveries", ["endpoint", "number"])
    op.create_table(
        "delivery_attempts",
        sa.Column("effect_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger, primary_key=True, nullable=False),
        sa.Column("at", _INSTANT, nullable=False, index=True),
        sa.Column("status", sa.BigInteger),
        sa.Column("duration_ms", sa.Double, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_table(
        "endpoints",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("wants", sa.JSON, nullable=False),
        sa.Column("ordered_by", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("told_at", _INSTANT),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("failing_since", _INSTANT),
        sa.Column("not_before", _INSTANT),
        sa.Column("delivered_at", _INSTANT),
    )


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
