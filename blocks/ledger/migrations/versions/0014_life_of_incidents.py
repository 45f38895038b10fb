"""Incidents are acknowledged, assigned and reopened; silences hold back what is told of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("type", sa.Text, nullable=False, server_default=""),
        sa.Column("labels", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("notice_group", sa.Text, nullable=False, server_default=""),
        sa.Column("outages", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("previous_id", sa.Text),
        sa.Column("reopened_at", _INSTANT),
        sa.Column("worsened_at", _INSTANT),
        sa.Column("flapping_since", _INSTANT),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("acknowledged_at", _INSTANT),
        sa.Column("acknowledged_until", _INSTANT),
        sa.Column("assigned_to", sa.Text),
        sa.Column("silence_id", sa.Text),
    ):
        op.add_column("incidents", column)
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False, index=True),
        sa.Column("ended_by", sa.Text),
        sa.Column("maintenance", sa.Boolean, nullable=False),
        sa.Column("weekly", sa.JSON),
    )
