"""The tables of a drawn shop in SQLite and PostgreSQL, filled as fast as each of them allows.

Orders with a date, lines that know their order and their item, and the indexes that such a shop
has: primary keys, the lines of an order, the orders of a day.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import sqlalchemy as sa
from numpy.typing import NDArray

from benchmarks.large_shop_rows import DayOfLines, Shop
from blocks.store.block import StoreDatabase
from blocks.store.mapping import FrameMapping

_TABLES = {
    "item": "id INTEGER PRIMARY KEY, sku VARCHAR(20) NOT NULL, name VARCHAR(60) NOT NULL, "
    "price NUMERIC(10, 2) NOT NULL",
    "stock_level": "item_id INTEGER PRIMARY KEY, quantity INTEGER NOT NULL",
    "purchase": "id INTEGER PRIMARY KEY, supplier VARCHAR(20) NOT NULL, item_id INTEGER NOT NULL, "
    "quantity INTEGER NOT NULL, ordered_at TIMESTAMP NOT NULL, due_at TIMESTAMP NOT NULL",
    "shop_order": "id INTEGER PRIMARY KEY, placed_at TIMESTAMP NOT NULL",
    "order_line": "id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, item_id INTEGER NOT NULL, "
    "quantity INTEGER NOT NULL, unit_price NUMERIC(10, 2) NOT NULL",
}
_INDEXES = {"order_line": "order_id", "shop_order": "placed_at"}
_LARGE = ("shop_order", "order_line")

_DAYS = 10  # that are written at a time
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - PostgreSQL's, of timestamps without a zone

Rows = dict[str, list[tuple[Any, ...]]]


def store(name: str, url: str) -> StoreDatabase:
    """The database as a business maps it."""
    item = {"table": "item", "on": {"item_id": "id"}}
    order = {"table": "shop_order", "on": {"order_id": "id"}}
    frames: dict[str, dict[str, Any]] = {
        "products": {
            "table": "item",
            "columns": {"sku": "sku", "name": "name", "unit_price": "price"},
        },
        "stock": {
            "table": "stock_level",
            "columns": {"sku": "item.sku", "on_hand": "quantity"},
            "joins": [item],
        },
        "sale_lines": {
            "table": "order_line",
            "columns": {
                "order_id": "order_id",
                "sku": "item.sku",
                "sold_at": "shop_order.placed_at",
                "units": "quantity",
                "unit_price": "unit_price",
            },
            "joins": [order, item],
        },
        "open_orders": {
            "table": "purchase",
            "columns": {
                "order_id": "purchase.id",
                "supplier": "supplier",
                "sku": "item.sku",
                "units": "quantity",
                "ordered_at": "ordered_at",
                "expected_at": "due_at",
            },
            "joins": [item],
        },
    }
    return StoreDatabase(
        name=name,
        url=url,
        currency="GBP",
        frames={frame: [FrameMapping(**mapping)] for frame, mapping in frames.items()},
        internal_hosts=["127.0.0.1", "localhost"],
        statement_timeout=100,
    )


def fill_sqlite(shop: Shop, file: Path) -> None:
    """Write the shop's tables into a new file."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        _create(connection.execute)
        for table, rows in _small(shop).items():
            connection.executemany(_insert(table, len(rows[0])), rows)
        line = 1
        for days in _in_parts(shop):
            for day in days:
                heads, minutes = np.unique(day.order, return_index=True)
                begun = datetime.combine(day.day, time())
                told = [
                    (begun + timedelta(minutes=m)).isoformat(" ")
                    for m in day.minute[minutes].tolist()
                ]
                connection.executemany(
                    _insert("shop_order", 2), zip(heads.tolist(), told, strict=True)
                )
                columns = (
                    range(line, line + len(day.item)),
                    day.order.tolist(),
                    (day.item + 1).tolist(),
                    day.units.tolist(),
                    (day.cents / 100).tolist(),
                )
                connection.executemany(_insert("order_line", 5), zip(*columns, strict=True))
                line += len(day.item)
        _index(connection.execute)
        connection.execute("COMMIT")


@contextmanager
def filled_postgres(shop: Shop, server: str) -> Iterator[str]:
    """A new database with the shop's tables; it is dropped in the end."""
    url = sa.make_url(server)
    name = f"large_shop_{uuid4().hex[:8]}"
    with closing(_connect(url)) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            url = url.set(database=name)
            with closing(_connect(url)) as connection:
                _create(lambda sql: connection.execute(sql.encode()))
                _copy_all(shop, connection)
                _index(lambda sql: connection.execute(sql.encode()))
                connection.execute("VACUUM ANALYZE")
            yield url.set(drivername="postgresql").render_as_string(hide_password=False)
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _connect(url: sa.URL) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database,
        autocommit=True,
    )


def _create(execute: Callable[[str], object]) -> None:
    for table, columns in _TABLES.items():
        execute(f"CREATE TABLE {table} ({columns})")


def _index(execute: Callable[[str], object]) -> None:
    for table, column in _INDEXES.items():
        execute(f"CREATE INDEX {table}_{column} ON {table} ({column})")


def _insert(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"


def _in_parts(shop: Shop) -> Iterator[Sequence[DayOfLines]]:
    part: list[DayOfLines] = []
    for day in shop.days():
        part.append(day)
        if len(part) == _DAYS:
            yield part
            part = []
    if part:
        yield part


def _small(shop: Shop) -> Rows:
    """Items, their stock, and purchase orders for one in fifty of them."""
    chance = np.random.default_rng(shop.seed + 2)
    numbers = range(1, shop.items + 1)
    prices = chance.integers(50, 2000, shop.items) / 100
    stock = np.round(chance.exponential(40, shop.items)) * (chance.random(shop.items) > 0.1)
    ordered = chance.choice(shop.items, max(shop.items // 50, 1), replace=False)
    today = datetime.combine(shop.today, time())
    return {
        "item": [
            (n, shop.sku(n - 1), f"Item {n}", float(price))
            for n, price in zip(numbers, prices, strict=True)
        ],
        "stock_level": [(n, int(units)) for n, units in zip(numbers, stock, strict=True)],
        "purchase": [
            (
                n,
                "supplier",
                int(item) + 1,
                int(chance.integers(1, 100)),
                (today - timedelta(days=5)).isoformat(" "),
                (today + timedelta(days=int(chance.integers(-3, 20)))).isoformat(" "),
            )
            for n, item in enumerate(ordered, start=1)
        ],
    }


def _copy_all(shop: Shop, connection: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor:
        for table, rows in _small(shop).items():
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        line = 1
        for days in _in_parts(shop):
            orders, lines = [], []
            for day in days:
                heads, first = np.unique(day.order, return_index=True)
                midnight = (datetime.combine(day.day, time()) - _EPOCH) // timedelta(microseconds=1)
                orders.append(_binary(heads, midnight + day.minute[first] * 60_000_000))
                numbers = np.arange(line, line + len(day.item))
                line += len(day.item)
                lines.append(_binary(numbers, day.order, day.item + 1, day.units, cents=day.cents))
            for table, parts in zip(_LARGE, (orders, lines), strict=True):
                with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
                    copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
                    for part in parts:
                        copy.write(part)
                    copy.write(b"\xff\xff")


def _binary(*columns: NDArray[np.int64], cents: NDArray[np.int64] | None = None) -> bytes:
    """Rows in PostgreSQL's binary format: whole numbers, those of a timestamp, and a price."""
    count = len(columns) + (cents is not None)
    fields: list[tuple[str, str]] = [("count", ">i2")]
    for n, column in enumerate(columns):
        wide = column.max(initial=0) >= 2**31
        fields += [(f"size{n}", ">i4"), (f"value{n}", ">i8" if wide else ">i4")]
    if cents is not None:
        fields += [("size", ">i4"), ("numeric", ">i8"), ("whole", ">i2"), ("part", ">i2")]
    rows = np.zeros(len(columns[0]), dtype=np.dtype(fields))
    rows["count"] = count
    for n, column in enumerate(columns):
        rows[f"size{n}"] = rows.dtype[f"value{n}"].itemsize
        rows[f"value{n}"] = column
    if cents is not None:  # two digits to the base of 10,000, the second after the point
        rows["size"], rows["numeric"] = 12, 2 << 48 | 2
        rows["whole"], rows["part"] = cents // 100, cents % 100 * 100
    return rows.tobytes()
