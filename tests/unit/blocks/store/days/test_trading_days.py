"""Days added up from lines, against a slow and obvious way of doing it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.store.days.trading_days import by_day
from blocks.store.money import amounts
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import NO_ITEM, SALE_LINES

START = datetime(2024, 1, 1)  # noqa: DTZ001  (store time)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["o1", "o2", "o3"]),
        st.sampled_from(["a", "b", NO_ITEM]),
        st.integers(0, 4 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
        st.integers(-3, 5),
        st.sampled_from([0.0, 1.5, 20.0]),
    ),
    min_size=1,
    max_size=30,
)


@given(LINES)
@settings(max_examples=40, deadline=None)
def test_days_are_what_their_lines_add_up_to(
    rows: list[tuple[str, str, datetime, int, float]],
) -> None:
    columns = ["order_id", "sku", "sold_at", "units", "unit_price"]
    lines, problems = conform(pd.DataFrame(rows, columns=columns), SALE_LINES)
    assert problems == []

    sales, orders = by_day(lines.assign(revenue=amounts(lines)))

    units: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    per_day: dict[object, tuple[set[str], list[float]]] = defaultdict(
        lambda: (set(), [0.0, 0.0, 0.0])
    )
    for order, sku, when, count, price in rows:
        day = pd.Timestamp(when.date())
        ids, totals = per_day[day]
        totals[1] += count * price
        if sku == NO_ITEM:
            continue
        for i, value in enumerate((max(count, 0), max(-count, 0), count * price)):
            units[day, sku][i] += value
        if count > 0:
            ids.add(order)
        totals[0] += max(count, 0)
        totals[2] += max(-count, 0)
    assert {
        (day, sku): pytest.approx(rest)
        for day, sku, *rest in sales.itertuples(index=False, name=None)
    } == dict(units)
    assert {
        day: (count, pytest.approx(rest))
        for day, count, *rest in orders.itertuples(index=False, name=None)
    } == {day: (len(ids), totals) for day, (ids, totals) in per_day.items()}
