"""Incidents are called so, and keep what people and the system did about each.

Samples are what our own looks measured.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for index in ("ix_situations_resource", "ix_situations_open", "ix_situations_opened_at"):
        op.drop_index(index, "situations")
    op.rename_table("situations", "incidents")
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_index("ix_incidents_resource", "incidents", ["resource", "opened_at"])
    is_open = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_incidents_open",
        "incidents",
        ["opened_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.drop_index("ix_events_situation_id", "events")
    op.alter_column("events", "situation_id", new_column_name="incident_id")
    op.create_index("ix_events_incident_id", "events", ["incident_id"])
    op.create_table(
        "incident_entries",
        sa.Column("incident_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("at", _INSTANT, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("series", sa.Text, primary_key=True, nullable=False),
        sa.Column("at", _INSTANT, primary_key=True, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.create_index("ix_samples_at", "samples", ["at"])
