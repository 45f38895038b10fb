"""What the sales look like: who sells, how concentrated, whither, and on which weekdays."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.result import Part, Result
from agents.data_intelligence.robust import Floats, Slope, change_percent, theil_sen
from agents.data_intelligence.trading_calendar import (
    WEEKDAYS,
    TradingCalendar,
    TradingHistory,
    completed,
    weekdays,
)
from blocks.findings import Finding
from blocks.frames import Snapshot
from blocks.messages import Severity

RECENT_DAYS = 91
"""Sellers and ABC classes are of the last quarter (13 whole weeks)."""

TREND_WEEKS = 26
"""Weeks that the trend looks at."""

MIN_TREND_WEEKS = 8
CLASS_LIMITS = (("A", 0.80), ("B", 0.95), ("C", 1.0))
"""Class A makes the first 80% of revenue, B the next 15%, C the rest."""


class Seller(Part):
    """An SKU among the best.

    Attributes:
        sku: The SKU.
        name: Its product's name; the SKU when there is no product.
        revenue: Net revenue of the period.
        units: Units sold in the period.
        share: Share of all revenue (0 to 1).
        abc: Its ABC class.
        change_percent: Revenue against the period before; None when it sold nothing then.
    """

    sku: str
    name: str
    revenue: float
    units: float
    share: float
    abc: str
    change_percent: float | None


class AbcClass(Part):
    """One class of the ABC analysis: how many SKUs make how much of revenue and units."""

    name: str
    skus: int
    revenue_share: float
    units_share: float


class Trend(Part):
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


class WeekdayProfile(Part):
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


class Seasonality(Part):
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


class Patterns(Result):
    """What sells and how it moves.

    Attributes:
        first: First day of the period of sellers and classes.
        last: Its last day (yesterday in the store's time zone).
        trading_days: Trading days in it.
        revenue: Net revenue in it.
        units: Units sold in it.
        orders: Orders in it.
        selling_skus: SKUs that sold in it.
        top_by_revenue: Best first.
        top_by_units: Best first.
        abc: Classes A, B, C by revenue.
        top_tenth_share: Revenue share of the best tenth of the selling SKUs.
        gini: Gini coefficient of revenue over the selling SKUs (0 equal, 1 one takes all).
        trend: None with less than eight weeks of sales.
        seasonality: The weekly rhythm.
    """

    first: date
    last: date
    trading_days: int
    revenue: float
    units: float
    orders: float
    selling_skus: int
    top_by_revenue: list[Seller]
    top_by_units: list[Seller]
    abc: list[AbcClass]
    top_tenth_share: float
    gini: float
    trend: Trend | None
    seasonality: Seasonality


@action()
def find_patterns(snapshot: Snapshot, now: datetime, top: int = 10) -> Patterns:
    """Find what sells, how concentrated sales are, their trend and their weekly rhythm.

    Args:
        snapshot: Needs ``sales`` and ``orders``; ``products`` gives names.
        now: Days before the store's date at this instant count.
        top: Length of the lists of best sellers.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet.
    """
    (sales,) = snapshot.need("sales")
    history = TradingHistory.of(snapshot, now)
    first = history.today - timedelta(days=RECENT_DAYS)
    orders = _since(history.orders, first)
    table = _by_sku(completed(sales, history.today), first, snapshot)
    trend = revenue_trend(history)
    return Patterns(
        first=first,
        last=history.today - timedelta(days=1),
        trading_days=len(orders),
        revenue=float(orders["revenue"].sum()),
        units=float(orders["units"].sum()),
        orders=float(orders["orders"].sum()),
        selling_skus=int((table["revenue"] > 0).sum()),
        top_by_revenue=_sellers(table, "revenue", top),
        top_by_units=_sellers(table, "units", top),
        abc=_classes(table),
        top_tenth_share=_top_tenth_share(table["revenue"]),
        gini=_gini(table["revenue"]),
        trend=trend,
        seasonality=_seasonality(history),
        findings=_trend_findings(trend, history),
    )


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


def _since(frame: pd.DataFrame, first: date) -> pd.DataFrame:
    return frame[frame["date"] >= pd.Timestamp(first)]


def _by_sku(sales: pd.DataFrame, first: date, snapshot: Snapshot) -> pd.DataFrame:
    """One row per SKU sold in the period, best first: sums, share, class, the period before."""
    recent = _since(sales, first).groupby("sku")[["units", "revenue"]].sum()
    before = sales[sales["date"] < pd.Timestamp(first)]
    before = _since(before, first - timedelta(days=RECENT_DAYS))
    table = recent.sort_values(["revenue", "units"], ascending=False, kind="stable")
    earned = table["revenue"].clip(lower=0)
    total = earned.sum()
    table["share"] = earned / total if total > 0 else 0.0
    # An SKU belongs to the class in which its share of the cumulated revenue begins.
    begins = table["share"].cumsum() - table["share"]
    limits = [limit for _, limit in CLASS_LIMITS[:-1]]
    table["abc"] = np.array([n for n, _ in CLASS_LIMITS])[
        np.searchsorted(limits, begins.to_numpy() + 1e-12)
    ]
    table["before"] = before.groupby("sku")["revenue"].sum().reindex(table.index).fillna(0.0)
    table["name"] = table.index
    if "products" in snapshot.frames:
        names = snapshot.frames["products"].set_index("sku")["name"]
        table["name"] = names.reindex(table.index).fillna(table["name"])
    return table


def _sellers(table: pd.DataFrame, by: str, top: int) -> list[Seller]:
    best = table.sort_values(by, ascending=False, kind="stable").head(top)
    return [
        Seller(
            sku=str(sku),
            name=str(row["name"]),
            revenue=float(row["revenue"]),
            units=float(row["units"]),
            share=float(row["share"]),
            abc=str(row["abc"]),
            change_percent=change_percent(float(row["revenue"]), max(float(row["before"]), 0.0)),
        )
        for sku, row in best.iterrows()
    ]


def _classes(table: pd.DataFrame) -> list[AbcClass]:
    units = table["units"].sum()
    return [
        AbcClass(
            name=name,
            skus=len(members),
            revenue_share=float(members["share"].sum()),
            units_share=float(members["units"].sum() / units) if units > 0 else 0.0,
        )
        for name, _ in CLASS_LIMITS
        for members in [table[table["abc"] == name]]
    ]


def _top_tenth_share(revenue: pd.Series[float]) -> float:
    earned = np.sort(revenue[revenue > 0].to_numpy())[::-1]
    if not earned.size:
        return 0.0
    return float(earned[: -(-earned.size // 10)].sum() / earned.sum())


def _gini(revenue: pd.Series[float]) -> float:
    earned = np.sort(revenue[revenue > 0].to_numpy())
    n = earned.size
    if n < 2:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ earned / (n * earned.sum()))


def _seasonality(history: TradingHistory) -> Seasonality:
    recent = _since(history.orders, history.today - timedelta(days=182))
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


def _trend_findings(trend: Trend | None, history: TradingHistory) -> list[Finding]:
    """A falling trend is worth knowing; it does not say what it costs."""
    if trend is None or trend.direction != "falling":
        return []
    return [
        Finding(
            kind="revenue-falling",
            resource="metric:revenue",
            severity=Severity.WARNING,
            title=(
                f"Weekly revenue has been falling by {-trend.percent_per_week:.1f}% a week "
                f"over {trend.weeks} weeks."
            ),
            evidence=trend.model_dump(),
            advice="Look at the best sellers that lost most, and at what changed in the shop.",
        )
    ]
