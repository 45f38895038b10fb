from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from blocks.formats.dates import in_zone
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import OPEN_ORDERS, SALE_LINES

LOS_ANGELES = ZoneInfo("America/Los_Angeles")


def expected_at(values: list[Any], zone: ZoneInfo = LOS_ANGELES) -> list[datetime | None]:
    raw = pd.DataFrame(
        {
            "order_id": [f"po-{i}" for i in range(len(values))],
            "supplier": "acme",
            "sku": "A",
            "units": 1,
            "ordered_at": datetime(2026, 1, 1, tzinfo=UTC),
            "expected_at": values,
        },
        dtype=object,
    )
    frame, problems = conform(in_zone(raw, OPEN_ORDERS, zone), OPEN_ORDERS)
    assert problems == []
    return [None if pd.isna(at) else at.to_pydatetime() for at in frame["expected_at"]]


@pytest.mark.parametrize(
    "day",
    [date(2026, 11, 28), "2026-11-28", "20261128", 20261128, datetime(2026, 11, 28)],  # noqa: DTZ001
)
def test_a_day_without_a_time_is_a_day_of_the_store(day: Any) -> None:
    (at,) = expected_at([day])

    assert at is not None
    assert at.astimezone(LOS_ANGELES) == datetime(2026, 11, 28, tzinfo=LOS_ANGELES)


def test_days_among_instants_are_told_apart() -> None:
    day, instant, zoned, nothing = expected_at(
        ["2026-11-28", "2026-11-28 12:30:00", "2026-11-28T12:30:00-08:00", None]
    )

    assert day == datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert instant == datetime(2026, 11, 28, 12, 30, tzinfo=UTC)  # no zone: UTC, as documented
    assert zoned == datetime(2026, 11, 28, 20, 30, tzinfo=UTC)
    assert nothing is None


def test_midnight_is_an_instant_where_others_have_a_time() -> None:
    midnight, _ = expected_at([datetime(2026, 11, 28), datetime(2026, 11, 28, 7, 15)])  # noqa: DTZ001

    assert midnight == datetime(2026, 11, 28, tzinfo=UTC)


def test_a_day_whose_midnight_the_clocks_skip_begins_when_they_go_on() -> None:
    havana = ZoneInfo("America/Havana")  # springs forward at midnight

    (at,) = expected_at(["2026-03-08"], havana)

    assert at is not None
    assert at.astimezone(havana).date() == date(2026, 3, 8)


def test_a_day_whose_midnight_comes_twice_begins_with_the_first() -> None:
    (at,) = expected_at(["2026-11-01"], ZoneInfo("America/Havana"))

    assert at == datetime(2026, 11, 1, 4, tzinfo=UTC)  # still summer time, UTC-4


def test_trading_days_stay_as_they_are_written() -> None:
    raw = pd.DataFrame({"sold_at": ["2026-11-28", date(2026, 11, 27)]}, dtype=object)

    read = in_zone(raw, SALE_LINES, LOS_ANGELES)["sold_at"]

    assert list(read) == [pd.Timestamp("2026-11-28"), pd.Timestamp("2026-11-27")]
