"""A snapshot is written piece by piece, seen whole or not at all, and read by item."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Table, select

from agents.data_intelligence.pattern_recognition.item_facts import sku_facts
from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger, RunRecord
from blocks.ledger.snapshots import rows, snapshots
from blocks.ledger.snapshots.frames import pack
from blocks.ledger.snapshots.rows import Packed, writes
from blocks.ledger.snapshots.tables import SNAPSHOTS
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import PRODUCTS, SALES, STOCK, Snapshot
from tests.integration.blocks.ledger.engine.test_plans import caught

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS, DAYS = 700, 200


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def snapshot(taken_at: datetime = NOON) -> Snapshot:
    """Items that sell on one day in ten; the first of them has neither stock nor a product."""
    random = np.random.default_rng(1)
    skus = np.array([f"sku-{number}" for number in range(ITEMS)])
    place = np.flatnonzero(random.random(ITEMS * DAYS) < 0.1)
    days = pd.Timestamp(taken_at.date()) - pd.to_timedelta(1 + place % DAYS, unit="D")
    sales = {
        "date": days,
        "sku": skus[place // DAYS],
        "units": random.integers(1, 9, len(place)),
        "returned": 0,
        "revenue": random.random(len(place)) * 50,
    }
    known = skus[1:]
    products = {"sku": known, "name": known, "unit_price": 9.5}
    stock = {"sku": known, "on_hand": random.integers(0, 40, len(known))}
    raw = ((SALES, sales), (PRODUCTS, products), (STOCK, stock))
    frames = {schema.name: conform(pd.DataFrame(data), schema)[0] for schema, data in raw}
    return Snapshot(taken_at=taken_at, frames=frames, store="shop")


async def test_an_item_is_told_as_from_the_whole_history(ledger: Ledger) -> None:
    taken = snapshot()
    await ledger.snapshots.save(taken)
    for hours in (0, 40):
        now = NOON + timedelta(hours=hours)
        for sku in ("sku-0", "sku-1", "sku-350", "sku-699"):
            kept = await ledger.snapshots.of_item("shop", sku)
            assert kept
            assert sku_facts(kept, sku, now) == pytest.approx(sku_facts(taken, sku, now))
    assert sku_facts(kept, "none", NOON) is None
    assert len(kept.frames["stock"]) < ITEMS / 2
    assert await ledger.snapshots.of_item("other", "sku-1") is None


async def test_for_an_item_no_frame_is_read(ledger: Ledger) -> None:
    await ledger.snapshots.save(snapshot())
    with caught(ledger) as statements:
        await ledger.snapshots.of_item("shop", "sku-1")
    assert any("snapshot_items" in statement for statement, _ in statements)
    assert not any("snapshot_parts" in statement for statement, _ in statements)


async def test_a_snapshot_without_items_is_read_by_item_all_the_same(ledger: Ledger) -> None:
    await ledger.snapshots.save(Snapshot(taken_at=NOON, frames={}, store="shop"))
    kept = await ledger.snapshots.of_item("shop", "sku-1")
    assert kept
    assert kept.frames == {}


async def test_a_large_frame_is_cut_and_put_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PART", 10_000)
    taken = snapshot()
    pieces = list(writes(pack(taken)))
    assert len(pieces) > 10, "each is a transaction of its own"
    await ledger.snapshots.save(taken)
    kept = await ledger.snapshots.latest("shop")
    assert kept
    for name, frame in taken.frames.items():
        pd.testing.assert_frame_equal(kept.frames[name], frame, check_exact=True)


async def test_what_is_being_written_is_not_seen(ledger: Ledger) -> None:
    await ledger.snapshots.save(snapshot(NOON - timedelta(hours=1)))
    for write in list(writes(pack(snapshot())))[:-1]:
        await ledger._access.write(write)
        seen = await ledger.snapshots.latest("shop")
        assert seen
        assert seen.taken_at == NOON - timedelta(hours=1)
        assert len(seen.frames) == 3


async def test_each_piece_may_be_written_twice(ledger: Ledger) -> None:
    taken = snapshot()
    for write in writes(pack(taken)):
        await ledger._access.write(write)
        await ledger._access.write(write)
    kept = await ledger.snapshots.latest("shop")
    assert kept
    pd.testing.assert_frame_equal(kept.frames["sales"], taken.frames["sales"])


@pytest.mark.parametrize("piece", [1, 3, 5])
async def test_a_crash_leaves_nothing_half_visible_and_the_next_one_clears_it_away(
    ledger_url: str, piece: int
) -> None:
    code = (
        "import asyncio, sys; from blocks.ledger import Ledger;"
        "from tests.integration.blocks.ledger.snapshots.test_snapshots import snapshot;"
        "asyncio.run(Ledger.open(sys.argv[1]).snapshots.save(snapshot()))"
    )
    Ledger.open(ledger_url).close()
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, ledger_url],
        cwd=PROJECT_ROOT,
        check=False,
        env=os.environ | {CRASH_AT: f"snapshot:{piece}"},
    )
    assert died.returncode == -9
    with Ledger.open(ledger_url) as ledger:
        assert await ledger.snapshots.latest("shop") is None
        assert await _count(ledger, SNAPSHOTS) == 1
        await ledger.snapshots.save(snapshot(NOON + timedelta(hours=2)))
        assert await _count(ledger, SNAPSHOTS) == 1
        assert (await ledger.snapshots.latest("shop")) is not None


async def test_records_do_not_wait_for_a_large_piece(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, may_end = threading.Event(), threading.Event()

    def waiting(packed: Packed) -> Iterator[object]:
        def write(connection: Connection) -> None:
            going_on.set()
            assert may_end.wait(60)

        yield write

    monkeypatch.setattr(snapshots, "writes", waiting)
    with Ledger.open(postgres_url) as ledger:
        saving = asyncio.create_task(ledger.snapshots.save(snapshot()))
        await asyncio.to_thread(going_on.wait)
        ledger.record(RunRecord(id="r", workflow="w", started_at=NOON))
        await ledger.flush()
        assert await ledger.run("r")
        assert not saving.done()
        may_end.set()
        await saving


async def _count(ledger: Ledger, table: Table) -> int:
    return len(await ledger._access.rows(select(table)))
