"""Expressions and joins of a mapping, carried out by three databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import Snapshot

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
TABLES = """
CREATE TABLE things (id INTEGER PRIMARY KEY, sku VARCHAR(20), other VARCHAR(20), n INTEGER,
  d NUMERIC(12, 4), cents INTEGER, zero INTEGER, words VARCHAR(40), doc VARCHAR(200), s BIGINT,
  ms BIGINT, gmt TIMESTAMP NULL, "the [order]" VARCHAR(10), "in" INTEGER, state VARCHAR(20));
INSERT INTO things VALUES (1, 'A', NULL, 7, 2.5, 1999, 0, '1.234,50',
  '{"en": "Cup", "deep": {"er": "x"}, "no": null, "list": [5, 6]}', 1795820400, 1795820400500,
  '2026-11-27 23:30:00', 'q', 3, 'wc-done');
CREATE TABLE parts (thing INTEGER, kind VARCHAR(20), lang INTEGER, v VARCHAR(20), amount INTEGER);
INSERT INTO parts VALUES (1, 'name', 0, 'Cup', 0), (1, 'name', 1, 'Tasse', 0),
  (1, 'colour', 0, 'red', 0), (1, 'got', 0, '', 2), (1, 'got', 0, '', 3), (1, 'lost', 0, '', 9);
"""


def fill(url: str, script: str = TABLES) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = 'ANSI_QUOTES'")
        for command in script.split(";\n"):
            if command.strip():
                connection.exec_driver_sql(command)
    engine.dispose()


async def read(url: str, zone: str = "UTC", **frames: Any) -> Snapshot:
    store = StoreDatabase(name="shop", url=SecretStr(url), frames=frames, timezone=zone)
    return await store.read_snapshot(NOW)


async def number(url: str, expression: str, **more: Any) -> float | str:
    """What an expression yields as the count of thing A, or why there is none."""
    mapping = {"table": "things", "columns": {"sku": "sku", "on_hand": expression}, **more}
    snapshot = await read(url, stock=mapping)
    if "stock" in snapshot.frames:
        return float(snapshot.frames["stock"]["on_hand"].iloc[0])
    return str(snapshot.problems[0])


async def word(url: str, expression: str, **more: Any) -> str:
    """What an expression yields as the name of thing A; "" for nothing."""
    columns = {"sku": "sku", "name": f"first_of({expression}, '(empty)')", "unit_price": "1"}
    snapshot = await read(url, products={"table": "things", "columns": columns, **more})
    assert snapshot.frames, snapshot.problems
    return str(snapshot.frames["products"]["name"].iloc[0])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("n - 2 * 3", 1),
        ("(n - 2) * 3", 15),
        ("-n + 1", -6),
        ("cents / 100", 19.99),
        ("n / 2", 3.5),  # not cut off to 3
        ("1 / 3 * 3", 1),  # not rounded to four places
        ("d * n", 17.5),
        ("first_of(null_if(zero, 0), n)", 7),
        ("first_of(n / zero, -1)", -1),
        ("if(n > 5 and d < 3, 1, 2)", 1),
        ("if(n > 5 and not d < 3, 1, 2)", 2),
        ("if(n = 7 or zero = 1, 1, 2)", 1),
        ("if(other = 'x', 1, 2)", 2),
        ("if(other != 'x', 1, 2)", 1),  # what is empty differs from every text
        ("if(not other = 'x', 1, 2)", 1),
        ("if(other not in ('x', 'y'), 1, 2)", 1),
        ("if(other in ('x', 'y'), 1, 2)", 2),
        ("if(other is empty and sku is not empty, 1, 2)", 1),
        ("if('A' = sku, 1, 2)", 1),
        ("if(n in (6, 7), 1, 2)", 1),
        ("number(words, ',')", 1234.5),
        ("number('12', '.') + 1", 13),
        ("`in` + things.n", 10),
        ("json(doc, 'list', 1)", 6),
    ],
)
async def test_numbers(shop_url: str, expression: str, value: float) -> None:
    fill(shop_url)
    assert await number(shop_url, expression) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("json(doc, 'en')", "Cup"),
        ("json(doc, 'deep', 'er')", "x"),
        ("json(doc, 'fr')", "(empty)"),
        ("json(doc, 'no')", "(empty)"),
        ("concat(sku, '-', text(n))", "A-7"),
        ("lower(sku)", "a"),
        ("concat(sku, other)", "(empty)"),
        ("`the [order]`", "q"),
        ("'it''s; -- DROP TABLE things'", "it's; -- DROP TABLE things"),
        ("text(number('12,5', '.'))", "(empty)"),  # no number with that decimal mark
    ],
)
async def test_texts(shop_url: str, expression: str, value: str) -> None:
    fill(shop_url)
    assert await word(shop_url, expression) == value


@pytest.mark.parametrize(
    ("expression", "day"),
    [
        ("gmt", "2026-11-27"),
        ("utc(gmt)", "2026-11-28"),  # 23:30 in UTC is half past midnight in Berlin
        ("epoch(s)", "2026-11-28"),  # 23:00 in UTC
        ("epoch_ms(ms)", "2026-11-28"),
        ("first_of(empty, epoch(s))", "2026-11-28"),
    ],
)
async def test_dates(shop_url: str, expression: str, day: str) -> None:
    fill(shop_url)
    columns = {"order_id": "id", "sku": "sku", "sold_at": expression, "units": "n", "revenue": "d"}
    lines = {"table": "things", "columns": columns}
    snapshot = await read(shop_url, "Europe/Berlin", sale_lines=lines)
    assert snapshot.frames["orders"]["date"].astype(str).tolist() == [day], snapshot.problems


async def test_an_instant_that_no_database_can_say_costs_its_row(shop_url: str) -> None:
    fill(shop_url, TABLES.replace("1795820400,", "999999999999999999,"))
    columns = {"order_id": "id", "sku": "sku", "sold_at": "epoch(s)", "units": "n", "revenue": "d"}
    snapshot = await read(shop_url, sale_lines={"table": "things", "columns": columns})
    assert "sold_at: empty or unreadable (1 row" in str(snapshot.problems[0])


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("amount", "no column 'amount' in things, and"),
        ("n +", "a value is expected at its end"),
        ("pg_sleep(9)", "there is no function 'pg_sleep'"),
        ("n; DROP TABLE things", "';' has no meaning here"),
        ("(SELECT 1)", "')' is expected before '1)'"),
        ("number(words, ';')", "the decimal mark, ',' or '.'"),
        ("json(doc, sku)", "the keys must be written out"),
        ("if(n, 1)", "if takes 3 values and was given 2"),
        ("(" * 50 + "n" + ")" * 50, "more than 40 levels deep"),
        ("n" + " + n" * 150, "more than 200 words"),
        ("missing + 1", "no column 'missing' in things. There is"),
    ],
)
async def test_what_is_no_expression_says_why(tmp_path: Any, expression: str, why: str) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    fill(url)
    told = await number(url, expression)
    assert why.split(", and")[0] in str(told)


async def test_a_join_takes_conditions_and_a_name(shop_url: str) -> None:
    """One table twice, each time with the rows of another kind: an attribute and a language."""
    fill(shop_url)
    joins = [
        {"table": "parts", "name": "de", "on": {"id": "thing"}}
        | {"where": {"kind": ["name"], "lang": [1]}},
        {"table": "parts", "name": "colour", "on": {"id": "thing"}, "where": {"kind": ["colour"]}},
    ]
    assert await word(shop_url, "concat(de.v, ' ', colour.v)", joins=joins) == "Tasse red"


async def test_a_condition_of_a_join_takes_no_row_away(shop_url: str) -> None:
    fill(shop_url)
    joins = [{"table": "parts", "on": {"id": "thing"}, "keep": "lang = 2"}]
    assert await word(shop_url, "v", joins=joins) == "(empty)"


async def test_a_join_adds_up_first(shop_url: str) -> None:
    fill(shop_url)
    sums = {"table": "parts", "name": "got", "on": {"id": "thing"}, "where": {"kind": ["got"]}}
    joins = [
        sums | {"sums": {"total": "amount", "twice": "amount * 2"}},
        {"table": "parts", "name": "lost", "on": {"id": "thing"}, "keep": "kind = 'lost'"},
    ]
    assert await number(shop_url, "got.total + twice - lost.amount", joins=joins) == 6


async def test_a_table_is_joined_to_itself(shop_url: str) -> None:
    fill(shop_url, TABLES + "INSERT INTO things (id, sku, n, cents) VALUES (2, 'B', 1, 1);\n")
    joins = [{"table": "things", "name": "parent", "on": {"n": "id"}}]
    mapping = {"table": "things", "columns": {"sku": "sku", "on_hand": "first_of(parent.n, n)"}}
    snapshot = await read(shop_url, stock=mapping | {"joins": joins})
    assert snapshot.frames["stock"].values.tolist() == [["A", 7.0], ["B", 7.0]]


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY, sku", "sku VARCHAR(20) PRIMARY KEY, id"])
async def test_a_join_that_multiplies_rows_is_refused(shop_url: str, key: str) -> None:
    first, _, second = key.partition(", ")
    swapped = f"{first}, {second} VARCHAR(20)" if second == "sku" else f"id INTEGER, {first}"
    fill(shop_url, TABLES.replace("id INTEGER PRIMARY KEY, sku VARCHAR(20)", swapped))
    joins = [{"table": "parts", "on": {"id": "thing"}}]
    told = await number(shop_url, "n", joins=joins)
    assert "joining parts finds several rows for one row of things" in str(told)


@pytest.mark.parametrize("keep", ["n > 7", "n / 0 > 1", "sku in ('B')", "not n = 7"])
async def test_filters_compare(shop_url: str, keep: str) -> None:
    fill(shop_url)
    assert "things has no rows" in str(await number(shop_url, "n", keep=keep))


@pytest.mark.parametrize("written", ["done", "Wc-Done", "wc-dome"])
@pytest.mark.parametrize("filter_", ["where", "where_not"])
async def test_a_filter_value_that_was_misspelt_is_refused(
    shop_url: str, filter_: str, written: str
) -> None:
    fill(shop_url)
    told = await number(shop_url, "n", **{filter_: {"state": [written]}})
    assert f"no row has {written!r} in state; there is 'wc-done'" in str(told)
    assert "Did you mean 'wc-done'?" in str(told)


async def test_a_state_that_never_came_up_is_no_mistake(shop_url: str) -> None:
    fill(shop_url)
    assert await number(shop_url, "n", where_not={"state": ["wc-refunded", "undone"]}) == 7


async def test_filters_that_leave_nothing_tell_what_there_is(shop_url: str) -> None:
    fill(shop_url)
    told = await number(shop_url, "n", where={"state": ["paid"]})
    assert "things has no rows with these filters: state is 'wc-done'" in str(told)


async def test_keys_are_compared_as_expressions(shop_url: str) -> None:
    """A reference that is kept as text (``thing,1``) meets a number, added up or not."""
    fill(shop_url)
    on = {"concat('thing,', text(id))": "concat('thing,', text(thing))"}
    got = {"table": "parts", "name": "got", "on": on, "sums": {"total": "amount"}}
    colour = {"table": "parts", "name": "colour", "on": on, "where": {"kind": ["colour"]}}
    assert await number(shop_url, "got.total", joins=[got, colour]) == 14
    assert await word(shop_url, "colour.v", joins=[got, colour]) == "red"
