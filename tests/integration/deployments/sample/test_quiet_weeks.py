"""The sample's real sales, four weeks of them, looked at as they came in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from agents.data_intelligence.anomaly_detection.orders.judging import judge_steps
from agents.data_intelligence.anomaly_detection.orders.rhythm import LOOK_BEHIND, learn, never
from blocks.business.business import Business
from blocks.policy.watching.trade_rules import TradeRules
from blocks.settings import Settings
from blocks.store.hours.counts import BIN, OrderCounts
from deployments.sample.business import prepare
from deployments.sample.store import TIMEZONE

LONDON = ZoneInfo(TIMEZONE)


async def test_four_quiet_weeks_of_the_sample_raise_no_alarm(tmp_path: Path) -> None:
    """Each step of each day, by what was known the midnight before."""
    end = date(2026, 11, 28)
    sample = prepare(tmp_path, Settings(sample_port=40_000), end)
    store = Business.from_toml(sample.business_file).store
    assert store is not None
    rules, days = TradeRules(), 28
    until = datetime.combine(end, time(), UTC)
    past = timedelta(weeks=rules.past_weeks)
    every = await store.count_orders(until - past - timedelta(days=days), until, seconds=100)
    day = round(timedelta(days=1) / BIN)
    behind = round(LOOK_BEHIND / BIN)
    told = 0

    def part(first: int, last: int) -> OrderCounts:
        return OrderCounts(
            every.begin + first * BIN, every.orders[first:last], every.revenue[first:last]
        )

    for number in range(days):
        midnight = round(past / BIN) + number * day
        rhythm = learn(part(midnight - round(past / BIN), midnight), LONDON, rules)
        assert rhythm is not None
        judged = judge_steps(rhythm, part(midnight - behind, midnight + day), never)
        told += int(judged.silent[behind:].sum() + judged.low(rhythm)[behind:].sum())
    assert every.orders[-days * day :].sum() > 1500
    assert told == 0
