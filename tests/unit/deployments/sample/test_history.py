"""The slice of real data, and how it is moved to the present."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deployments.sample.history import DATA, LAST_DAY, SALES_FILE, products, shift_for, source_lines

DAYS = st.dates(date(2011, 10, 1), date(2200, 1, 1))


@given(DAYS)
def test_the_shift_keeps_weekdays_and_reaches_yesterday(today: date) -> None:
    shift = shift_for(today)
    yesterday = today - timedelta(days=1)
    assert shift.days % 364 == 0
    assert LAST_DAY.weekday() == (LAST_DAY + shift).weekday()
    assert yesterday <= LAST_DAY + shift < yesterday + timedelta(days=364)


@given(DAYS)
def test_tomorrow_shows_one_more_day_until_the_source_is_used_up(today: date) -> None:
    shown = today - shift_for(today)  # the source's day that "today" stands for
    tomorrow = today + timedelta(days=1)
    expected = shown + timedelta(days=1)
    if shown > LAST_DAY:
        expected -= timedelta(days=364)
    assert tomorrow - shift_for(tomorrow) == expected


def test_the_slice_is_small_and_names_its_sources() -> None:
    assert SALES_FILE.stat().st_size <= 2_300_000
    assert sum(f.stat().st_size for f in DATA.rglob("*") if f.is_file()) <= 3_000_000
    source = (DATA / "SOURCE.md").read_text()
    assert "CC BY" in source
    assert "10.1057/dbm.2012.17" in source
    assert "Permission is hereby granted" in (DATA / "nab" / "LICENSE.txt").read_text()


def test_the_slice_holds_two_hundred_products_of_every_demand_pattern() -> None:
    assert Counter(product.pattern for product in products()) == {
        "seasonal": 25,
        "late": 20,
        "ended": 15,
        "fast": 40,
        "steady": 60,
        "slow": 40,
    }
    assert len({product.sku.upper() for product in products()}) == 200
    assert all(product.name and product.list_price > 0 for product in products())


def test_the_lines_are_the_source_s_with_its_dirt() -> None:
    lines = source_lines()
    assert len(lines) == 117_052
    assert lines == sorted(lines, key=lambda line: line.sold_at)
    assert (lines[0].sold_at.date(), lines[-1].sold_at.date()) == (date(2009, 12, 1), LAST_DAY)
    assert {line.sku for line in lines} == {product.sku for product in products()}
    assert all((line.units < 0) == line.order_id.startswith("C") for line in lines)
    assert sum(line.units < 0 for line in lines) == 2_238
    assert len(lines) - len(set(lines)) == 1_123  # repeated lines
    assert min(line.unit_price for line in lines) == 0
