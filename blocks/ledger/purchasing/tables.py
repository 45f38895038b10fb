"""The tables of purchasing: orders, their lines, what became known of them, what came of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

ORDERS = Table(
    "orders",
    METADATA,
    required("id", primary_key=True),
    required("reference", unique=True),
    required("effect_id", unique=True),
    required("supplier"),
    required("site"),
    required("currency"),
    required("goods"),
    required("freight"),
    required("total"),
    Column("total_in_store_currency", CleanText),
    required("level"),
    required("proposed_at", Instant, index=True),
    required("expected_on"),
    required("run_id"),
    Column("ended_at", Instant),
)
"""One row per purchase order; money and days as text, as they are written.

How far it came to be sent stands in its effect. ``ended_at`` is when nothing more came of what was
sent, by its entries.
"""

Index("ix_orders_supplier", ORDERS.c.supplier, ORDERS.c.proposed_at)

# Before each plan somebody asks for what is under way, and that is little.
index_where("ix_orders_open", ORDERS.c.ended_at.is_(None), ORDERS.c.proposed_at)

ORDER_LINES = Table(
    "order_lines",
    METADATA,
    required("order_id", primary_key=True),
    required("number", BigInteger, primary_key=True),
    required("sku"),
    required("site"),
    required("cycle", BigInteger),
    required("need_key", unique=True),
    required("name"),
    required("units", BigInteger),
    required("unit_cost"),
    required("item_group"),
    json_column("rule_units", nullable=False),
    json_column("facts", nullable=False),
)
"""One row per item of an order.

``cycle`` numbers the orders of one item at one site: clocks differ, and do not tell the last one.
"""

Index("ix_order_lines_item", ORDER_LINES.c.sku, ORDER_LINES.c.site, ORDER_LINES.c.cycle)

ORDER_ENTRIES = Table(
    "order_entries",
    METADATA,
    required("order_id", primary_key=True),
    required("key", primary_key=True),
    required("number", BigInteger),
    required("kind"),
    required("at", Instant, index=True),
    required("said_by"),
    required("says"),
    required("supplier_number"),
    json_column("lines", nullable=False),
    required("detail"),
)
"""One row per thing that became known of an order, ``number`` in the order in which it did."""

ORDER_OUTCOMES = Table(
    "order_outcomes",
    METADATA,
    required("order_id", primary_key=True),
    required("sku", primary_key=True),
    required("item_group"),
    required("level"),
    required("decided_at", Instant, index=True),
    required("settled_at", Instant),
    Column("value", CleanText),
    Column("ours", CleanText),
    Column("rule", CleanText),
    required("currency"),
    required("bad"),
    json_column("detail", nullable=False),
)
"""One row per line of an order whose outcome is settled; money as text, as it is written."""
