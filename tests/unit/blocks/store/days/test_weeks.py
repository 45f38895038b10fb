"""Frames made of days that come in parts."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from blocks.store.days.block import ItemDays, number_of
from blocks.store.days.weeks import Frames
from blocks.vocabulary.frames import NO_ITEM, ORDERS, SALES

TODAY = date(2026, 11, 28)


def some_days(days: int) -> ItemDays:
    chance = np.random.default_rng(days)
    table = pd.DataFrame(
        [
            (pd.Timestamp(TODAY - timedelta(days=back)), sku, *chance.integers(0, 9, 3))
            for back in range(days, 0, -1)
            for sku in ("b", "a", NO_ITEM, "c")
            if chance.random() < 0.7
        ],
        columns=["date", "sku", "units", "returned", "revenue"],
    )
    return ItemDays.of_sales(table)


@pytest.mark.parametrize("step", [1, 5, 30, 1000])
def test_it_is_no_matter_in_which_parts_days_come(step: int) -> None:
    items = some_days(400)
    once, often = Frames(TODAY), Frames(TODAY)
    once.add(items)
    first, end = number_of(TODAY) - 400, number_of(TODAY)
    for day in range(first, end, step):
        often.add(items.between(day, day + step))
    orders = [frames.orders(dict.fromkeys(range(first, end), 2.0)) for frames in (once, often)]
    pd.testing.assert_frame_equal(*orders)
    sales = once.sales()
    pd.testing.assert_frame_equal(sales, often.sales())
    pd.testing.assert_frame_equal(sales, sales.sort_values(["date", "sku"], ignore_index=True))
    assert NO_ITEM not in set(sales["sku"])
    SALES.validate(sales)
    ORDERS.validate(orders[0])


def test_no_days_make_empty_frames() -> None:
    frames = Frames(TODAY)
    assert SALES.validate(frames.sales()).empty
    assert ORDERS.validate(frames.orders({})).empty
