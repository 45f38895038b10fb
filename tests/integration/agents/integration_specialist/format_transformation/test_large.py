"""``connect`` samples: of a table of millions of rows it reads no more than of a small one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from agents.integration_specialist.format_transformation import propose_mapping

LINES = 2_000_000
ITEMS = 20_000

TABLES = """
CREATE TABLE products (id INTEGER PRIMARY KEY, sku VARCHAR(20) UNIQUE, name VARCHAR(40),
    price NUMERIC(10, 2));
CREATE TABLE stock (id INTEGER PRIMARY KEY, product_id INTEGER, on_hand INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, ordered_at TIMESTAMP, status VARCHAR(20),
    currency VARCHAR(3));
CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER, product_id INTEGER,
    quantity INTEGER, unit_price NUMERIC(10, 2));
"""
VIEW = """
CREATE VIEW sold_per_item AS
    SELECT product_id, sum(quantity) AS units, count(DISTINCT order_id) AS orders
    FROM order_lines GROUP BY product_id
"""
ROWS = """
INSERT INTO products SELECT n, 'SKU-' || n, 'Item ' || n, 1 + n % 50
    FROM {series} WHERE n <= {items};
INSERT INTO stock SELECT n, 1 + (n * 7) % {items}, n % 90 FROM {series} WHERE n <= {items};
INSERT INTO orders SELECT n, {day}, CASE WHEN n % 20 = 0 THEN 'cancelled' ELSE 'paid' END, 'EUR'
    FROM {series} WHERE n <= {orders};
INSERT INTO order_lines SELECT n, 1 + n / 4, 1 + (n * 31) % {items}, 1 + n % 3, 1 + n % 50
    FROM {series};
"""


def build(url: str) -> None:
    sqlite = url.startswith("sqlite")
    series = (
        f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {LINES})"
        " SELECT n FROM s) AS s"
        if sqlite
        else f"generate_series(1, {LINES}) AS s(n)"
    )
    day = (
        "datetime('2026-11-28', '-' || (n % 700) || ' days')"
        if sqlite
        else "timestamp '2026-11-28' - n % 700 * interval '1 day'"
    )
    orders = LINES // 4 + 1
    rows = ROWS.format(series=series, items=ITEMS, orders=orders, day=day)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in (TABLES + rows).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement if sqlite else statement.replace("%", "%%"))
        connection.exec_driver_sql(VIEW)
    engine.dispose()


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any engine of this process is asked meanwhile."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(" ".join(statement.upper().split()))

    sa.event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
async def test_no_table_is_read_as_a_whole(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'large.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    build(url)

    with statements() as asked:
        proposal = await propose_mapping(url)

    ours = [s for s in asked if re.search(r"FROM \S*(PRODUCTS|STOCK|ORDERS|ORDER_LINES)", s)]
    assert len(ours) > 10
    for statement in ours:
        assert not re.search(r"COUNT\(|SUM\(|GROUP BY", statement)
        assert re.search(r"LIMIT|SELECT MIN\(ID\)", statement), statement
    found = {frame.name: frame for frame in proposal.frames}
    assert proposal.complete
    assert found["sale_lines"].ticked
    assert found["stock"].ticked
    lines = found["sale_lines"].mappings[0]
    assert lines.columns["sku"] == "products.sku"  # the link was found by an index, not a scan
    assert lines.where_not == {"orders.status": ["cancelled"]}
    assert found["sale_lines"].rows_valid == 1000
