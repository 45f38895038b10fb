"""Stores on three databases, read as they are: good, bad, locked, gone, silent."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.store import sql
from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import OPEN_ORDERS, ORDERS, PRODUCTS, SALES, STOCK, Snapshot
from tests.loopback import Reply, serve

NOW = datetime(2024, 6, 30, 9, 0, tzinfo=UTC)
CANARY = "canary-e7d0"
TABLES = """
CREATE TABLE goods (code INTEGER, label VARCHAR(40), price NUMERIC(8, 2), cost NUMERIC(8, 2));
INSERT INTO goods VALUES (17, 'Bolt', 1.25, NULL), (18, 'Nut ', 0.5, 0.2);
CREATE TABLE shelf (code INTEGER, pieces INTEGER);
INSERT INTO shelf VALUES (17, 40), (18, 0);
CREATE TABLE receipts (nr INTEGER, at TIMESTAMP, state VARCHAR(10));
INSERT INTO receipts VALUES (1, '2024-06-28 10:00:00', 'paid'), (2, '2024-06-28 23:59:59', 'paid'),
  (3, '2024-06-29 08:00:00', 'paid'), (4, '2024-06-30 08:00:00', 'paid'),
  (5, '2024-06-29 09:00:00', 'void'), (6, '2020-01-01 09:00:00', 'paid');
CREATE TABLE receipt_lines (receipt INTEGER, code INTEGER, pieces INTEGER, price NUMERIC(8, 2));
INSERT INTO receipt_lines VALUES (1, 17, 2, 1.25), (1, 18, 10, 0.5), (2, 17, 1, 1.25),
  (3, 17, -1, 1.25), (3, 18, 4, 0.5), (4, 17, 99, 1.25), (5, 17, 99, 1.25), (6, 17, 99, 1.25);
CREATE TABLE purchases (po VARCHAR(9), vendor VARCHAR(9), code INTEGER, pieces INTEGER,
  placed DATE, due DATE, arrived DATE);
INSERT INTO purchases VALUES ('P1', 'acme', 17, 100, '2024-06-01', '2024-07-01', NULL),
  ('P2', 'acme', 18, 100, '2024-05-01', '2024-06-01', '2024-06-02');
"""
AS_TEXT = re.sub(r"(CREATE TABLE receipt_lines .*price )NUMERIC\(8, 2\)", r"\1VARCHAR(9)", TABLES)
"""The same, with the prices of lines as text: they must be read one by one."""

FRAMES: dict[str, dict[str, Any]] = {
    "products": {
        "table": "goods",
        "columns": {"sku": "code", "name": "label", "unit_price": "price", "unit_cost": "cost"},
    },
    "stock": {"table": "shelf", "columns": {"sku": "code", "on_hand": "pieces"}},
    "sale_lines": {
        "table": "receipt_lines",
        "columns": {
            "order_id": "receipt",
            "sku": "code",
            "sold_at": "receipts.at",
            "units": "pieces",
            "unit_price": "price",
        },
        "joins": [{"table": "receipts", "on": {"receipt": "nr"}}],
        "where_not": {"state": ["void"]},
    },
    "open_orders": {
        "table": "purchases",
        "columns": {
            "order_id": "po",
            "supplier": "vendor",
            "sku": "code",
            "units": "pieces",
            "ordered_at": "placed",
            "expected_at": "due",
        },
        "where": {"arrived": []},
    },
}


def fill(url: str, script: str = TABLES) -> str:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for command in script.split(";"):
            if command.strip():
                connection.exec_driver_sql(command)
    engine.dispose()
    return url


def sqlite_url(folder: Path, script: str = TABLES) -> str:
    folder.mkdir(exist_ok=True)
    return fill(f"sqlite:///{folder / 'shop.db'}", script)


def store(url: str, **changes: Any) -> StoreDatabase:
    return StoreDatabase(url=SecretStr(url), **{"name": "shop", "frames": FRAMES, **changes})


def only(name: str, **changes: Any) -> dict[str, Any]:
    return {"frames": {name: {**FRAMES[name], **changes}}}


def reasons(snapshot: Snapshot, frame: str) -> str:
    return "; ".join(str(p) for p in snapshot.problems if p.frame == frame)


def check(snapshot: Snapshot) -> None:
    assert snapshot.problems == []
    products, stock, sales, orders, open_orders = snapshot.need(
        "products", "stock", "sales", "orders", "open_orders"
    )
    assert products[["sku", "name", "unit_price"]].values.tolist() == [
        ["17", "Bolt", 1.25],
        ["18", "Nut", 0.5],
    ]
    assert stock.values.tolist() == [["17", 40.0], ["18", 0.0]]
    # By hand: on the 28th 2 + 1 of SKU 17 and 10 of 18; on the 29th one of 17 comes back.
    # The 30th is not over, receipt 5 is void, receipt 6 older than the history.
    days = [pd.Timestamp("2024-06-28"), pd.Timestamp("2024-06-29")]
    assert sales.values.tolist() == [
        [days[0], "17", 3.0, 0.0, 3.75],
        [days[0], "18", 10.0, 0.0, 5.0],
        [days[1], "17", 0.0, 1.0, -1.25],
        [days[1], "18", 4.0, 0.0, 2.0],
    ]
    assert orders.values.tolist() == [
        [days[0], 2.0, 13.0, 8.75, 0.0],
        [days[1], 1.0, 4.0, 0.75, 1.0],
    ]
    assert open_orders["order_id"].tolist() == ["P1"]
    assert open_orders["expected_at"].tolist() == [pd.Timestamp("2024-07-01", tz="UTC")]
    contracts = (PRODUCTS, STOCK, SALES, ORDERS, OPEN_ORDERS)
    frames = (products, stock, sales, orders, open_orders)
    for contract, frame in zip(contracts, frames, strict=True):
        contract.validate(frame)


async def test_a_sqlite_store_becomes_frames(tmp_path: Path) -> None:
    check(await store(sqlite_url(tmp_path)).read_snapshot(NOW))


@pytest.mark.services
async def test_a_postgresql_store_becomes_the_same_frames(postgres_url: str) -> None:
    check(await store(fill(postgres_url)).read_snapshot(NOW))


@pytest.mark.services
async def test_a_mariadb_store_becomes_the_same_frames(mariadb_url: str) -> None:
    check(await store(fill(mariadb_url)).read_snapshot(NOW))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"table": "good"}, "there is no table or view 'good'. Did you mean goods?"),
        ({"columns": {"sku": "cod"}}, "no column 'cod' in goods. Did you mean code or cost?"),
        ({"columns": {"sku": 'code"; DROP TABLE goods'}}, "no column 'code\"; DROP TABLE goods'"),
        ({"table": "goods; DROP TABLE goods"}, "no table or view 'goods; DROP TABLE goods'"),
        ({"columns": {"sku": "1 OR 1=1"}}, "no column '1 OR 1=1' in goods"),
        ({"where": {"1=1; --": [1]}}, "no column '1=1; --' in goods"),
        ({"columns": {"sku": "code"}}, "missing columns name, unit_price (found: sku)"),
        ({"where": {"label": ["none'; DROP TABLE goods; --"]}}, "goods has no rows"),
        (
            {"joins": [{"table": "shelves", "on": {"code": "code"}}]},
            "there is no table or view 'shelves'. Did you mean shelf?",
        ),
    ],
)
async def test_a_frame_that_cannot_be_read_says_why_and_the_others_come(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    frames = {**FRAMES, "products": {**FRAMES["products"], **change}}
    snapshot = await store(sqlite_url(tmp_path), frames=frames).read_snapshot(NOW)
    assert says in reasons(snapshot, "products")
    assert sorted(snapshot.frames) == ["open_orders", "orders", "sales", "stock"]
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (2,)
    connection.close()


@pytest.mark.services
async def test_types_that_do_not_go_together_are_one_frames_problem(postgres_url: str) -> None:
    frames = {**FRAMES, "stock": {**FRAMES["stock"], "where": {"code": ["seventeen"]}}}
    snapshot = await store(fill(postgres_url), frames=frames).read_snapshot(NOW)
    assert "the database refuses to read it as it is mapped" in reasons(snapshot, "stock")
    assert sorted(snapshot.frames) == ["open_orders", "orders", "products", "sales"]


@pytest.mark.services
async def test_a_store_is_only_ever_read(postgres_url: str, mariadb_url: str) -> None:
    for url in (fill(postgres_url), fill(mariadb_url)):
        with (
            pytest.raises(OrchestratorError, match=r"(?i)read.only"),
            sql.reading(sql.parse_url(url), 5) as connection,
        ):
            connection.exec_driver_sql("DELETE FROM goods")


async def test_a_file_is_only_ever_read(tmp_path: Path) -> None:
    with (
        pytest.raises(OrchestratorError, match=r"(?i)read.?only"),
        sql.reading(sql.parse_url(sqlite_url(tmp_path)), 5) as connection,
    ):
        connection.exec_driver_sql("DELETE FROM goods")


async def test_wrong_types_cost_their_rows_only(tmp_path: Path) -> None:
    url = sqlite_url(
        tmp_path,
        TABLES + "INSERT INTO goods VALUES (19, 'Rod', 'ask us', NULL), (20, '', 1, NULL),"
        " (NULL, 'Nameless', 1, NULL);"
        "INSERT INTO receipts VALUES (7, '01.02.2024', 'paid'), (8, 'yesterday', 'paid'),"
        " (9, 1719650000, 'paid'), (10, '2031-01-01', 'paid'), (11, NULL, 'paid');"
        "INSERT INTO receipt_lines VALUES (7, 17, 1, 1), (8, 17, 1, 1), (9, 17, 1, 1),"
        " (10, 17, 1, 1), (11, 17, 1, 1), (12, 17, 1, 1)",  # receipt 12 does not exist
    )
    snapshot = await store(url).read_snapshot(NOW)
    assert snapshot.frames["products"]["sku"].tolist() == ["17", "18", "19"]  # and not 17.0
    assert "sku: empty or unreadable (1 row" in reasons(snapshot, "products")
    assert "unit_price: unreadable; taken as empty (1 row, for instance 'ask us')" in reasons(
        snapshot, "products"
    )
    # 1 February or 2 January? Nobody can know, so neither is taken.
    assert "(5 rows, for instance 'no ISO date: 01.02.2024')" in reasons(snapshot, "sale_lines")
    assert "dated in the future (1 row, for instance '2031-01-01 00:00:00')" in reasons(
        snapshot, "sale_lines"
    )
    assert snapshot.frames["orders"]["revenue"].tolist() == [8.75, 0.75]


async def test_nothing_but_wrong_types_is_no_frame(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path, TABLES + "UPDATE goods SET code = NULL")
    snapshot = await store(url).read_snapshot(NOW)
    assert "no row of goods is usable" in reasons(snapshot, "products")
    assert "products" not in snapshot.frames


async def test_an_empty_source_is_named_but_no_open_orders_is_an_answer(tmp_path: Path) -> None:
    url = sqlite_url(
        tmp_path, TABLES + "DELETE FROM shelf; DELETE FROM purchases; DELETE FROM receipt_lines"
    )
    snapshot = await store(url).read_snapshot(NOW)
    assert "shelf has no rows" in reasons(snapshot, "stock")
    assert "receipt_lines has no rows in the period" in reasons(snapshot, "sale_lines")
    assert "added up from sale_lines, which could not be read" in reasons(snapshot, "orders")
    assert sorted(snapshot.frames) == ["open_orders", "products"]
    OPEN_ORDERS.validate(snapshot.frames["open_orders"])
    assert snapshot.frames["open_orders"].empty


async def test_what_is_not_mapped_is_named(tmp_path: Path) -> None:
    snapshot = await store(sqlite_url(tmp_path), **only("products")).read_snapshot(NOW)
    assert [str(p) for p in snapshot.problems] == [
        "stock: is not mapped",
        "open_orders: is not mapped",
        "sales: is added up from sale_lines, which is not mapped",
        "orders: is added up from sale_lines, which is not mapped",
    ]
    with pytest.raises(ConfigurationError, match="maps no frames"):
        await store(sqlite_url(tmp_path / "x", ""), frames={}).read_snapshot(NOW)


async def test_exact_duplicates_are_kept_and_counted(tmp_path: Path) -> None:
    again = "INSERT INTO receipt_lines VALUES (1, 17, 2, 1.25), (1, 17, 2, 1.25)"
    snapshot = await store(sqlite_url(tmp_path, TABLES + again)).read_snapshot(NOW)
    assert snapshot.frames["sales"]["units"].iloc[0] == 7
    (problem,) = snapshot.problems
    assert (problem.rows, problem.example) == (2, "order 1")
    assert "kept, since a basket may hold an item twice" in problem.reason


async def test_too_many_rows_keep_the_newest_whole_days(tmp_path: Path) -> None:
    # What the database can add up is added up, however much it is.
    snapshot = await store(sqlite_url(tmp_path), max_rows=1).read_snapshot(NOW)
    assert reasons(snapshot, "sale_lines") == ""
    assert len(snapshot.frames["orders"]) == 2
    snapshot = await store(sqlite_url(tmp_path / "a", AS_TEXT), max_rows=3).read_snapshot(NOW)
    # The 3 newest lines are one of today and two of the 29th, the first of which may be cut.
    reason = reasons(snapshot, "sale_lines")
    assert "more than 3 rows must be read one by one; older ones were left out" in reason
    snapshot = await store(sqlite_url(tmp_path / "b", AS_TEXT), max_rows=5).read_snapshot(NOW)
    assert snapshot.frames["orders"]["date"].tolist() == [pd.Timestamp("2024-06-29")]


async def test_the_newest_rows_are_never_those_without_a_date(postgres_url: str) -> None:
    drafts = "INSERT INTO receipts VALUES (8, NULL, 'draft'), (9, NULL, 'draft');"
    drafts += "INSERT INTO receipt_lines VALUES (8, 17, 1, '1'), (9, 17, 1, '1'), (8, 18, 1, '1')"
    connection = store(fill(postgres_url, AS_TEXT + drafts), max_rows=4)
    snapshot = await connection.read_snapshot(NOW)
    # Lines 4, 3, 3 and one of the 28th, whose day is cut and left out; 10 lines are in reach.
    assert snapshot.frames["orders"]["date"].tolist() == [pd.Timestamp("2024-06-29")]
    (cut,) = [p for p in snapshot.problems if p.frame == "sale_lines"]
    assert (cut.reason, cut.rows) == ("more than 4 rows; older ones were left out", 5)
    sample = next(s for s in (await connection.check(2)).samples if s.name == "sale_lines")
    assert (sample.error, len(sample.frame)) == ("", 2)


async def test_the_history_ends_where_it_is_told_to(tmp_path: Path) -> None:
    snapshot = await store(sqlite_url(tmp_path), history_days=1).read_snapshot(NOW)
    assert snapshot.frames["orders"]["date"].tolist() == [pd.Timestamp("2024-06-29")]


ZONED = """
CREATE TABLE sold (o INTEGER, s VARCHAR(9), at TIMESTAMP WITH TIME ZONE, u INTEGER, p INTEGER);
INSERT INTO sold VALUES (1, 'a', '2024-06-28 03:30:00+00', 1, 1),
  (2, 'a', '2024-06-28 23:00:00-04', 1, 1), (3, 'a', '2024-06-29 12:00:00+02', 1, 1);
"""
SOLD: dict[str, Any] = {
    "sale_lines": {
        "table": "sold",
        "columns": {"order_id": "o", "sku": "s", "sold_at": "at", "units": "u", "unit_price": "p"},
    }
}
LOCAL_DAYS = [(27, 1.0), (28, 1.0), (29, 1.0)]


def by_local_day(snapshot: Snapshot) -> list[tuple[int, float]]:
    orders = snapshot.frames["orders"]
    return list(zip(orders["date"].dt.day, orders["orders"], strict=True))


@pytest.mark.services
async def test_instants_become_days_of_the_stores_zone(postgres_url: str, tmp_path: Path) -> None:
    for url in (fill(postgres_url, ZONED), sqlite_url(tmp_path, ZONED)):
        block = store(url, frames=SOLD, timezone="America/New_York")
        assert by_local_day(await block.read_snapshot(NOW)) == LOCAL_DAYS


async def test_a_plain_date_is_that_day_in_every_zone(tmp_path: Path) -> None:
    script = """CREATE TABLE sold (o INT, s TEXT, at, u INT, p INT);
        INSERT INTO sold VALUES (1, 'a', '2024-06-27', 1, 1), (2, 'a', 20240628, 1, 1),
        (3, 'a', '20240629', 1, 1);"""
    for zone in ("America/New_York", "Asia/Tokyo"):
        block = store(sqlite_url(tmp_path / zone[:4], script), frames=SOLD, timezone=zone)
        assert by_local_day(await block.read_snapshot(NOW)) == LOCAL_DAYS


@pytest.mark.services
async def test_a_delivery_due_on_a_date_is_due_on_that_day_of_the_store(
    postgres_url: str, mariadb_url: str, tmp_path: Path
) -> None:
    for url in (sqlite_url(tmp_path), fill(postgres_url), fill(mariadb_url)):
        snapshot = await store(url, timezone="America/Los_Angeles").read_snapshot(NOW)

        (open_orders,) = snapshot.need("open_orders")
        assert open_orders["expected_at"].tolist() == [pd.Timestamp("2024-07-01 07:00", tz="UTC")]


async def test_a_file_that_is_gone_or_no_database(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"gone: there is no sqlite file .*shop\.db"):
        await store(f"sqlite:///{tmp_path / 'shop.db'}").read_snapshot(NOW)
    assert not (tmp_path / "shop.db").exists()  # asking did not make one
    (tmp_path / "shop.db").write_text("Dear customer, " * 500)
    with pytest.raises(SourceGarbled, match="damaged"):
        await store(f"sqlite:///{tmp_path / 'shop.db'}").read_snapshot(NOW)


async def test_a_locked_database(tmp_path: Path) -> None:
    block = store(sqlite_url(tmp_path), statement_timeout=0.3)
    other = sqlite3.connect(tmp_path / "shop.db")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(SourceUnavailable, match="locked by another program") as caught:
            await block.read_snapshot(NOW)
    finally:
        other.close()
    assert caught.value.retryable


@contextmanager
def a_listener_that_never_answers() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_a_server_that_never_answers(kind: str) -> None:
    with a_listener_that_never_answers() as port:
        block = store(f"{kind}://shop:{CANARY}@127.0.0.1:{port}/shop", statement_timeout=1)
        with pytest.raises(SourceTimeout, match="did not finish within 1 s") as caught:
            await block.read_snapshot(NOW)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_a_server_that_speaks_something_else(kind: str) -> None:
    async with serve(Reply("<html>")) as server:
        block = store(f"{kind}://shop:{CANARY}@127.0.0.1:{server.port}/shop", statement_timeout=2)
        with pytest.raises(OrchestratorError) as caught:
            await block.read_snapshot(NOW)
    assert CANARY not in str(caught.value)


@pytest.mark.services
async def test_a_query_that_takes_for_ever_is_ended(postgres_url: str, mariadb_url: str) -> None:
    for url, sleep in ((postgres_url, "pg_sleep(30)"), (mariadb_url, "sleep(30)")):
        with (
            pytest.raises(SourceTimeout),
            sql.reading(sql.parse_url(url), 0.5) as connection,
        ):
            connection.exec_driver_sql(f"SELECT {sleep}")


async def test_a_file_that_takes_for_ever_is_ended(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    def read() -> None:
        with sql.reading(sql.parse_url(sqlite_url(tmp_path)), 0.3) as connection:
            connection.exec_driver_sql(endless)

    with pytest.raises(SourceTimeout):
        await asyncio.to_thread(read)


@pytest.mark.services
async def test_wrong_credentials_are_refused_without_being_shown(mariadb_url: str) -> None:
    url = sa.make_url(mariadb_url).set(username="nobody", password=CANARY)
    with pytest.raises(SourceRefused, match="refused us") as caught:
        await store(url.render_as_string(hide_password=False)).read_snapshot(NOW)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__context__)


@pytest.mark.services
@pytest.mark.parametrize(
    ("url", "said", "error"),
    [
        (
            "postgresql://reader:password@db/shop",
            'FATAL: password authentication failed for user "reader"',
            SourceRefused,
        ),
        (
            "mysql://reader:x1@db/shop",
            "(4151, 'Access denied, this account is locked')",
            SourceRefused,
        ),
        ("postgresql://blocked@db/shop", 'database "locked" does not exist', SourceRefused),
        ("sqlite:////tmp/shop.db", "database is locked", SourceUnavailable),
        (f"postgresql://reader:{CANARY}@db/shop", f"{'x' * 195}{CANARY}", SourceUnavailable),
    ],
)
def test_a_drivers_words_are_judged_before_they_are_cleaned(
    url: str, said: str, error: type[OrchestratorError]
) -> None:
    told = sql.explain(Exception(said), sql.parse_url(url), 5)
    assert type(told) is error
    assert "canary" not in str(told)


async def test_an_unknown_database_is_refused(postgres_url: str, mariadb_url: str) -> None:
    for url in (postgres_url, mariadb_url):
        gone = sa.make_url(url).set(database="no_such_shop").render_as_string(hide_password=False)
        with pytest.raises(SourceRefused, match="refused us"):
            await store(gone).read_snapshot(NOW)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///~nobody-here/x.db", "home of an unknown user: ~nobody-here/x.db"),
        (f"postgres//shop:{CANARY}@host/shop", "not a database URL"),
        (f"postgresql://shop:{CANARY}@host:port/shop", "not a database URL"),
        (f"mongodb://shop:{CANARY}@host/shop", "'mongodb' are not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        (f"mysql://shop:{CANARY}@127.0.0.1/shop?colour=red", "the option .colour., which is not"),
    ],
)
async def test_a_url_that_cannot_be_used_says_so(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        await store(url).read_snapshot(NOW)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is not an IANA time zone"),
        ({"currency": "euro"}, "currency"),
        ({"name": "My Shop"}, "name"),
        ({"statement_timeout": 300}, "less than or equal to 100"),
        ({"frames": {"produkte": FRAMES["products"]}}, "'produkte' is no frame"),
        (only("stock", columns={"sku": "a", "menge": "b"}), "stock has no column 'menge'"),
        (only("stock", colums={}), "colums"),
    ],
)
def test_a_block_that_cannot_work_is_refused_at_once(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        store(f"sqlite:///{CANARY}.db", **change)
    assert CANARY not in str(caught.value)


async def test_the_quick_look_measures_and_samples(tmp_path: Path) -> None:
    frames = {**FRAMES, "stock": {**FRAMES["stock"], "table": "shelves"}}
    look = await store(sqlite_url(tmp_path), frames=frames).check(rows=1)
    assert look.latency_ms > 0
    assert look.clock_skew_s is None
    assert [(s.name, s.seen, len(s.frame)) for s in look.samples] == [
        ("products", 1, 1),
        ("stock", 0, 0),
        ("sale_lines", 1, 1),
        ("open_orders", 1, 1),
    ]
    assert "no table or view 'shelves'" in look.samples[1].error
    assert (await store(sqlite_url(tmp_path / "b")).check()).samples == []


@pytest.mark.services
async def test_a_servers_clock_is_compared_with_ours(postgres_url: str, mariadb_url: str) -> None:
    for url in (postgres_url, mariadb_url):
        skew = (await store(url).check()).clock_skew_s
        assert skew == pytest.approx(0, abs=5)
