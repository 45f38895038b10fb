"""What the last trading day is told in: figures with what was expected, series, unusual days."""

from __future__ import annotations

from datetime import date
from typing import Literal

from agents.data_intelligence.result import Result
from blocks.models import Strict
from blocks.vocabulary.amounts import Amounts

Unit = Literal["money", "orders", "units", "share", "days"]


class Metric(Strict):
    """One figure of the last trading day.

    Attributes:
        name: Dashed name.
        label: Name for people.
        unit: ``money``, ``orders``, ``units``, ``share`` or ``days``.
        value: The day's value.
        expected: Median of the eight same weekdays before; None with fewer than four, or when
            it is zero.
        low: Lower end of the usual band, ``expected * exp(-3 spread)``; None without a spread.
        high: Upper end of the usual band.
        change_percent: Value against expected.
        score: Robust z-score ``log(value / expected) / spread``.
        unusual: Whether the score is beyond ±3.
    """

    name: str
    label: str
    unit: Unit
    value: float
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    change_percent: float | None = None
    score: float | None = None
    unusual: bool = False


class DayPoint(Strict):
    """One trading day of a chart: its value and the band expected from the days before it."""

    day: date
    value: float
    expected: float | None
    low: float | None
    high: float | None


class UnusualDay(Strict):
    """A figure of one day outside its usual band."""

    day: date
    metric: str
    label: str
    value: float
    expected: float
    change_percent: float
    score: float


class DailyMetrics(Result):
    """The last trading day in figures.

    Attributes:
        day: The last completed trading day.
        weekday: Its English name.
        metrics: revenue, orders, units, basket, units-per-order, return-rate, stock-cover (the
            last only when the snapshot has stock).
        revenue_series: Last eight weeks of daily revenue, oldest first.
        orders_series: Last eight weeks of daily orders.
        typical_revenue_per_trading_day: Median of the last eight weeks, in money.
        typical_revenue_per_day: The same per calendar day: times the share of days on which
            the shop trades. Multiply a share of revenue with it to get money per day.
        amounts: What is in the money: tax, discounts, refunds, shipping.
        missing: What could not be computed, and why.
    """

    day: date
    weekday: str
    metrics: list[Metric]
    revenue_series: list[DayPoint]
    orders_series: list[DayPoint]
    typical_revenue_per_trading_day: float
    typical_revenue_per_day: float
    amounts: Amounts
    missing: list[str]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name."""
        return next((m for m in self.metrics if m.name == name), None)
