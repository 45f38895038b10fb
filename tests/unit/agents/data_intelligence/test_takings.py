"""What an hour costs: by what it usually brings, and not by the day's average."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.data_intelligence.takings import (
    HOUR,
    Takings,
    money_between,
    money_per_hour,
    share_of_hour,
)

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)
SHOP = Takings({MIDNIGHT + n * HOUR: (120.0 if 9 <= n < 17 else 0.0) for n in range(24)})
"""It sells from 9 to 17."""


def test_an_hour_costs_what_it_usually_brings() -> None:
    assert money_per_hour(SHOP, 0.5, MIDNIGHT + timedelta(hours=12, minutes=59)) == 60.0
    assert money_per_hour(SHOP, 0.5, MIDNIGHT + timedelta(hours=3)) == 0.0


def test_hours_that_were_not_written_down_are_like_those_of_the_week_before_and_after() -> None:
    noon = MIDNIGHT + timedelta(hours=12)
    for week in (-7, 7):
        assert money_per_hour(SHOP, 1.0, noon + timedelta(days=week)) == 120.0
    assert money_per_hour(SHOP, 1.0, noon + timedelta(days=3)) is None


def test_from_one_instant_to_another_hours_count_in_part() -> None:
    begin = MIDNIGHT + timedelta(hours=8, minutes=30)
    assert money_between(SHOP, 1.0, begin, begin + HOUR) == pytest.approx(60.0)
    assert money_between(SHOP, 0.25, MIDNIGHT, MIDNIGHT + 24 * HOUR) == pytest.approx(240.0)
    assert money_between(SHOP, 1.0, begin, begin) == 0.0


def test_what_is_not_known_of_one_hour_is_not_known_of_the_whole() -> None:
    assert money_between(SHOP, 1.0, MIDNIGHT, MIDNIGHT + 25 * HOUR) is None
    assert money_between(Takings(), 1.0, MIDNIGHT, MIDNIGHT + HOUR) is None


def test_an_average_stands_in_and_says_that_it_is_one() -> None:
    takings = Takings(averaged=40.0)
    assert money_per_hour(takings, 0.5, MIDNIGHT) == 20.0
    assert not takings.is_by_hour(MIDNIGHT)
    assert SHOP.is_by_hour(MIDNIGHT)


def test_an_item_sells_when_the_shop_does() -> None:
    assert share_of_hour(80.0, SHOP, MIDNIGHT + timedelta(hours=3)) == (
        pytest.approx(80 / 24),
        False,
    )
    whole = Takings({**SHOP.hours, **{at + 24 * HOUR: v for at, v in SHOP.hours.items()}})
    assert share_of_hour(80.0, whole, MIDNIGHT + 12 * HOUR) == (pytest.approx(10.0), True)
    assert share_of_hour(80.0, whole, MIDNIGHT + 3 * HOUR) == (0.0, True)
