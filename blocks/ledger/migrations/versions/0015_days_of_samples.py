"""Samples that are not new are packed, a day of a series in one row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "sample_days",
        sa.Column("series", sa.Text, primary_key=True, nullable=False),
        sa.Column("day", sa.DateTime(timezone=True), primary_key=True, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_sample_days_day", "sample_days", ["day"])
