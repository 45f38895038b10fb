"""Demand per SKU: a level that follows it, a week that shapes it, errors that measure it.

The weekly level is TSB (Teunter, Syntetos and Babai 2011, EJOR 214:606), which handles fast
sellers and intermittent ones with the same two equations, and lets an item that stopped selling
fade out. The spread is not assumed: the model is run over its own past, and the errors of the
same horizon, scaled by each SKU's own dispersion, are the distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.trading_calendar import TradingCalendar
from agents.statistics import Floats

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

ORIGINS = 26
"""Weekly starting points of the backtest."""

PRIOR_ORIGINS = 8
"""How many backtest errors of its own an SKU needs to weigh as much as all SKUs together."""

LEAST_FORECAST = 0.05
"""Units over the horizon by which an error is measured at least. A dead item's forecast fades to
millionths of a unit: measured by them, one that sells again would blow up all slow sellers'."""

LEAST_ERRORS = 20
"""Fewer backtest errors than this, over all SKUs, do not make a 95th percentile."""

OPEN_WEEK = 0.5
"""A week with less than this share of its usual trading (Christmas) says nothing of the level."""


@dataclass(frozen=True)
class Spread:
    """Distribution of total demand over a horizon, one row per SKU.

    Attributes:
        mean: Forecast total, in units.
        scale: Typical size of its error, in units.
        errors: Error in scales, sorted: one column per group of SKUs of similar demand.
        group: Column of ``errors`` of each SKU.
    """

    mean: Floats
    scale: Floats
    errors: list[Floats]
    group: NDArray[np.intp]

    def quantile(self, p: float) -> Floats:
        """Units that demand does not exceed with probability ``p``; never below zero."""
        at = np.array([np.quantile(errors, p) for errors in self.errors])
        return np.asarray(np.maximum(self.mean + self.scale * at[self.group], 0.0))

    def exceeds(self, units: Floats) -> Floats:
        """Probability that demand is greater than ``units``."""
        return np.array([(self._demand(i) > u).mean() for i, u in enumerate(units)])

    def shortage(self, units: Floats) -> Floats:
        """Expected demand beyond ``units``, in units; of a demand whose mean is the forecast."""
        return np.array([self._shortage(i, u) for i, u in enumerate(units)])

    def _shortage(self, i: int, units: float) -> float:
        demand = self._demand(i)
        # The backtest's errors need not average to nothing; what is lost never exceeds the
        # forecast that is shown beside it.
        factor = self.mean[i] / demand.mean() if demand.mean() > 0 else 0.0
        return float(np.maximum(factor * demand - units, 0.0).mean())

    def rows(self, rows: list[int]) -> Spread:
        """The same for some of the SKUs."""
        return Spread(self.mean[rows], self.scale[rows], self.errors, self.group[rows])

    def _demand(self, i: int) -> Floats:
        demand = self.mean[i] + self.scale[i] * self.errors[self.group[i]]
        return np.asarray(np.maximum(demand, 0.0))


@dataclass(frozen=True)
class Backtest:
    """Forecast and actual totals over one horizon: one row per SKU, one column per origin.

    ``valid`` leaves out origins before the SKU had a history.
    """

    forecast: Floats
    actual: Floats
    valid: NDArray[np.bool_]

    @cached_property
    def error(self) -> Floats:
        """Forecast minus actual, zero where it does not count."""
        return np.asarray(np.where(self.valid, self.forecast - self.actual, 0.0))

    @cached_property
    def demand(self) -> Floats:
        """Total actual demand per SKU."""
        return np.asarray(np.where(self.valid, self.actual, 0.0).sum(axis=1))


class DemandModel:
    """The demand of some SKUs, learned from their daily sales.

    Args:
        sales: SALES frame; rows on or after ``today`` are ignored.
        calendar: When the shop trades.
        today: First day to forecast.
        skus: One row each, in this order, in everything the model returns.

    Attributes:
        skus: As given.
        daily: Net units per SKU and day: sold minus returned the same day, so that an order and
            its cancellation vanish; at least 0. The last column is yesterday.
        levels: TSB level in units per full week, at the start of each week and after the last.
        week_share: Share of a week's demand on Monday, ..., Sunday; sums to 1.
    """

    def __init__(
        self, sales: pd.DataFrame, calendar: TradingCalendar, today: date, skus: list[str]
    ) -> None:
        self.skus = skus
        self.today = today
        past = sales[sales["date"] < pd.Timestamp(today)]
        days = (pd.Timestamp(today) - past["date"].min()).days if len(past) else 7
        self.weeks = max(1, days // 7)  # whole weeks, counted back from yesterday
        self.daily = _daily_matrix(past, skus, today, 7 * self.weeks)
        self.week_share = _week_share(self.daily, calendar, today)
        self._open_share = self._day_shares(calendar)
        self._first_week = _first_week(self.daily)
        self.levels = self._run_tsb()

    @property
    def sells(self) -> NDArray[np.bool_]:
        """Which SKUs sold at all."""
        return self._first_week < self.weeks

    def mean(self, days: int) -> Floats:
        """Expected units over the next ``days`` calendar days, per SKU."""
        return self.levels[:, -1] * self._share_of_week(days)

    def spread(self, days: int) -> Spread:
        """Distribution of the total demand over the next ``days`` calendar days."""
        mean = self.mean(days)
        test = self.backtest(days)
        count = test.valid.sum(axis=1)
        if count.sum() < LEAST_ERRORS:
            return _poisson_spread(mean)
        # Dispersion index: squared error per unit of forecast, shrunk to that of all SKUs.
        least = np.maximum(test.forecast, LEAST_FORECAST)
        forecast = np.where(test.valid, least, 0.0)
        pooled = (test.error**2).sum() / forecast.sum()
        own = (test.error**2).sum(axis=1) / np.maximum(forecast.sum(axis=1), LEAST_FORECAST)
        dispersion = (count * own + PRIOR_ORIGINS * pooled) / (count + PRIOR_ORIGINS)
        scaled = -test.error / np.sqrt(dispersion[:, None] * least)
        return _pooled_spread(mean, np.sqrt(dispersion * mean), scaled, test)

    def backtest(self, days: int) -> Backtest:
        """Forecasts over ``days`` days from each of the last weeks that leave room for them.

        Closures are taken as known: the shop plans them.
        """
        last = (7 * self.weeks - days) // 7
        origins = np.arange(max(1, last - ORIGINS + 1), last + 1)
        totals = np.pad(np.cumsum(self.daily, axis=1), ((0, 0), (1, 0)))
        opened = np.concatenate([[0.0], np.cumsum(self._open_share)])
        start, end = 7 * origins, 7 * origins + days
        valid = origins[None, :] >= self._first_week[:, None] + WARM_UP
        return Backtest(
            forecast=self.levels[:, origins] * (opened[end] - opened[start]),
            actual=totals[:, end] - totals[:, start],
            valid=valid,
        )

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

    def _run_tsb(self) -> Floats:
        open_share = self._open_share.reshape(self.weeks, 7).sum(axis=1)
        usable = open_share >= min(OPEN_WEEK, open_share.max())
        weekly = self.daily.reshape(len(self.skus), self.weeks, 7).sum(axis=2)
        weekly = _tame(weekly / np.where(usable & (open_share > 0), open_share, 1.0))
        levels = np.zeros((len(self.skus), self.weeks + 1))
        size, chance = _starting_values(weekly, self._first_week)
        for week in range(self.weeks):
            if usable[week]:
                demand = weekly[:, week]
                sold = demand > 0
                known = week > self._first_week
                size = np.where(known & sold, size + SIZE_SMOOTHING * (demand - size), size)
                chance = np.where(known, chance + CHANCE_SMOOTHING * (sold - chance), chance)
            levels[:, week + 1] = np.where(week >= self._first_week, size * chance, 0.0)
        return levels


def _daily_matrix(past: pd.DataFrame, skus: list[str], today: date, days: int) -> Floats:
    matrix = np.zeros((len(skus), days))
    row = pd.Index(skus).get_indexer(pd.Index(past["sku"]))
    column = days - (pd.Timestamp(today) - past["date"]).dt.days.to_numpy()
    net = np.maximum((past["units"] - past["returned"]).to_numpy(), 0.0)
    inside = (row >= 0) & (column >= 0)
    np.add.at(matrix, (row[inside], column[inside]), net[inside])
    return matrix


def _week_share(daily: Floats, calendar: TradingCalendar, today: date) -> Floats:
    """Weekday shares of the shop's units over the last half year.

    One order of thousands of pieces would move a weekday, so each SKU counts with its square
    root. Less than four weeks say little of weekdays: then every trading day counts the same.
    """
    shares = np.array(calendar.probabilities)
    if daily.shape[1] >= 28:
        recent = np.sqrt(daily[:, -182:]).sum(axis=0)
        weekdays = (today.weekday() - np.arange(recent.size, 0, -1)) % 7
        learned = np.bincount(weekdays, weights=recent, minlength=7)
        shares = learned if learned.any() else shares
    return np.asarray(shares / shares.sum(), dtype=float)


def _first_week(daily: Floats) -> NDArray[np.intp]:
    """Index of the week of each row's first sale; the number of weeks when there is none."""
    weekly = daily.reshape(len(daily), -1, 7).sum(axis=2) > 0
    first = np.where(weekly.any(axis=1), weekly.argmax(axis=1), weekly.shape[1])
    return np.asarray(first, dtype=np.intp)


def _tame(weekly: Floats) -> Floats:
    """Cap each week at WILD times the median of its SKU's selling weeks in the year up to it."""
    selling = pd.DataFrame(weekly.T).where(lambda week: week > 0)
    typical = selling.rolling(52, min_periods=1).median().to_numpy().T
    capped: Floats = np.fmin(weekly, WILD * typical)  # fmin: no cap before the first sale
    return capped


def _starting_values(weekly: Floats, first: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean size of the selling weeks, and their share, over the weeks of the warm-up."""
    week = np.arange(weekly.shape[1])
    warm = (week >= first[:, None]) & (week < first[:, None] + WARM_UP)
    count = np.maximum(warm.sum(axis=1), 1)
    sold = (warm & (weekly > 0)).sum(axis=1)
    size = np.where(warm, weekly, 0.0).sum(axis=1) / np.maximum(sold, 1)
    return size, sold / count


def _pooled_spread(mean: Floats, scale: Floats, scaled: Floats, test: Backtest) -> Spread:
    """Errors of SKUs of similar demand together: slow sellers err more skewly than fast ones."""
    groups = 4 if test.valid.sum() >= 4 * 500 else 1
    edges = np.quantile(mean, np.linspace(0, 1, groups + 1)[1:-1])
    group = np.searchsorted(edges, mean, side="right")
    everyone = np.sort(scaled[test.valid])
    errors = [np.sort(scaled[group == g][test.valid[group == g]]) for g in range(groups)]
    return Spread(mean, scale, [e if len(e) >= 100 else everyone for e in errors], group)


def _poisson_spread(mean: Floats) -> Spread:
    """Without a backtest: the spread of independent orders of one piece, at the normal's ranks."""
    ranks = _NORMAL_RANKS
    return Spread(mean, np.sqrt(mean), [ranks], np.zeros(len(mean), dtype=np.intp))


_NORMAL_RANKS = np.sort(np.random.default_rng(0).standard_normal(2001))
