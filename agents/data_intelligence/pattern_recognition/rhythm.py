"""Whither revenue goes, and how it varies over the week."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from agents.data_intelligence.trading_calendar import (
    WEEKDAYS,
    TradingCalendar,
    TradingHistory,
    since,
    weekdays,
)
from agents.statistics import Floats, Slope, change_percent, theil_sen
from blocks.models import Strict

TREND_WEEKS = 26
"""Weeks that the trend looks at."""

MIN_TREND_WEEKS = 8


class Trend(Strict):
    """Where weekly revenue is going.

    Attributes:
        direction: ``rising`` or ``falling`` when the interval excludes zero, else ``flat``.
        percent_per_week: Theil-Sen slope of log weekly revenue, as a percentage.
        low: Lower limit of its 95% interval.
        high: Upper limit.
        weeks: Weeks it rests on.
        year_on_year_percent: The last 13 weeks against the same weeks a year (364 days) ago;
            None with less history.
    """

    direction: Literal["rising", "falling", "flat"]
    percent_per_week: float
    low: float
    high: float
    weeks: int
    year_on_year_percent: float | None


class WeekdayProfile(Strict):
    """What one weekday usually brings.

    Attributes:
        weekday: English name.
        trades: Chance that the shop trades on it (0 to 1).
        index: Median revenue against the median trading day's (1 = average); None when the
            shop does not trade on it.
    """

    weekday: str
    trades: float
    index: float | None


class Seasonality(Strict):
    """The weekly rhythm.

    Attributes:
        strength: 0 (weekdays tell nothing) to 1 (they tell all): ``1 - Var(remainder) /
            Var(seasonal + remainder)`` of log revenue (Hyndman and Athanasopoulos, FPP3 4.3);
            None with less than four weeks.
        weekdays: Monday first.
        days_per_week: Trading days in a usual week.
    """

    strength: float | None
    weekdays: list[WeekdayProfile]
    days_per_week: float


def revenue_trend(history: TradingHistory) -> Trend | None:
    """Robust trend of weekly revenue; None with less than eight usable weeks."""
    weekly = weekly_revenue(history)
    recent = weekly[-TREND_WEEKS:]
    usable = np.flatnonzero(recent > 0)
    if len(usable) < MIN_TREND_WEEKS:
        return None
    slope = theil_sen(np.log(recent[usable]), usable)
    low, value, high = (100 * float(np.expm1(s)) for s in (slope.low, slope.value, slope.high))
    direction = _direction(slope)
    return Trend(
        direction=direction,
        percent_per_week=value,
        low=low,
        high=high,
        weeks=len(usable),
        year_on_year_percent=_year_on_year(weekly),
    )


def weekly_revenue(history: TradingHistory) -> Floats:
    """Net revenue of each whole week, counted back from yesterday, oldest first.

    A week with closed days is scaled up to a full one; NaN where less than half of a usual
    week was open.
    """
    calendar = history.calendar
    start = min(calendar.traded)
    weeks = (history.today - start).days // 7
    week = ((pd.Timestamp(history.today) - history.orders["date"]).dt.days - 1) // 7
    totals = history.orders.groupby(week)["revenue"].sum().reindex(range(weeks), fill_value=0.0)
    opened = np.array([_open_days(calendar, history.today, w) for w in range(weeks)])
    usual = calendar.days_per_week
    scale = np.where(opened >= 0.5 * usual, usual / np.maximum(opened, 1e-9), np.nan)
    return np.asarray((totals.to_numpy() * scale)[::-1], dtype=float)


def _open_days(calendar: TradingCalendar, today: date, weeks_ago: int) -> float:
    days = [today - timedelta(days=7 * weeks_ago + i) for i in range(1, 8)]
    return sum(calendar.probability(day) for day in days if not calendar.closed(day))


def _year_on_year(weekly: Floats) -> float | None:
    if len(weekly) < 65:
        return None
    now, before = weekly[-13:], weekly[-65:-52]
    both = (now > 0) & (before > 0)
    return change_percent(float(now[both].sum()), float(before[both].sum())) if both.any() else None


def _direction(slope: Slope) -> Literal["rising", "falling", "flat"]:
    if not slope.significant:
        return "flat"
    return "rising" if slope.value > 0 else "falling"


def seasonality(history: TradingHistory) -> Seasonality:
    """The weekly rhythm of the last half year."""
    recent = since(history.orders, history.today - timedelta(days=182))
    revenue = recent.set_index("date")["revenue"]
    typical = float(revenue.median()) if len(revenue) else 0.0
    medians = revenue.groupby(weekdays(revenue)).median()
    chances = history.calendar.probabilities
    profile = [
        WeekdayProfile(
            weekday=name,
            trades=chances[i],
            index=float(medians[i]) / typical if i in medians.index and typical > 0 else None,
        )
        for i, name in enumerate(WEEKDAYS)
    ]
    return Seasonality(
        strength=_seasonal_strength(revenue),
        weekdays=profile,
        days_per_week=history.calendar.days_per_week,
    )


def _seasonal_strength(revenue: pd.Series[float]) -> float | None:
    """Of log revenue less its running median over about two weeks, with medians per weekday."""
    logs = revenue[revenue > 0].apply(np.log)
    if len(logs) < 20:
        return None
    level = logs.rolling(11, center=True, min_periods=6).median()
    detrended = logs - level
    seasonal = detrended.groupby(weekdays(detrended)).transform("median")
    whole = float(np.var(detrended))
    if whole == 0:
        return 0.0
    return max(0.0, 1 - float(np.var(detrended - seasonal)) / whole)
