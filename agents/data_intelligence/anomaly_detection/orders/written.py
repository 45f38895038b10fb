"""What is written down of a shop's orders: what came in an hour, and what is usual in one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from agents.data_intelligence.anomaly_detection.orders.rhythm import Rhythm
from agents.data_intelligence.takings import AHEAD, HOUR, USUAL_ORDERS, USUAL_REVENUE, usual_series
from blocks.store.hours.counts import BIN, OrderCounts
from blocks.vocabulary.looks import Sample

SETTLED = timedelta(hours=1)
"""An hour is written down when it has been over for so long: lines may come late."""

_STEPS = int(HOUR / BIN)


def usual_hours(
    store: str, rhythm: Rhythm, now: datetime, closed: Collection[date]
) -> list[Sample]:
    """What is usual in each hour of the days to come; see ``takings``."""
    begin = _hour(now)
    hours = int(AHEAD / HOUR)
    orders = rhythm.expected(begin, hours * _STEPS, closed.__contains__)
    money = rhythm.earned(begin, hours * _STEPS, closed.__contains__)
    return [
        Sample(series=usual_series(store, what), at=begin + n * HOUR, value=float(value))
        for what, values in ((USUAL_ORDERS, orders), (USUAL_REVENUE, money))
        for n, value in enumerate(values.reshape(hours, _STEPS).sum(axis=1))
    ]


def actual_hours(store: str, counts: OrderCounts, now: datetime) -> list[Sample]:
    """What came in each of the last day's hours that are over."""
    end = min(_hour(now - SETTLED), _hour(counts.end))
    begin = max(_hour(counts.begin + HOUR - BIN), end - timedelta(days=1))
    samples = []
    while begin < end:
        at = (begin - counts.begin) // BIN
        for what, values in (
            ("orders_per_hour", counts.orders),
            ("revenue_per_hour", counts.revenue),
        ):
            value = float(values[at : at + _STEPS].sum())
            samples.append(Sample(series=usual_series(store, what), at=begin, value=value))
        begin += HOUR
    return samples


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
