"""What rules did, and what silences which incident."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rule_firings",
        sa.Column("rule", sa.Text, primary_key=True, nullable=False),
        sa.Column("source", sa.Text, primary_key=True, nullable=False),
        sa.Column("event_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("asks_for", sa.Text, nullable=False),
        sa.Column("run_key", sa.Text),
        sa.Column("due", _INSTANT),
        sa.Column("run_id", sa.Text),
        sa.Column("run_name", sa.Text),
        sa.Column("chain", sa.JSON, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("settled_at", _INSTANT),
    )
    op.create_index("ix_rule_firings_at", "rule_firings", ["at"])
    op.create_index("ix_rule_firings_rule", "rule_firings", ["rule", "at"])
    op.create_index("ix_rule_firings_run_id", "rule_firings", ["run_id"])
    _index_of_open("ix_rule_firings_open", "rule_firings", "settled_at IS NULL", "at")
    op.create_table(
        "incident_inhibitions",
        sa.Column("incident_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("cause_id", sa.Text, nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("released_at", _INSTANT),
    )
    op.create_index("ix_incident_inhibitions_since", "incident_inhibitions", ["since"])
    _index_of_open(
        "ix_incident_inhibitions_open", "incident_inhibitions", "released_at IS NULL", "cause_id"
    )


def _index_of_open(name: str, table: str, condition: str, column: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, [column], sqlite_where=where, postgresql_where=where)
