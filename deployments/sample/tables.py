"""The tables of the sample shop's database, alike on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

_sku = sa.String(20)
_name = sa.String(40)
_money = sa.Numeric(10, 2, asdecimal=False)

fills = sa.Table(
    "sample_fill",
    metadata,
    sa.Column("as_of", sa.Date, primary_key=True, comment="The store holds all before this day"),
    sa.Column("shift_days", sa.Integer, nullable=False),
    sa.Column("contents", sa.String(80), nullable=False, comment="Layout and data it came from"),
)
supplier_table = sa.Table(
    "suppliers",
    metadata,
    sa.Column("name", _name, primary_key=True),
    sa.Column("lead_time_days", sa.Integer, nullable=False),
    sa.Column("min_order_units", sa.Integer, nullable=False),
    sa.Column("pack_units", sa.Integer, nullable=False),
)
products = sa.Table(
    "products",
    metadata,
    sa.Column("sku", _sku, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("unit_price", _money, nullable=False),
    sa.Column("unit_cost", _money, nullable=False),
    sa.Column("supplier", _name, sa.ForeignKey("suppliers.name"), nullable=False),
)
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("sku", _sku, sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("opening", sa.Integer, nullable=False, comment="Units before the first sale"),
    sa.Column("on_hand", sa.Integer, nullable=False),
    sa.Column("backordered", sa.Integer, nullable=False),
    sa.Column("reorder_point", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
)
sale_lines = sa.Table(
    "sale_lines",
    metadata,
    sa.Column("line_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("order_id", sa.String(12), nullable=False),
    sa.Column("sku", _sku, sa.ForeignKey("products.sku"), nullable=False),
    sa.Column("sold_at", sa.DateTime, nullable=False, index=True),
    sa.Column("units", sa.Integer, nullable=False, comment="Negative: returned"),
    sa.Column("unit_price", _money, nullable=False),
)
purchase_orders = sa.Table(
    "purchase_orders",
    metadata,
    sa.Column("order_id", sa.String(100), primary_key=True),
    sa.Column("sku", _sku, sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("supplier", _name, sa.ForeignKey("suppliers.name"), nullable=False),
    sa.Column("units", sa.Integer, nullable=False),
    sa.Column("unit_cost", _money, nullable=False),
    sa.Column("ordered_at", sa.DateTime, nullable=False),
    sa.Column("expected_at", sa.DateTime, nullable=False),
    sa.Column("received_at", sa.DateTime, comment="Empty while it is open"),
)
