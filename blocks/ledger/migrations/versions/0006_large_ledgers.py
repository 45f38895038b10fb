"""Large ledgers: indexes for what is asked all day, and how far outcomes were settled.

An attempt carries its figures, so that those of a day are not made from every single call. A
snapshot's frames are written piece by piece, and what is asked of single items lies beside them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _attempts_with_their_figures()
    _indexes()
    _settling()
    _snapshots_in_parts()


def _attempts_with_their_figures() -> None:
    for column in ("action", "waited_ms", "took_ms"):
        op.add_column("attempts", sa.Column(column, sa.Text if column == "action" else sa.Double))
    waited = _milliseconds("messages.sent_at", "started_at")
    took = _milliseconds("started_at", "finished_at")
    op.execute(
        f"UPDATE attempts SET action = messages.action, waited_ms = {waited}, took_ms = {took} "  # noqa: S608
        "FROM messages WHERE messages.id = attempts.message_id"
    )


def _milliseconds(earlier: str, later: str) -> str:
    if op.get_bind().dialect.name == "sqlite":
        # Of text such as 2026-03-01 12:00:00.000000; a Julian day is not exact to the microsecond.
        seconds = f"STRFTIME('%s', {later}) - STRFTIME('%s', {earlier})"
        return f"({seconds}) * 1000 + (SUBSTR({later}, 21) - SUBSTR({earlier}, 21)) / 1000.0"
    return f"EXTRACT(EPOCH FROM {later} - {earlier}) * 1000"


def _indexes() -> None:
    op.create_index("ix_attempts_agent", "attempts", ["agent", "started_at"])
    _partial("ix_attempts_failed", "attempts", ["started_at"], "outcome = 'failed'")
    op.drop_index("ix_replies_replied_at", "replies")
    op.create_index(
        "ix_replies_ended", "replies", ["replied_at", "sender", "outcome", "duration_ms"]
    )
    _partial("ix_replies_failed", "replies", ["replied_at"], "outcome = 'failed'")
    _partial("ix_runs_open", "runs", ["started_at"], "finished_at IS NULL")
    op.create_index("ix_runs_workflow", "runs", ["workflow", "started_at"])
    op.create_index("ix_reports_workflow", "reports", ["workflow", "created_at"])
    op.create_index("ix_remediations_resource", "remediations", ["resource", "started_at"])
    _partial("ix_tasks_open", "tasks", ["requested_at"], "finished_at IS NULL")
    op.create_index("ix_tasks_issue", "tasks", ["resource", "task_type", "requested_at"])
    op.create_index("ix_approvals_status", "approvals", ["status", "asked_at"])
    _partial("ix_situations_open", "situations", ["opened_at"], "settled_at IS NULL")
    op.drop_index("ix_situations_resource", "situations")
    op.create_index("ix_situations_resource", "situations", ["resource", "opened_at"])
    op.create_index("ix_receipts_kind", "receipts", ["kind", "seq"])
    op.create_index("ix_outcomes_verdict", "outcomes", ["verdict", "decided_at"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _settling() -> None:
    op.create_table(
        "settling",
        sa.Column("kind", sa.Text, primary_key=True, nullable=False),
        sa.Column("read_to", sa.BigInteger, nullable=False),
        sa.Column("held", sa.JSON, nullable=False),
    )
    # All before the first decision without an outcome need not be read again.
    op.execute(
        "INSERT INTO settling (kind, read_to, held) SELECT receipts.kind, "
        "COALESCE(MIN(CASE WHEN outcomes.receipt_id IS NULL THEN seq END) - 1, MAX(seq)), '[]' "
        "FROM receipts LEFT JOIN outcomes ON outcomes.receipt_id = receipts.id "
        "WHERE receipts.kind IN ('select', 'route') GROUP BY receipts.kind"
    )


def _snapshots_in_parts() -> None:
    op.add_column(
        "snapshots",
        sa.Column("complete", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    op.add_column(
        "snapshots", sa.Column("buckets", sa.BigInteger, nullable=False, server_default="0")
    )
    op.create_table(
        "snapshot_parts",
        _snapshot(),
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("part", sa.BigInteger, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO snapshot_parts (snapshot_id, name, part, bytes) "
        "SELECT snapshot_id, name, 0, csv_gz FROM snapshot_frames"
    )
    op.drop_table("snapshot_frames")
    op.create_table(
        "snapshot_items",
        _snapshot(),
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("bucket", sa.BigInteger, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("csv_gz", sa.LargeBinary, nullable=False),
    )


def _snapshot() -> sa.Column[str]:
    return sa.Column(
        "snapshot_id",
        sa.Text,
        sa.ForeignKey("snapshots.id", ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    )
