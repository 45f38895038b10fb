"""The API: its tokens, and what requests with an idempotency key came to."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", _INSTANT),
        sa.Column("revoked_at", _INSTANT),
    )
    op.create_table(
        "api_requests",
        sa.Column("caller", sa.Text, primary_key=True, nullable=False),
        sa.Column("key", sa.Text, primary_key=True, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("begun_at", _INSTANT, nullable=False, index=True),
        sa.Column("begun_by", sa.Text, nullable=False),
        sa.Column("alive_until", _INSTANT, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.Column("status", sa.BigInteger),
        sa.Column("headers", sa.JSON),
        sa.Column("body", sa.Text),
    )
