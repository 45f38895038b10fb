"""Demand per SKU: a level that follows it, a week that shapes it, errors that measure it.

The weekly level is TSB (Teunter, Syntetos and Babai 2011, EJOR 214:606), which handles fast
sellers and intermittent ones with the same two equations, and lets an item that stopped selling
fade out. The spread is not assumed: the model is run over its own past, and the errors of the
same horizon, scaled by each SKU's own dispersion, are the distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.spread import (
    Backtest,
    Spread,
    poisson_spread,
    pooled_spread,
)
from agents.data_intelligence.predictive_analytics.unit_sales import RECENT_WEEKS, UnitSales
from agents.data_intelligence.trading_calendar import TradingCalendar, completed
from agents.statistics import Floats, row_medians

SIZE_SMOOTHING = 0.2
CHANCE_SMOOTHING = 0.2
"""Weights of the newest week in TSB's two averages. With 0.2 and 0.2 the forecast of two years of
a real shop's weekly sales had the least absolute error of the settings tried
(docs/data-intelligence.md)."""

WILD = 10.0
"""A week counts for at most this many times the SKU's median selling week: one wholesale order
must not feed the forecast for a quarter."""

WARM_UP = 13
"""Weeks from an SKU's first sale that only set its starting values."""

TYPICAL_WEEKS = 52
"""Weeks up to a week over whose selling weeks the median is taken."""

ORIGINS = RECENT_WEEKS
"""Weekly starting points of the backtest; where a horizon is no whole weeks, days are needed."""

RECENT_LEVELS = ORIGINS + 14
"""Levels that are kept: enough to test a quarter's horizon, and a third of two years' levels."""

PRIOR_ORIGINS = 8
"""How many backtest errors of its own an SKU needs to weigh as much as all SKUs together."""

LEAST_FORECAST = 0.05
"""Units over the horizon by which an error is measured at least. A dead item's forecast fades to
millionths of a unit: measured by them, one that sells again would blow up all slow sellers'."""

LEAST_ERRORS = 20
"""Fewer backtest errors than this, over all SKUs, do not make a 95th percentile."""

OPEN_WEEK = 0.5
"""A week with less than this share of its usual trading (Christmas) says nothing of the level."""

_TOGETHER = 2_000  # SKUs that are worked on at a time: their weeks fit into the processor's cache


class DemandModel:
    """The demand of some SKUs, learned from their daily sales.

    Args:
        sales: SALES frame; rows on or after ``today`` are ignored.
        calendar: When the shop trades.
        today: First day to forecast.
        skus: One row each, in this order, in everything the model returns.

    Attributes:
        skus: As given.
        weeks: Whole weeks of history, counted back from yesterday.
        week_share: Share of a week's demand on Monday, ..., Sunday; sums to 1.
    """

    def __init__(
        self, sales: pd.DataFrame, calendar: TradingCalendar, today: date, skus: list[str]
    ) -> None:
        self.skus = skus
        self.today = today
        past = completed(sales, today)
        self._sales = UnitSales.of(past, skus, today, min(calendar.traded) if len(past) else None)
        self.weeks = self._sales.weeks
        self.week_share = _week_share(self._sales, calendar, today)
        self._open_share = self._day_shares(calendar)
        self._first_week = self._sales.first_week
        self._recent_levels = self._run_tsb(RECENT_LEVELS)

    @cached_property
    def levels(self) -> Floats:
        """TSB level in units per full week, at the start of each week and after the last."""
        return self._run_tsb(self.weeks + 1)

    @property
    def level(self) -> Floats:
        """TSB level now, in units per full week."""
        return self._recent_levels[:, -1]

    @property
    def sells(self) -> NDArray[np.bool_]:
        """Which SKUs sold at all."""
        return self._first_week < self.weeks

    @property
    def units(self) -> UnitSales:
        """The sales it learned from."""
        return self._sales

    @property
    def first_week(self) -> NDArray[np.intp]:
        """Week of each SKU's first sale; the number of weeks when there is none."""
        return self._first_week

    @property
    def open_days(self) -> Floats:
        """Each past day's share of a usual week's demand; 0 in a closure: ``7 * weeks`` days."""
        return self._open_share

    def mean(self, days: int) -> Floats:
        """Expected units over the next ``days`` calendar days, per SKU."""
        return self.level * self._share_of_week(days)

    def spread(self, days: int) -> Spread:
        """Distribution of the total demand over the next ``days`` calendar days."""
        mean, tested = self.mean(days), self._tested(days)
        # All errors at once would be in memory many times over: some SKUs at a time.
        parts = [slice(at, at + _TOGETHER) for at in range(0, len(mean), _TOGETHER)]
        valid = np.concatenate([tested(some).valid for some in parts])
        count = valid.sum(axis=1)
        if count.sum() < LEAST_ERRORS:
            return poisson_spread(mean)
        # Dispersion index: squared error per unit of forecast, shrunk to that of all SKUs.
        squares, forecast = np.zeros(len(mean)), np.zeros(len(mean))
        for some in parts:
            test = tested(some)
            squares[some] = (test.error**2).sum(axis=1)
            forecast[some] = np.where(test.valid, test.at_least(LEAST_FORECAST), 0.0).sum(axis=1)
        pooled = squares.sum() / forecast.sum()
        own = squares / np.maximum(forecast, LEAST_FORECAST)
        dispersion = (count * own + PRIOR_ORIGINS * pooled) / (count + PRIOR_ORIGINS)
        scaled = np.zeros(valid.shape)
        for some in parts:
            test = tested(some)
            size = np.sqrt(dispersion[some, None] * test.at_least(LEAST_FORECAST))
            np.divide(-test.error, size, out=scaled[some], where=size > 0)
        return pooled_spread(mean, np.sqrt(dispersion * mean), scaled, valid)

    def backtest(self, days: int) -> Backtest:
        """Forecasts over ``days`` days from each of the last weeks that leave room for them.

        Closures are taken as known: the shop plans them.
        """
        return self._tested(days)(slice(None))

    def _tested(self, days: int) -> Callable[[slice], Backtest]:
        """The backtest of some SKUs."""
        last = (7 * self.weeks - days) // 7
        origins = np.arange(max(1, last - ORIGINS + 1), last + 1)
        opened = np.concatenate([[0.0], np.cumsum(self._open_share)])
        share = opened[7 * origins + days] - opened[7 * origins]
        first = int(origins[0]) if len(origins) else self.weeks
        known_from = self.weeks + 1 - self._recent_levels.shape[1]
        levels = (
            self._recent_levels[:, first - known_from :]
            if first >= known_from
            else self.levels[:, first:]
        )
        actual = (
            self._sales.totals(first, len(origins), days)
            if len(origins)
            else np.zeros((len(self.skus), 0))
        )

        def tested(some: slice) -> Backtest:
            return Backtest(
                levels[some, : len(origins)] * share,
                actual[some],
                origins[None, :] >= self._first_week[some, None] + WARM_UP,
            )

        return tested

    def _share_of_week(self, days: int) -> float:
        weekdays = (self.today.weekday() + np.arange(days)) % 7
        return float(self.week_share[weekdays].sum())

    def _day_shares(self, calendar: TradingCalendar) -> Floats:
        """Each past day's share of a week's demand; 0 in a closure and before the first day."""
        start = self.today - timedelta(days=7 * self.weeks)
        shares = self.week_share[(start.weekday() + np.arange(7 * self.weeks)) % 7]
        shares[: max((min(calendar.traded) - start).days, 0)] = 0.0
        for closure in calendar.closures:
            first = max((closure.first - start).days, 0)
            shares[first : max((closure.last - start).days + 1, 0)] = 0.0
        return shares

    def _run_tsb(self, most: int) -> Floats:
        """The last ``most`` of the levels."""
        open_share = self._open_share.reshape(self.weeks, 7).sum(axis=1)
        usable = open_share >= min(OPEN_WEEK, open_share.max())
        scale = np.where(usable & (open_share > 0), open_share, 1.0)
        levels = np.zeros((len(self.skus), min(most, self.weeks + 1)))
        for at in range(0, len(self.skus), _TOGETHER):
            some = slice(at, at + _TOGETHER)
            weekly = tame(self._sales.weekly[some] / scale)
            levels[some] = _tsb(weekly, self._first_week[some], usable)[:, -most:]
        return levels


def _tsb(weekly: Floats, first: NDArray[np.intp], usable: NDArray[np.bool_]) -> Floats:
    """Level at the start of each week and after the last: one row per SKU."""
    weeks = weekly.shape[1]
    levels = np.zeros((len(weekly), weeks + 1))
    size, chance = _starting_values(weekly, first)
    for week in range(weeks):
        if usable[week]:
            demand = weekly[:, week]
            sold = demand > 0
            known = week > first
            size = np.where(known & sold, size + SIZE_SMOOTHING * (demand - size), size)
            chance = np.where(known, chance + CHANCE_SMOOTHING * (sold - chance), chance)
        levels[:, week + 1] = np.where(week >= first, size * chance, 0.0)
    return levels


def _week_share(sales: UnitSales, calendar: TradingCalendar, today: date) -> Floats:
    """Weekday shares of the shop's units over the last half year.

    Less than four weeks say little of weekdays: then every trading day counts the same.
    """
    shares = np.array(calendar.probabilities)
    if sales.weeks >= 4:
        learned = sales.by_weekday(today)
        shares = learned if learned.any() else shares
    return np.asarray(shares / shares.sum(), dtype=float)


def tame(weekly: Floats) -> Floats:
    """Cap each week at WILD times the median of its SKU's selling weeks in the year up to it.

    The median of millions of windows takes long, and few weeks are wild: it is only taken where
    half of the window's weeks, or more, are that much smaller.
    """
    selling = np.where(weekly > 0, weekly, np.inf)
    row, week = np.nonzero(weekly > WILD * selling.min(axis=1, keepdims=True))
    year = sliding_window_view(
        np.pad(selling, ((0, 0), (TYPICAL_WEEKS - 1, 0)), constant_values=np.inf),
        TYPICAL_WEEKS,
        axis=1,
    )[row, week]
    smaller = (WILD * year < weekly[row, week, None]).sum(axis=1)
    wild = 2 * smaller >= np.isfinite(year).sum(axis=1)
    row, week = row[wild], week[wild]
    capped = weekly.copy()
    capped[row, week] = np.minimum(weekly[row, week], WILD * row_medians(year[wild]))
    return capped


def _starting_values(weekly: Floats, first: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean size of the selling weeks, and their share, over the weeks of the warm-up."""
    week = np.arange(weekly.shape[1])
    warm = (week >= first[:, None]) & (week < first[:, None] + WARM_UP)
    count = np.maximum(warm.sum(axis=1), 1)
    sold = (warm & (weekly > 0)).sum(axis=1)
    size = np.where(warm, weekly, 0.0).sum(axis=1) / np.maximum(sold, 1)
    return size, sold / count
