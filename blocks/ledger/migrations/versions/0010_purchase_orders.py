"""Purchase orders: what was proposed, sent and received, and what became known of each."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Text, primary_key=True, nullable=False),
        sa.Column("reference", sa.Text, nullable=False, unique=True),
        sa.Column("effect_id", sa.Text, nullable=False, unique=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("supplier", "site", "currency", "goods", "freight", "total")
        ),
        sa.Column("total_in_store_currency", sa.Text),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("proposed_at", _INSTANT, nullable=False, index=True),
        sa.Column("expected_on", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("ended_at", _INSTANT),
    )
    op.create_index("ix_orders_supplier", "orders", ["supplier", "proposed_at"])
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_orders_open",
        "orders",
        ["proposed_at"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger, primary_key=True, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("cycle", sa.BigInteger, nullable=False),
        sa.Column("need_key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("unit_cost", sa.Text, nullable=False),
        sa.Column("item_group", sa.Text, nullable=False),
        sa.Column("rule_units", sa.JSON, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_index("ix_order_lines_item", "order_lines", ["sku", "site", "cycle"])
    op.create_table(
        "order_entries",
        sa.Column("order_id", sa.Text, primary_key=True, nullable=False),
        sa.Column("key", sa.Text, primary_key=True, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False, index=True),
        sa.Column("said_by", sa.Text, nullable=False),
        sa.Column("says", sa.Text, nullable=False),
        sa.Column("supplier_number", sa.Text, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
