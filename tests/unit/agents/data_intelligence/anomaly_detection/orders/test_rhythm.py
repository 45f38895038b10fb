"""What a shop's past says of its orders, and what is beyond chance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from agents.data_intelligence.anomaly_detection.orders.judging import judge, judge_steps
from agents.data_intelligence.anomaly_detection.orders.limits import (
    beyond_chance,
    by_chance_alone,
    surprise,
)
from agents.data_intelligence.anomaly_detection.orders.rhythm import Rhythm, learn, never
from agents.data_intelligence.anomaly_detection.orders.spans import joined, sum_between
from agents.data_intelligence.anomaly_detection.orders.strays import silences
from agents.data_intelligence.anomaly_detection.orders.usual import Clock
from blocks.policy.watching.trade_rules import TradeRules
from blocks.store.hours.counts import BIN, Floats, OrderCounts

LONDON = ZoneInfo("Europe/London")
RULES = TradeRules()
DAY = 288
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shop(
    weeks: int, per_hour: float = 20.0, begin: datetime = MONDAY, seed: int = 3
) -> OrderCounts:
    """Sells from 8 to 20 on its clock, on weekdays; each order brings 10."""
    clock = Clock.of(begin, weeks * 7 * DAY, LONDON)
    opened = (clock.hour % 24 >= 8) & (clock.hour % 24 < 20) & (clock.hour < 120)
    orders = np.random.default_rng(seed).poisson(opened * per_hour / 12).astype(float)
    return OrderCounts(begin, orders, 10 * orders)


def rhythm(counts: OrderCounts, rules: TradeRules = RULES) -> Rhythm:
    found = learn(counts, LONDON, rules)
    assert found is not None
    return found


def silent_from(counts: OrderCounts, step: int) -> OrderCounts:
    orders: Floats = counts.orders.copy()
    orders[step:] = 0
    return replace(counts, orders=orders)


def upto(counts: OrderCounts, step: int) -> OrderCounts:
    begin = max(0, step - 9 * DAY)
    return OrderCounts(
        counts.begin + begin * BIN, counts.orders[begin:step], counts.revenue[begin:step]
    )


def test_rates_and_money_are_those_of_the_hour_of_the_week() -> None:
    found = rhythm(shop(12))
    assert found.rates[10] == pytest.approx(20, rel=0.15)
    assert found.money[10] == pytest.approx(200, rel=0.15)
    assert found.rates[[3, 22, 5 * 24 + 12]] == pytest.approx([0, 0, 0], abs=0.7)


def test_the_clock_s_changes_move_no_hour() -> None:
    """From 29 March on the shop opens an hour earlier in UTC, and not on its own clock."""
    begin = MONDAY - timedelta(weeks=8)
    found = rhythm(shop(14, begin=begin))
    assert found.rates[7] < 1
    assert found.rates[8] == pytest.approx(20, rel=0.25)
    after = datetime(2026, 4, 14, 7, 30, tzinfo=UTC)  # half past eight
    assert sum_between(found.expected, after, after + HOUR) == pytest.approx(20, rel=0.25)


def test_days_off_of_the_past_lower_no_rate_and_are_counted() -> None:
    counts = shop(12)
    orders = counts.orders.copy()
    for day in (70, 71, 77):
        orders[day * DAY : (day + 1) * DAY] = 0
    plain, closed = rhythm(counts), rhythm(replace(counts, orders=orders))
    assert closed.shut == 3
    assert closed.rates.sum() == pytest.approx(plain.rates.sum(), rel=0.05)


def test_a_past_outage_does_not_teach_that_silence_is_usual() -> None:
    counts = shop(16)
    orders = counts.orders.copy()
    orders[100 * DAY + 120 : 100 * DAY + 220] = 0  # a Wednesday from 10 to 18 o'clock
    assert rhythm(replace(counts, orders=orders)).silence <= rhythm(counts).silence + 1


def test_a_silence_is_told_once_too_much_is_missing_and_not_before() -> None:
    counts = shop(14)
    stop = 87 * DAY + 12 * 12  # a Thursday's noon
    past = OrderCounts(counts.begin, counts.orders[: 87 * DAY], counts.revenue[: 87 * DAY])
    found = rhythm(past)
    gone = silent_from(counts, stop)
    at = counts.begin + stop * BIN
    hours = found.hours_to_know(at, never)
    assert hours is not None
    assert 0.3 < hours < 1
    steps = round(hours * 12)
    assert judge(found, upto(gone, stop + steps // 2), never).silence is None
    told = judge(found, upto(gone, stop + steps + 3), never).silence
    assert told is not None
    assert told.missed > told.limit == found.silence
    assert not told.perhaps_closed


def test_the_slower_the_shop_the_longer_it_takes() -> None:
    fast, slow = (rhythm(shop(20, each)).fastest() for each in (60.0, 2.0))
    assert fast is not None
    assert slow is not None
    assert fast < 0.4
    assert slow > 3


def test_a_shop_of_three_orders_a_day_is_not_called_silent_by_the_hour() -> None:
    counts = shop(26, 0.25)
    found = rhythm(counts)
    stop = len(counts.orders)
    quiet = OrderCounts(
        counts.begin,
        np.concatenate([counts.orders, np.zeros(DAY)]),
        np.concatenate([counts.revenue, np.zeros(DAY)]),
    )
    assert judge(found, upto(quiet, stop + DAY), never).silence is None


def test_a_smaller_budget_of_false_alarms_takes_longer() -> None:
    counts = shop(20)
    often = rhythm(counts, TradeRules(false_alarms_per_quarter=10)).silence
    assert often < rhythm(counts).silence


def test_a_collapse_is_a_shortfall_and_told_by_its_window() -> None:
    counts = shop(14)
    past = OrderCounts(counts.begin, counts.orders[: 87 * DAY], counts.revenue[: 87 * DAY])
    begin = 87 * DAY + 10 * 12
    orders = counts.orders.copy()
    orders[begin : begin + 48] *= np.arange(48) % 4 == 0
    short = judge(rhythm(past), upto(replace(counts, orders=orders), begin + 48), never).shortfall
    assert short is not None
    assert short.share < 0.5
    assert short.usual > short.orders


def test_a_silence_that_was_told_is_no_shortfall_afterwards() -> None:
    counts = shop(14)
    past = OrderCounts(counts.begin, counts.orders[: 87 * DAY], counts.revenue[: 87 * DAY])
    found, begin = rhythm(past), 87 * DAY + 10 * 12
    orders = counts.orders.copy()
    orders[begin : begin + 24] = 0
    gone = upto(replace(counts, orders=orders), begin + 40)
    judged = judge_steps(found, gone, never)
    assert judged.silent.any()
    assert not judged.low(found)[-10:].any()


def test_a_day_without_any_order_is_perhaps_a_day_off_where_there_were_some() -> None:
    counts = shop(14)
    orders = counts.orders.copy()
    orders[60 * DAY : 61 * DAY] = 0
    orders[87 * DAY :] = 0
    gone = replace(counts, orders=orders)
    past = OrderCounts(counts.begin, orders[: 87 * DAY], counts.revenue[: 87 * DAY])
    told = judge(rhythm(past), upto(gone, 87 * DAY + 10 * 12), never).silence
    assert told is not None
    assert told.perhaps_closed
    day = (counts.begin + timedelta(days=87)).date()
    known = judge(rhythm(past), upto(gone, 87 * DAY + 10 * 12), lambda each: each == day)
    assert known.silence is None


@pytest.mark.parametrize("weeks", [0, 7])
def test_a_young_shop_is_not_judged(weeks: int) -> None:
    assert learn(shop(weeks), LONDON, RULES) is None


def test_a_shop_that_never_sold_is_not_judged() -> None:
    counts = shop(20)
    assert learn(replace(counts, orders=np.zeros_like(counts.orders)), LONDON, RULES) is None


def test_hours_that_a_clock_has_twice_are_not_judged() -> None:
    counts = shop(14)
    past = OrderCounts(counts.begin, counts.orders[: 87 * DAY], counts.revenue[: 87 * DAY])
    gone = upto(silent_from(counts, 87 * DAY + 144), 87 * DAY + 180)
    unclear = np.zeros(len(gone.orders), dtype=bool)
    unclear[-36:] = True
    found = rhythm(past)
    assert judge(found, gone, never).silence is not None
    assert judge(found, replace(gone, unclear=unclear), never).silence is None


# Limits


def test_the_gaps_of_independent_orders_pass_the_limit_so_often_as_the_budget_says() -> None:
    random = np.random.default_rng(5)
    limit = by_chance_alone(1000, 1 / 13)
    weeks = 4000
    longer = sum(int((random.exponential(size=1000) > limit).sum()) for _ in range(weeks))
    assert longer / weeks == pytest.approx(1 / 13, rel=0.2)


def test_the_tail_of_the_past_is_carried_on_to_the_budget() -> None:
    random = np.random.default_rng(6)
    limits = [beyond_chance(random.exponential(2.0, 180) + 5, 7, 1 / 13, 0.0) for _ in range(200)]
    # Once in 91 days: 5 + 2 ln 91.
    assert np.median(np.array(limits, dtype=float)) == pytest.approx(5 + 2 * np.log(91), rel=0.06)


def test_of_few_days_nothing_is_carried_on() -> None:
    assert beyond_chance(np.ones(10), 7, 0.1) is None


def test_surprise_is_what_was_expected_when_nothing_came_and_nothing_when_more_did() -> None:
    told = surprise(np.array([0.0, 3.0, 12.0]), np.array([9.0, 9.0, 9.0]))
    assert told == pytest.approx([9.0, 3 * np.log(1 / 3) + 6, 0.0])


def test_silences_count_from_the_middle_of_the_last_order_s_step() -> None:
    told = silences(np.array([1.0, 0.0, 0.0, 1.0]), np.full(4, 2.0))
    assert told == pytest.approx([0.0, 3.0 * 26 / 27, 5.0 * 26 / 27, 0.0])


# Spans


def test_two_readings_are_one_and_the_later_one_counts() -> None:
    past, recent = shop(1), shop(1, seed=4, begin=MONDAY + timedelta(days=6))
    whole = joined(past, recent)
    assert (whole.begin, whole.end) == (past.begin, recent.end)
    assert whole.orders[: 6 * DAY] == pytest.approx(past.orders[: 6 * DAY])
    assert whole.orders[6 * DAY :] == pytest.approx(recent.orders)


def test_what_is_usual_between_instants_counts_steps_in_part() -> None:
    def one_each(begin: datetime, steps: int, closed: object) -> Floats:
        return np.ones(steps)

    begin = MONDAY + timedelta(minutes=2)
    assert sum_between(one_each, begin, begin + timedelta(minutes=10)) == pytest.approx(2.0)
    assert sum_between(one_each, begin, begin + timedelta(minutes=1)) == pytest.approx(0.2)


def test_days_of_a_date() -> None:
    assert shop(1).days_with_orders(LONDON) == {date(2026, 3, day) for day in range(2, 7)}
