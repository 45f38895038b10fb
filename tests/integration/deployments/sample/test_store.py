"""The sample shop's database on the three kinds of server, from day to day."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from blocks.errors import ConfigurationError
from blocks.settings import PROJECT_ROOT
from deployments.sample import tables
from deployments.sample.history import SALES_FILE
from deployments.sample.replenishment import PurchaseOrder
from deployments.sample.store import fill_store

MONDAY = date(2026, 11, 23)
SHIFT = timedelta(days=16 * 364)
"""The shift of that day: its yesterday, a Sunday, stands for 2010-12-12, in the Christmas rush."""


def contents(url: str) -> dict[str, list[sa.Row[Any]]]:
    """Every table's rows, in order of its primary key."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            table.name: list(connection.execute(sa.select(table).order_by(*table.primary_key)))
            for table in tables.metadata.sorted_tables
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[sa.Row[Any]]]:
    """A SQLite store as it is filled on the Monday."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"
    assert fill_store(url, MONDAY)
    return contents(url)


def test_the_lines_are_the_source_s_up_to_yesterday_in_its_own_weekdays(shop) -> None:
    with gzip.open(SALES_FILE, "rt") as file:
        source = [
            (row["invoice"], row["sku"], datetime.fromisoformat(row["ts"]), row["quantity"])
            for row in csv.DictReader(file)
        ]
    expected = [
        (order, sku, at + SHIFT, int(units))
        for order, sku, at, units in source
        if at + SHIFT < datetime.combine(MONDAY, datetime.min.time())
    ]
    lines = shop["sale_lines"]
    assert [(x.order_id, x.sku, x.sold_at, x.units) for x in lines] == expected
    assert lines[-1].sold_at.date() == MONDAY - timedelta(days=1)
    weekdays = Counter(day.weekday() for day in {line.sold_at.date() for line in lines})
    assert weekdays[5] == 1  # the shop traded on one Saturday
    assert min(weekdays[day] for day in (0, 1, 2, 3, 4, 6)) > 40


def test_stock_is_what_came_in_less_what_went_out(shop) -> None:
    sold, received = Counter[str](), Counter[str]()
    for line in shop["sale_lines"]:
        sold[line.sku] += line.units
    for order in shop["purchase_orders"]:
        if order.received_at:
            received[order.sku] += order.units
    for item in shop["stock"]:
        balance = item.opening + received[item.sku] - sold[item.sku]
        assert balance == item.on_hand - item.backordered
        assert min(item.on_hand, item.backordered) == 0
        assert item.updated_at == datetime.combine(MONDAY, datetime.min.time())


def test_something_is_low_something_is_out_and_orders_are_under_way(shop) -> None:
    assert {row.sku for row in shop["stock"]} == {row.sku for row in shop["products"]}
    assert {row.sku for row in shop["sale_lines"]} == {row.sku for row in shop["products"]}
    assert any(item.on_hand == 0 for item in shop["stock"])
    assert sum(0 < item.on_hand <= item.reorder_point for item in shop["stock"]) >= 10
    open_orders = [order for order in shop["purchase_orders"] if not order.received_at]
    assert len(open_orders) >= 10
    assert len({order.supplier for order in open_orders}) >= 2
    assert all(order.ordered_at.date() < MONDAY for order in shop["purchase_orders"])
    assert all(0 < row.unit_cost < row.unit_price for row in shop["products"])


@pytest.mark.services
@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_tables_of_another_layout_are_made_anew(
    server: str, shop, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    assert fill_store(url, MONDAY)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE purchase_orders DROP COLUMN units"))
        connection.execute(sa.text("UPDATE sample_fill SET contents = '1:before'"))
    assert fill_store(url, MONDAY)
    assert contents(url) == shop


@pytest.mark.parametrize("days", [0, 1, 8, 11])
def test_goods_of_further_orders_come_on_their_day(tmp_path: Path, shop, days: int) -> None:
    """Ordered on the Monday, promised for the ninth day after it, there on the tenth."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    sku = shop["stock"][0].sku
    promised, arrives = MONDAY + timedelta(days=9), MONDAY + timedelta(days=10)
    ours = PurchaseOrder(
        *("PO-2026-1", sku, "midland-express", 60_000, 1.5),
        *(MONDAY, promised, arrives),
    )
    unknown = dataclasses.replace(ours, sku="no-such")
    assert fill_store(url, MONDAY + timedelta(days=days), [ours, unknown])
    assert not fill_store(url, MONDAY + timedelta(days=days), [ours, unknown])
    found = [row for row in contents(url)["purchase_orders"] if row.order_id == "PO-2026-1"]
    on_hand = next(row.on_hand for row in contents(url)["stock"] if row.sku == sku)
    if not days:
        assert found == [], "the store holds what was before the day"
        return
    (row,) = found
    assert (row.sku, row.units, row.supplier) == (sku, 60_000, "midland-express")
    assert row.ordered_at.date() == MONDAY
    assert row.expected_at.date() == promised
    assert (row.received_at is not None) == (days == 11) == (on_hand > 50_000)


def test_another_order_fills_the_store_anew(tmp_path: Path, shop) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    assert fill_store(url, MONDAY)
    day = MONDAY - timedelta(days=20)
    ours = [
        PurchaseOrder("PO-1", row.sku, "midland-express", 6, 1.0, day, day, day)
        for row in shop["stock"][:2]
    ]
    assert fill_store(url, MONDAY, ours)
    rows = [row for row in contents(url)["purchase_orders"] if row.order_id == "PO-1"]
    assert len(rows) == 2, "one order of two items"


def test_the_same_day_is_cheap_and_the_next_moves_on(tmp_path: Path, shop) -> None:
    file = tmp_path / "shop.db"
    url = f"sqlite:///{file}"
    assert fill_store(url, MONDAY - timedelta(days=1))
    before = file.stat()
    assert not fill_store(url, MONDAY - timedelta(days=1))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    sunday = contents(url)
    # The shop was closed on the Saturday: the last sales are Friday's.
    assert sunday["sale_lines"][-1].sold_at.date() == date(2026, 11, 20)
    assert fill_store(url, MONDAY)
    assert contents(url) == shop
    assert shop["sale_lines"][: len(sunday["sale_lines"])] == sunday["sale_lines"]
    orders = {order.order_id: order for order in shop["purchase_orders"]}
    for order in sunday["purchase_orders"]:
        assert orders[order.order_id].units == order.units


@pytest.mark.services
@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_servers_hold_the_same_and_move_on_too(
    server: str, shop, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    assert fill_store(url, MONDAY - timedelta(days=1))
    assert fill_store(url, MONDAY)
    assert not fill_store(url, MONDAY)
    assert contents(url) == shop


@pytest.mark.parametrize(
    "server",
    [
        "sqlite",
        pytest.param("postgres_url", marks=pytest.mark.services),
        pytest.param("mariadb_url", marks=pytest.mark.services),
    ],
)
def test_somebody_else_s_tables_are_left_alone(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    if server != "sqlite":
        url = request.getfixturevalue(server)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE products (id INTEGER)"))
        connection.execute(sa.text("INSERT INTO products VALUES (17)"))
    with pytest.raises(ConfigurationError, match=r"not the sample's: products"):
        fill_store(url, MONDAY)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT id FROM products")).scalars().all() == [17]
        assert sa.inspect(connection).get_table_names() == ["products"]


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    file.write_text("my shopping list, which is certainly no database\n" * 100)
    with pytest.raises(ConfigurationError, match="cannot be filled"):
        fill_store(f"sqlite:///{file}", MONDAY)
    assert file.read_text().startswith("my shopping list")


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be filled"):
        fill_store(f"sqlite:///{tmp_path / 'nowhere' / 'shop.db'}", MONDAY)


def test_a_killed_fill_leaves_the_old_store_and_the_next_clears_up(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    url = f"sqlite:///{file}"
    fill_store(url, MONDAY)
    old = file.read_bytes()
    code = (
        "import sys; from datetime import date; from deployments.sample.store import fill_store; "
        "fill_store(sys.argv[1], date(2026, 11, 24))"
    )
    filler = subprocess.Popen([sys.executable, "-c", code, url], cwd=PROJECT_ROOT)
    draft = tmp_path / f".shop.db.{filler.pid}"
    try:
        while filler.poll() is None and not (draft.exists() and draft.stat().st_size > 100_000):
            time.sleep(0.005)
    finally:
        os.kill(filler.pid, signal.SIGKILL)
    assert filler.wait() == -signal.SIGKILL
    assert draft.exists()
    assert file.read_bytes() == old
    assert fill_store(url, MONDAY + timedelta(days=1))
    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]
