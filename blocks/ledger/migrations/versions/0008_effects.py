"""One table for every act on the outside world; remediations move into it.

What was intended and not settled may be going on: it counts as begun until its deadline, or for ten
minutes where it has none, as before.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INSTANT = sa.DateTime(timezone=True)
_USUAL = timedelta(minutes=10)
_STATUS = {"intended": "acting", "not-needed": "refused", "failed": "failed", "unknown": "unknown"}
_ROWS_AT_ONCE = 1000


def upgrade() -> None:
    effects = op.create_table(
        "effects",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("need_key", sa.Text, nullable=False, unique=True),
        sa.Column("idempotency_key", sa.Text, nullable=False, index=True),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("run_id", sa.Text, index=True),
        sa.Column("task_id", sa.Text),
        sa.Column("fence", sa.BigInteger),
        sa.Column("lease", _INSTANT),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("intended_at", _INSTANT, nullable=False, index=True),
        sa.Column("next_at", _INSTANT),
        sa.Column("finished_at", _INSTANT),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("approval_id", sa.Text),
        sa.Column("receipt", sa.Text),
    )
    op.create_index("ix_effects_target", "effects", ["target", "intended_at"])
    op.create_index("ix_effects_status", "effects", ["status", "intended_at"])
    for column in ("lease", "next_at"):
        condition = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_effects_{column}",
            "effects",
            [column],
            sqlite_where=condition,
            postgresql_where=condition,
        )
    _move(effects)
    op.drop_table("remediations")


def _move(effects: sa.Table) -> None:
    texts = ("id", "run_id", "need_key", "finding", "resource", "action", "status", "detail")
    columns: list[Any] = [sa.column(name, sa.Text) for name in texts]
    columns += [sa.column(name, sa.JSON) for name in ("before", "after")]
    columns += [sa.column(name, _INSTANT) for name in ("started_at", "deadline", "finished_at")]
    remediations = sa.table("remediations", *columns)
    connection = op.get_bind()
    for rows in connection.execute(sa.select(remediations)).mappings().partitions(_ROWS_AT_ONCE):
        connection.execute(effects.insert(), [_effect(row) for row in rows])


def _effect(row: sa.RowMapping) -> dict[str, Any]:
    is_open = row["status"] == "intended" and row["finished_at"] is None
    outcome = {
        "verdict": None if row["status"] == "intended" else row["status"],
        "reason": "",
        "detail": row["detail"],
        "before": row["before"],
        "after": row["after"],
    }
    return {
        "id": row["id"],
        "kind": row["action"],
        "target": row["resource"],
        "need_key": row["need_key"],
        "idempotency_key": row["id"],
        "cause": row["finding"],
        "payload": json.dumps({}),
        "run_id": row["run_id"],
        "lease": (row["deadline"] or row["started_at"] + _USUAL) if is_open else None,
        "attempts": 1,
        "intended_at": row["started_at"],
        "finished_at": row["finished_at"],
        "status": _STATUS.get(row["status"], "done"),
        "outcome": json.dumps(outcome),
    }
