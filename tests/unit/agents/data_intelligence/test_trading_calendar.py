"""Trading days are learned: no weekday is assumed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.data_intelligence.trading_calendar import (
    Closure,
    TradingCalendar,
    TradingHistory,
    local_day,
)
from blocks.errors import ContractViolation, EmptySource
from tests.unit.agents.data_intelligence.shops import (
    NOW,
    TODAY,
    days_before,
    sales_of,
    snapshot_of,
    without,
)


def test_a_closed_weekday_is_learned_and_never_missed():
    calendar = TradingCalendar.learn(days_before(TODAY, 182))
    assert calendar.probabilities == (1, 1, 1, 1, 1, 0, 1)
    assert calendar.days_per_week == 6
    assert calendar.missing(TODAY, TODAY + timedelta(days=6)) == [
        TODAY + timedelta(days=i) for i in (0, 1, 2, 3, 4, 6)
    ]


def test_one_saturday_in_half_a_year_is_one_in_twenty_six():
    saturday = TODAY - timedelta(days=9)
    calendar = TradingCalendar.learn([*days_before(TODAY, 182), saturday])
    assert calendar.probability(saturday) == pytest.approx(1 / 26)


def test_a_closure_does_not_make_its_weekdays_unlikely():
    shut = {TODAY - timedelta(days=i) for i in range(60, 72)}
    calendar = TradingCalendar.learn(set(days_before(TODAY, 182)) - shut)
    assert calendar.probabilities == (1, 1, 1, 1, 1, 0, 1)
    (closure,) = calendar.closures
    assert shut <= {
        closure.first + timedelta(days=i) for i in range((closure.last - closure.first).days + 1)
    }
    assert all(calendar.closed(day) for day in shut)


def test_a_single_holiday_is_no_closure_but_lowers_the_chance():
    monday = TODAY - timedelta(days=28)
    calendar = TradingCalendar.learn(set(days_before(TODAY, 182)) - {monday})
    assert calendar.closures == ()
    assert calendar.probability(monday) == pytest.approx(25 / 26)


def test_what_was_closed_a_year_ago_may_be_closed_again():
    calendar = TradingCalendar(
        (1.0,) * 7, frozenset({TODAY}), (Closure(date(2025, 12, 24), date(2026, 1, 3)),)
    )
    assert calendar.closed_a_year_before(date(2026, 12, 23))
    assert not calendar.closed_a_year_before(date(2026, 12, 15))


def test_one_day_of_trade_is_a_calendar():
    calendar = TradingCalendar.learn([TODAY])
    assert calendar.probabilities == (1.0,) * 7
    assert calendar.last == TODAY


def test_no_day_at_all_is_an_empty_source():
    with pytest.raises(EmptySource):
        TradingCalendar.learn([])


@given(st.sets(st.integers(0, 400), min_size=1))
def test_probabilities_are_probabilities_and_the_expected_days_add_up(offsets):
    calendar = TradingCalendar.learn(TODAY - timedelta(days=i) for i in offsets)
    assert all(0 <= p <= 1 for p in calendar.probabilities)
    assert 0 < calendar.days_per_week <= 7
    assert all(calendar.closed(c.first) and calendar.closed(c.last) for c in calendar.closures)
    assert not any(calendar.closed(day) for day in calendar.traded)


def test_the_shops_own_clock_decides_which_day_is_over():
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert local_day(late, "Europe/Berlin") == date(2026, 3, 2)
    assert local_day(late, "America/New_York") == date(2026, 3, 1)


def test_today_is_not_over_and_future_days_do_not_count():
    days = [*days_before(TODAY, 14), TODAY, TODAY + timedelta(days=3)]
    history = TradingHistory.of(snapshot_of(sales_of(days, {"a": lambda day: 1})), NOW)
    assert history.last == TODAY - timedelta(days=1)
    assert len(history.orders) == 12


def test_a_snapshot_without_orders_says_so():
    snapshot = snapshot_of(sales_of(days_before(TODAY, 14), {"a": lambda day: 1}))
    with pytest.raises(ContractViolation, match="no 'orders' frame"):
        TradingHistory.of(without(snapshot, "orders"), NOW)


def test_a_shop_that_opens_today_has_no_history():
    snapshot = snapshot_of(sales_of([TODAY], {"a": lambda day: 1}))
    with pytest.raises(EmptySource, match=r"before 2026-03-02 \(1 rows\)"):
        TradingHistory.of(snapshot, NOW)
