"""What came of order lines, against what the simple rule's would have cost."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "order_outcomes",
        sa.Column("order_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("sku", sa.Text, primary_key=True, nullable=False),
        sa.Column("item_group", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("decided_at", _INSTANT, nullable=False, index=True),
        sa.Column("settled_at", _INSTANT, nullable=False),
        sa.Column("value", sa.Text),
        sa.Column("ours", sa.Text),
        sa.Column("rule", sa.Text),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("bad", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
