"""What the database tells, gathered in parts, against pandas adding up the same rows."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from blocks.store.days.block import Block, ItemDays, number_of
from blocks.store.days.gathering import Gathered, Skus

FIRST = date(2026, 2, 1)
COLUMNS = ("day", "sku", "code", "units", "returned", "money", "lines")


def rows_of(seed: int, count: int = 300, as_text: bool = False) -> list[tuple[Any, ...]]:
    """Sums in no order, some of the same day and SKU in another currency, some without a day."""
    random = Random(seed)
    rows = []
    for _ in range(count):
        day = FIRST + timedelta(days=random.randint(0, 9)) if random.random() < 0.9 else None
        sku, code = random.choice(["b", "a", "Ä", "-", "c"]), random.choice(["", "USD", "CHF"])
        money = random.randint(-900, 900) / 100
        told = day.isoformat() if as_text and day else day
        rows.append((told, sku, code, random.randint(0, 9), random.randint(0, 2), money, 2))
    return rows


def table_of(block: Block) -> pd.DataFrame:
    items = block.items
    return pd.DataFrame(
        {
            "day": items.day,
            "sku": [items.skus[row] for row in items.row],
            "units": items.units,
            "returned": items.returned,
            "revenue": items.revenue,
        }
    )


def expected(rows: list[tuple[Any, ...]], worth: dict[str, float] | None) -> pd.DataFrame:
    table = pd.DataFrame([row for row in rows if row[0]], columns=list(COLUMNS))
    rate = table["code"].map(worth).fillna(0.0) if worth else 1.0
    table = table.assign(revenue=table["money"] * rate, day=table["day"].map(number_of))
    sums = table.groupby(["day", "sku"], as_index=False)[["units", "returned", "revenue"]].sum()
    return sums.astype({"day": np.int32, "sku": object, "units": float, "returned": float})


@pytest.mark.parametrize("worth", [None, {"": 1.0, "USD": 0.9}])
@pytest.mark.parametrize("as_text", [False, True])
def test_sums_are_gathered_by_day_and_sku(worth: dict[str, float] | None, as_text: bool) -> None:
    rows = rows_of(1, as_text=as_text)
    gathered = Gathered(Skus(), worth)
    for at in range(0, len(rows), 70):
        gathered.add(rows[at : at + 70])
    assert gathered.lines == 600
    assert gathered.without_day == 2 * sum(row[0] is None for row in rows) > 0
    block = gathered.block()
    found = table_of(block).astype({"sku": object})
    pd.testing.assert_frame_equal(found, expected(rows, worth))
    dollars = [amount for (_, code), amount in block.told.money.items() if code == "USD"]
    assert sum(count for _, count in dollars) == 2 * sum(
        row[0] is not None and row[2] == "USD" for row in rows
    )


def test_blocks_of_one_reading_go_together_whatever_came_first() -> None:
    skus, rows, blocks = Skus(), rows_of(2), []
    days = sorted({row[0] for row in rows if row[0]}, reverse=True)
    for day in days:  # newest first, as they are read; new SKUs come with later parts
        gathered = Gathered(skus, None)
        gathered.add([row for row in rows if row[0] == day])
        blocks.append(gathered.block())
    whole = table_of(Block.of(blocks)).astype({"sku": object})
    pd.testing.assert_frame_equal(whole, expected(rows, None))


def test_parts_that_tell_of_the_same_days_are_added_up() -> None:
    rows = rows_of(3)
    blocks = []
    for part in (rows[:150], rows[150:]):
        gathered = Gathered(Skus(), None)
        gathered.add(part)
        blocks.append(gathered.block())
    whole = table_of(Block.of(blocks)).astype({"sku": object})
    pd.testing.assert_frame_equal(whole, expected(rows, None))


def test_nothing_is_a_block_too() -> None:
    block = Block.of([Gathered(Skus(), None).block()])
    assert len(block.items.day) == len(block.items.revenue) == 0
    assert ItemDays.of([]).skus == []
