"""Orders counted in steps of five minutes, on the databases that shops have."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from blocks.errors import ContractViolation
from blocks.store.block import StoreDatabase
from blocks.store.hours.counts import BIN, OrderCounts, floored

BEGIN = datetime(2026, 10, 20, tzinfo=UTC)
END = datetime(2026, 11, 28, 9, 3, tzinfo=UTC)
LONDON = "Europe/London"
"""Its clock is put back on 2026-10-25: from 01:00 to 02:00 it comes twice."""

COLUMNS = {"order_id": "number", "sku": "sku", "sold_at": "at", "units": "units", "revenue": "paid"}


def fill(url: str, rows: Sequence[dict[str, Any]], kind: str = "TIMESTAMP") -> None:
    """Make a table of order lines."""
    if kind == "TIMESTAMP" and url.startswith("mysql"):
        kind = "DATETIME"
    engine = sa.create_engine(url)
    types = {"number": "VARCHAR(20)", "sku": "VARCHAR(20)", "at": kind, "units": "INTEGER"}
    columns = ", ".join(f"{name} {of}" for name, of in (types | {"paid": "FLOAT"}).items())
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS lines_sold")
        connection.exec_driver_sql(f"CREATE TABLE lines_sold ({columns})")
        table = sa.table("lines_sold", *(sa.column(name) for name in COLUMNS.values()))
        connection.execute(table.insert(), list(rows))
    engine.dispose()


def store(url: str, timezone: str = LONDON, sold_at: str = "at") -> StoreDatabase:
    columns = COLUMNS | {"sold_at": sold_at}
    frames: Any = {"sale_lines": {"table": "lines_sold", "columns": columns}}
    return StoreDatabase(name="shop", url=SecretStr(url), timezone=timezone, frames=frames)


def count(shop: StoreDatabase, since: datetime = BEGIN, until: datetime = END) -> OrderCounts:
    return asyncio.run(shop.count_orders(since, until))


def written(at: datetime) -> str:
    """As every one of the databases takes it."""
    return at.replace(tzinfo=None).isoformat(" ", "seconds")


def some_lines(number: int) -> list[tuple[str, datetime, int, float]]:
    """Lines of orders of a few weeks, some of several lines, some returns."""
    random = Random(7)
    lines = []
    for order in range(number):
        at = BEGIN + random.random() * (END - BEGIN)
        lines += [(f"o{order}", at, random.choice([1, 2, 2, -1]), 2.5)] * random.choice([1, 1, 3])
    return lines


def test_orders_and_money_are_those_of_the_lines_one_by_one(shop_url: str) -> None:
    lines = some_lines(400)
    fill(
        shop_url,
        [
            {"number": o, "sku": "a", "at": written(at), "units": n, "paid": p * n}
            for o, at, n, p in lines
        ],
    )
    found = count(store(shop_url, "UTC"))
    orders = {order: at for order, at, units, _ in lines if units > 0 and at < floored(END)}
    steps = Counter((at - BEGIN) // BIN for at in orders.values())
    assert found.begin == BEGIN
    assert found.end == floored(END)
    assert {int(at): int(found.orders[at]) for at in np.flatnonzero(found.orders)} == dict(steps)
    paid = sum(p * n for _, at, n, p in lines if at < floored(END))
    assert found.revenue.sum() == pytest.approx(paid)
    assert found.newest == max(orders.values()).replace(microsecond=0)


def test_an_order_whose_lines_come_later_counts_once(shop_url: str) -> None:
    at = datetime(2026, 11, 3, 10, 2, tzinfo=UTC)
    fill(
        shop_url,
        [
            {"number": "1", "sku": sku, "at": written(at + late), "units": 1, "paid": 5.0}
            for sku, late in (("a", timedelta(0)), ("b", timedelta(minutes=9)))
        ],
    )
    found = count(store(shop_url, "UTC"))
    (step,) = np.flatnonzero(found.orders)
    assert found.begin + int(step) * BIN == datetime(2026, 11, 3, 10, 0, tzinfo=UTC)
    assert found.revenue.sum() == 10.0


def test_the_hour_that_a_clock_has_twice_is_counted_once_and_unclear(shop_url: str) -> None:
    hours = [0, 1, 1, 2, 3]
    times = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in hours]
    fill(
        shop_url,
        [
            {"number": str(n), "sku": "a", "at": written(at), "units": 1, "paid": 1.0}
            for n, at in enumerate(times)
        ],
    )
    local = count(store(shop_url))
    at = [local.begin + int(step) * BIN for step in np.flatnonzero(local.orders)]
    assert [(t.day, t.hour) for t in at] == [(24, 23), (25, 0), (25, 2), (25, 3)]
    assert local.orders.sum() == len(times)
    unclear = [local.begin + int(step) * BIN for step in np.flatnonzero(local.unclear)]
    assert (unclear[0], unclear[-1] + BIN) == (
        datetime(2026, 10, 25, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 2, tzinfo=UTC),
    )
    in_utc = count(store(shop_url, sold_at="utc(at)"))
    assert not in_utc.unclear.any()
    assert in_utc.newest == times[-1]


def test_times_with_a_zone_are_those_instants(postgres_url: str) -> None:
    at = datetime(2026, 11, 3, 10, 2, tzinfo=UTC)
    row = {"number": "1", "sku": "a", "at": at, "units": 1, "paid": 1.0}
    fill(postgres_url, [row], "TIMESTAMPTZ")
    found = count(store(postgres_url, "Asia/Kathmandu"))
    assert found.newest == at
    assert found.orders[(at - BEGIN) // BIN] == 1


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP"])
def test_orders_without_a_time_of_day_are_refused(shop_url: str, kind: str) -> None:
    days = [date(2026, 11, 1) + timedelta(days=n) for n in range(25)]
    rows = [
        {"number": str(n), "sku": "a", "at": day.isoformat(), "units": 1, "paid": 1.0}
        for n, day in enumerate(days)
    ]
    fill(shop_url, rows, kind)
    with pytest.raises(ContractViolation, match="no time of day"):
        count(store(shop_url))


def test_without_time_the_newest_weeks_are_counted(shop_url: str) -> None:
    fill(
        shop_url,
        [{"number": "1", "sku": "a", "at": written(END - BIN), "units": 1, "paid": 1.0}],
    )
    shop = store(shop_url, "UTC")
    found = asyncio.run(shop.count_orders(BEGIN, END, seconds=1e-9))
    assert found.end == floored(END)
    assert found.end - found.begin == timedelta(days=14)
