"""Whether orders come in as they are made, or late; and on which days none are expected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from agents.data_intelligence.anomaly_detection.orders.closures import known_closures
from agents.data_intelligence.anomaly_detection.orders.freshness import (
    LATER,
    Freshness,
    freshness,
)
from agents.data_intelligence.anomaly_detection.orders.rhythm import Rhythm, learn, never
from agents.data_intelligence.anomaly_detection.orders.written import actual_hours, usual_hours
from agents.data_intelligence.takings import USUAL_REVENUE, usual_series
from agents.data_intelligence.trading_calendar import TradingCalendar
from blocks.policy.watching.trade_rules import TradeRules
from blocks.store.hours.counts import OrderCounts

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = 288


def even_shop(weeks: int = 12, per_hour: float = 12.0) -> OrderCounts:
    """Sells around the clock, an order every five minutes."""
    orders = np.full(weeks * 7 * STEPS, per_hour / 12)
    return OrderCounts(MONDAY, orders, 10 * orders)


def rhythm() -> Rhythm:
    found = learn(even_shop(), ZoneInfo("UTC"), TradeRules())
    assert found is not None
    return found


NOW = MONDAY + 84 * DAY


def aged(minutes: list[float], every: timedelta) -> list[tuple[datetime, float]]:
    begin = NOW - len(minutes) * every
    return [(begin + n * every, 60 * each) for n, each in enumerate(minutes)]


def test_orders_that_are_minutes_old_at_each_look_come_in_as_they_are_made() -> None:
    ages = aged([3.0] * 40, timedelta(minutes=5))
    assert freshness(rhythm(), ages, NOW, never) == Freshness(True, 0.0)


def test_of_few_looks_it_is_not_known() -> None:
    assert freshness(rhythm(), aged([3.0] * 11, timedelta(minutes=5)), NOW, never).live is None
    assert freshness(rhythm(), [], NOW, never).live is None


def test_looks_during_the_silence_that_is_judged_tell_nothing() -> None:
    ages = aged([3.0] * 40, timedelta(minutes=5))
    assert freshness(rhythm(), ages, ages[5][0], never).live is None
    assert freshness(rhythm(), ages, None, never).live is None


def test_a_store_that_is_filled_at_night_is_late_by_a_day_s_orders() -> None:
    ages = aged([60.0 * (hour % 24) for hour in range(5 * 24)], timedelta(hours=1))
    found = freshness(rhythm(), ages, NOW, never)
    assert found.live is False
    assert found.late is not None
    assert found.late / LATER == 23 * 12 or abs(found.late / LATER - 23 * 12) < 5


def test_how_late_is_not_known_on_the_first_days() -> None:
    ages = aged([60.0 * hour for hour in range(24)], timedelta(hours=1))
    assert freshness(rhythm(), ages, NOW, never) == Freshness(False, None)


# Days off


def weekdays(first: date, last: date, *off: date) -> TradingCalendar:
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return TradingCalendar.learn([day for day in days if day.weekday() < 5 and day not in off])


def test_days_off_of_the_year_before_are_known_by_weekday_and_by_date() -> None:
    off = (date(2025, 5, 26), date(2025, 12, 25))
    calendar = weekdays(date(2025, 1, 6), date(2026, 5, 20), *off)
    assert known_closures(date(2026, 5, 20), 20, [], calendar) >= {date(2026, 5, 25)}
    assert known_closures(date(2026, 12, 20), 10, [], calendar) >= {date(2026, 12, 25)}


def test_days_on_which_it_never_trades_are_no_closures() -> None:
    calendar = weekdays(date(2025, 1, 6), date(2026, 5, 20))
    assert known_closures(date(2026, 5, 18), 14, [], calendar) == frozenset()


def test_what_the_policy_names_is_known_without_a_past() -> None:
    named = [date(2026, 5, 25)]
    assert known_closures(date(2026, 5, 20), 10, named, None) == frozenset(named)


# What is written down


def test_a_closed_day_brings_nothing() -> None:
    closed = {(NOW + DAY).date()}
    name = usual_series("shop", USUAL_REVENUE)
    kept = {s.at: s.value for s in usual_hours("shop", rhythm(), NOW, closed) if s.series == name}
    assert kept[NOW + DAY + timedelta(hours=12)] == 0.0
    assert round(kept[NOW + timedelta(hours=12)]) == 120
    assert len(kept) == 8 * 24


def test_hours_are_written_down_once_they_have_been_over_for_an_hour() -> None:
    counts = even_shop(weeks=1)
    now = counts.end - timedelta(minutes=5)
    kept = [s.at for s in actual_hours("shop", counts, now) if s.series.endswith("orders_per_hour")]
    assert (len(kept), kept[-1]) == (24, now.replace(minute=0) - timedelta(hours=2))
