"""Outages that sources tell of; situations that stay open, how they end, and who is asked.

What was settled before stays settled.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("responded_at", _INSTANT),
        sa.Column("ending", sa.Text),
        sa.Column("ended_by", sa.Text),
        sa.Column("impact_per_hour", sa.Double),
        sa.Column("group_key", sa.Text),
        sa.Column("approval_id", sa.Text),
    ):
        op.add_column("situations", column)
    op.create_table(
        "alerts",
        sa.Column("fingerprint", sa.Text, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("heard_at", _INSTANT, nullable=False),
        sa.Column("resolved_at", _INSTANT),
        sa.Column("resolved_by", sa.Text),
    )
    op.create_index("ix_alerts_event", "alerts", ["source", "event_id"])
    op.create_index("ix_alerts_resolved_by", "alerts", ["source", "resolved_by"])
