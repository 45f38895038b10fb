"""Days that the database adds up, against the same lines read one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from blocks.store import sql
from blocks.store.block import StoreDatabase
from blocks.store.days.kept import KeptMonths
from blocks.store.days.lines import SalesRead, read_lines
from blocks.store.days.reading import DayReader
from blocks.store.days.trading_days import Period
from blocks.store.mapping import StoreSource
from blocks.store.rows import FrameReader
from blocks.vocabulary.frames import DAILY_WEEKS, Snapshot

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
TODAY = NOW.date()
LINES = {
    "order_id": "number",
    "sku": "article",
    "sold_at": "at",
    "units": "pieces",
    "unit_price": "price",
}


@dataclass
class Shop:
    """A shop whose lines a test writes.

    Attributes:
        url: Of its database.
        timestamp: Type of its dates.
        store: How it is mapped.
    """

    url: str
    timestamp: str = "TIMESTAMP"
    store: dict[str, Any] | None = None

    def write(self, rows: list[dict[str, Any]], **types: str) -> None:
        """Replace its lines."""
        kinds = {"number": "VARCHAR(40)", "article": "VARCHAR(40)", "at": self.timestamp}
        kinds |= {"pieces": "INTEGER", "price": "NUMERIC(10, 2)"} | types
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS sold_lines")
            columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            connection.exec_driver_sql(f"CREATE TABLE sold_lines ({columns})")
            table = sa.table("sold_lines", *(sa.column(name) for name in kinds))
            if rows:
                connection.execute(table.insert(), rows)
        engine.dispose()

    def block(self, **changes: Any) -> StoreDatabase:
        """The store."""
        told = {"name": "shop", "frames": {"sale_lines": {"table": "sold_lines", "columns": LINES}}}
        return StoreDatabase(url=SecretStr(self.url), **told | (self.store or {}) | changes)

    def read(self, now: datetime = NOW, kept_in: Path | None = None, **changes: Any) -> Snapshot:
        """Its snapshot."""
        return asyncio.run(self.block(**changes).read_snapshot(now, kept_in=kept_in))

    @contextmanager
    def lines(self, now: datetime = NOW, **changes: Any) -> Iterator[Any]:
        """The same read line by line."""
        source: StoreSource = self.block(**changes)._source()
        zone = ZoneInfo(source.timezone)
        today = pd.Timestamp(now.astimezone(zone)).tz_localize(None).normalize()
        period = Period("sold_at", today - timedelta(days=source.history_days), today)
        with sql.reading(source.url, 30, source.reach) as connection:
            reader = FrameReader(connection, zone, source.decimal_mark)
            yield read_lines(replace(source, max_rows=10**6), reader, period)


@pytest.fixture
def shop(shop_url: str) -> Shop:
    """A shop in each kind of database."""
    return Shop(shop_url, "DATETIME" if shop_url.startswith("mysql") else "TIMESTAMP")


def some_lines(seed: int, days: int = 500) -> list[dict[str, Any]]:
    """Lines as shops have them, the odd ones included."""
    random = Random(seed)
    rows = []
    for n in range(400):
        at = datetime.combine(TODAY, time()) - timedelta(minutes=random.randint(1, days * 24 * 60))
        if random.random() < 0.02:
            at = at.replace(year=2027)
        row = {
            "number": random.choice(
                [f"O{n // 3}", f"O{n // 3} ", f"o{n // 3}", None, " "][: 3 + n % 3]
            ),
            "article": random.choice(
                ["A1", "a1", " A2", "Ä", "-", "B\u00a0", "", None][: 5 + n % 4]
            ),
            "at": None if random.random() < 0.02 else at,
            "pieces": random.choice([1, 1, 2, 5, -1, 0, None]),
            "price": random.choice([9.99, 0.1, 0, 12.5, -3, None]),
        }
        rows += [row, row] if random.random() < 0.05 else [row]
    return rows


def told(problems: Any) -> list[tuple[str, str, int, float | None]]:
    """What problems say, in an order of their own; which row is the example is no matter."""
    found = [
        (
            p.column,
            p.reason,
            p.rows,
            p.share if p.share is None else pytest.approx(p.share, abs=0.03),
        )
        for p in problems
        if p.frame == "sale_lines"
    ]
    return sorted(found, key=str)


def same(snapshot: Snapshot, lines: Any) -> None:
    """To the cent."""
    for name in ("sales", "orders"):
        other = lines.frames[name] if isinstance(lines, Snapshot) else getattr(lines, name)
        pd.testing.assert_frame_equal(
            snapshot.frames[name], other, check_exact=False, rtol=0, atol=0.001
        )
    assert snapshot.currency == lines.currency
    assert told(snapshot.problems) == told(lines.problems)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_database_adds_up_is_what_the_lines_are(shop: Shop, seed: int) -> None:
    shop.write(some_lines(seed))
    with shop.lines() as lines:
        same(shop.read(), lines)


def test_days_are_the_stores_own(shop: Shop) -> None:
    rows = [row for row in some_lines(7) if row["at"] is not None]
    shop.write(rows)
    columns = LINES | {"sold_at": "utc(at)"}
    frames = {"sale_lines": {"table": "sold_lines", "columns": columns}}
    for zone in ("America/New_York", "Asia/Kolkata", "Europe/Berlin"):
        with shop.lines(frames=frames, timezone=zone) as lines:
            same(shop.read(frames=frames, timezone=zone), lines)


def test_money_is_converted_or_kept_apart(shop: Shop) -> None:
    random = Random(1)
    codes = ["EUR", "eur", "USD", "CHF", None]
    shop.write([row | {"code": random.choice(codes)} for row in some_lines(2)], code="VARCHAR(3)")
    frames = {"sale_lines": {"table": "sold_lines", "columns": LINES | {"currency": "code"}}}
    changes = {"frames": frames, "currency": "EUR", "rates": {"USD": 0.9}}
    with shop.lines(**changes) as lines:
        same(shop.read(**changes), lines)
    one = frames | {"sale_lines": {**frames["sale_lines"], "where": {"code": ["USD"]}}}
    assert shop.read(frames=one).currency == "USD"
    (problem,) = (p for p in shop.read(frames=frames).problems if p.frame == "sale_lines")
    assert "amounts are in" in problem.reason


def test_an_order_in_two_tables_counts_once(shop: Shop) -> None:
    shop.write(some_lines(3))
    some = {"table": "sold_lines", "columns": LINES}
    revenue = LINES | {"revenue": "pieces * 2.5"}
    frames = {"sale_lines": [some | {"keep": "pieces > 1"}, some | {"columns": revenue}]}
    with shop.lines(frames=frames) as lines:
        same(shop.read(frames=frames), lines)


def test_weeks_stand_for_what_is_old(shop: Shop) -> None:
    old, before = TODAY - timedelta(weeks=DAILY_WEEKS + 1), TODAY - timedelta(weeks=DAILY_WEEKS)
    sold = [(old, 5), (old + timedelta(days=2), 3), (old + timedelta(days=2), -4), (before, 1)]
    sold.append((old + timedelta(days=3), -1))  # of a week; nothing was sold that day
    shop.write(
        [
            {
                "number": "1",
                "article": "A",
                "at": datetime.combine(day, time(12)),
                "pieces": n,
                "price": 2,
            }
            for day, n in sold
        ]
    )
    sales = shop.read().frames["sales"]
    # 5 sold; 3 sold and 4 returned the same day, of which 3 count; then one returned, of none.
    assert sales.to_numpy().tolist() == [
        [pd.Timestamp(old + timedelta(days=2)), "A", 8.0, 3.0, 6.0],
        [pd.Timestamp(before), "A", 1.0, 0.0, 2.0],
    ]


def test_a_settled_month_is_not_read_again(shop: Shop, tmp_path: Path) -> None:
    rows = [row for row in some_lines(5) if row["at"] is not None]
    shop.write(rows)
    first = shop.read(kept_in=tmp_path)
    same(first, shop.read())
    # Without its old lines the shop still tells of them: all but the two months that are looked
    # at again, the newest and another.
    young = [row for row in rows if row["at"].date() >= date(2026, 10, 1)]
    shop.write(young)
    second = shop.read(kept_in=tmp_path)
    changed = [p for p in second.problems if "changed after it was settled" in p.reason]
    assert len(changed) <= 2
    assert len(second.frames["orders"]) > len(shop.read().frames["orders"])


def test_what_changes_in_a_settled_month_is_found_and_said(shop: Shop, tmp_path: Path) -> None:
    rows = [
        {
            "number": str(n),
            "article": "A",
            "at": datetime.fromisoformat("2026-11-27 12:00") - timedelta(days=n),
            "pieces": 1,
            "price": 2,
        }
        for n in range(200)
    ]
    shop.write(rows)
    shop.read(kept_in=tmp_path)
    rows[120]["pieces"] = 0
    shop.write(rows)
    said = []
    for n in range(14):  # each day another of the 11 months
        snapshot = shop.read(NOW + timedelta(days=n), tmp_path, history_days=400)
        said += [str(p) for p in snapshot.problems if "after it was settled" in p.reason]
    assert len(said) == 1
    assert "July 2026 changed after it was settled: its revenue was 62.00, and is 60.00" in said[0]


def test_another_mapping_begins_anew(shop: Shop, tmp_path: Path) -> None:
    shop.write(some_lines(6))
    shop.read(kept_in=tmp_path)
    dearer = {"table": "sold_lines", "columns": LINES | {"unit_price": "price * 2"}}
    twice = shop.read(kept_in=tmp_path, frames={"sale_lines": dearer})
    same(twice, shop.read(frames={"sale_lines": dearer}))


def test_a_damaged_file_is_read_again(shop: Shop, tmp_path: Path) -> None:
    shop.write(some_lines(8))
    whole = shop.read(kept_in=tmp_path)
    files = sorted(tmp_path.glob("shop/*/*.npz"))
    files[0].write_bytes(b"PK\x03\x04 no more")
    files[1].unlink()
    same(shop.read(kept_in=tmp_path), whole)


def test_a_shop_whose_days_have_all_moved_is_read_anew(shop: Shop, tmp_path: Path) -> None:
    """As when a copy of a shop is dated anew: no kept month may stand beside a fresh one."""
    rows = [
        {"number": str(n), "article": "A", "at": datetime.combine(TODAY, time()), "price": 2}
        | {"pieces": 1 + n % 7}
        for n in range(300)
    ]
    for n, row in enumerate(rows):
        row["at"] -= timedelta(days=n, hours=-9)
    shop.write(rows)
    shop.read(kept_in=tmp_path)
    shop.write([row | {"at": row["at"] + timedelta(days=1)} for row in rows])
    tomorrow = NOW + timedelta(days=1)
    same(shop.read(tomorrow, tmp_path), shop.read(tomorrow))


def test_what_was_not_read_in_time_is_read_the_next_time(shop: Shop, tmp_path: Path) -> None:
    shop.write(some_lines(7))
    source: StoreSource = shop.block()._source(tmp_path)
    today = pd.Timestamp(TODAY)
    period = Period("sold_at", today - timedelta(days=source.history_days), today)
    kept = KeptMonths(tmp_path, "shop", "what it means")

    def read(seconds: float) -> SalesRead:
        with sql.reading(source.url, 60, source.reach) as connection:
            reader = FrameReader(connection, ZoneInfo("UTC"), None)
            return DayReader(source, reader, period, kept, seconds).read()

    first = read(0)
    assert first.sales["date"].min() >= today - timedelta(days=7)
    (problem,) = [p for p in first.problems if "not read yet" in p.reason]
    assert problem.reason.startswith(f"sales before {TODAY - timedelta(days=7)} are not read yet")
    whole = read(600)
    assert not [p for p in whole.problems if "not read yet" in p.reason]
    with shop.lines() as lines:
        pd.testing.assert_frame_equal(whole.sales, lines.sales, rtol=0, atol=0.001)


def test_months_whose_files_went_are_read_again(shop: Shop, tmp_path: Path) -> None:
    shop.write(some_lines(8))
    shop.read(kept_in=tmp_path)
    months = sorted(tmp_path.rglob("*.npz"))
    assert len(months) > 12
    for month in months[:3]:
        month.unlink()
    again = shop.read(kept_in=tmp_path)
    assert sorted(tmp_path.rglob("*.npz")) == months
    with shop.lines() as lines:
        same(again, lines)
