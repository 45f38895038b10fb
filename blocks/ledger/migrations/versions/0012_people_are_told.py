"""What each audience was told of, and how it stood then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tellings",
        sa.Column("audience", sa.Text, primary_key=True, nullable=False),
        sa.Column("fingerprint", sa.Text, primary_key=True, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("told_at", _INSTANT, nullable=False, index=True),
        sa.Column("over_at", _INSTANT),
    )
    is_open = sa.text("over_at IS NULL")
    op.create_index(
        "ix_tellings_open",
        "tellings",
        ["audience"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
