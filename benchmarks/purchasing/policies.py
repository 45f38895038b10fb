"""The policies that are compared, as schedules over the reviews of a replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.ordering.economics import Economics, LeadTimes
from agents.data_intelligence.predictive_analytics.ordering.levels import levels_of
from agents.data_intelligence.predictive_analytics.ordering.rules import (
    Parameters,
    erpnext,
    odoo,
    tryton,
    usual_parameters,
)
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.data_intelligence.trading_calendar import TradingCalendar
from agents.statistics import Floats
from benchmarks.purchasing.daily_sales import DailySales
from benchmarks.purchasing.world import Costs, Order

BASE_STOCK_DAYS = 182
"""Past over which the base-stock policy takes its quantiles."""


@dataclass(frozen=True)
class Schedule:
    """Levels at each review: one row per item, one column per review."""

    reorder: Floats
    up_to: Floats

    def order(self, seeds: int, factor: float = 1.0) -> Order:
        """As a policy of a world of so many seeds; its levels times a factor."""
        s, big = (np.tile(x.T * factor, (1, seeds)) for x in (self.reorder, self.up_to))

        def order(review: int, position: Floats) -> Floats:
            due = position <= s[review]
            return np.where(due, np.maximum(np.rint(big[review] - position), 0.0), 0.0)

        return order


@dataclass(frozen=True)
class Known:
    """What is known at a review: the demand to come, and the sales of the past."""

    demand: Demand
    past: UnitSales


def known_on(sales: pd.DataFrame, skus: list[str], today: date) -> Known:
    """What is known on a day. Another model of demand is put in here."""
    traded = pd.DatetimeIndex(sales["date"].unique()).date
    model = DemandModel(sales, TradingCalendar.learn(traded), today, skus)
    return Known(model, model.units)


def known_at(data: DailySales, first: int, reviews: int, costs: Costs) -> list[Known]:
    """What is known at each review: learned anew, from the days before alone."""
    sales, found = data.frame(), []
    for review in range(reviews):
        today = data.first + timedelta(days=first + review * costs.review_days)
        past = sales.iloc[: sales["date"].searchsorted(pd.Timestamp(today))]
        found.append(known_on(past, data.skus, today))
    return found


def learned(known: list[Known], price: Floats, costs: Costs) -> Schedule:
    """Our levels at each review."""
    lead = LeadTimes(
        np.full(len(price), costs.lead_mean), np.full(len(price), costs.lead_cv * costs.lead_mean)
    )
    economics = Economics(
        (1 - costs.margin) * price, costs.margin * price, costs.holding_per_year, costs.line_cost
    )
    levels = [
        levels_of(each.demand, lead, economics, costs.review_days, past=each.past) for each in known
    ]
    return Schedule(
        np.column_stack([each.reorder for each in levels]),
        np.column_stack([each.up_to for each in levels]),
    )


def base_stock(data: DailySales, first: int, reviews: int, costs: Costs, price: Floats) -> Schedule:
    """Order up to the newsvendor's quantile of past demand over lead time and review."""
    span = round(costs.lead_mean) + costs.review_days
    held = (1 - costs.margin) * price * costs.holding_per_year / 365 * costs.review_days
    ratio = float(np.median(costs.margin * price / (costs.margin * price + held)))
    total = np.cumsum(np.pad(data.units, ((0, 0), (1, 0))), axis=1)
    columns = []
    for review in range(reviews):
        today = first + review * costs.review_days
        ends = np.arange(max(span, today - BASE_STOCK_DAYS), today + 1)
        columns.append(np.ceil(np.quantile(total[:, ends] - total[:, ends - span], ratio, axis=1)))
    up_to = np.column_stack(columns)
    return Schedule(up_to - 1, up_to)


def averages(data: DailySales, window: int, first: int, reviews: int, every: int) -> Floats:
    """Units per day before each review, over a window or since the item's first sale."""
    total = np.cumsum(np.pad(data.units, ((0, 0), (1, 0))), axis=1)
    sold = data.units > 0
    begun = np.where(sold.any(axis=1), sold.argmax(axis=1), data.days)
    columns = []
    for review in range(reviews):
        today = first + review * every
        days = np.minimum(window, today)
        own = np.clip(today - begun, min(28, days), days)
        columns.append((total[:, today] - total[np.arange(len(total)), today - own]) / own)
    return np.column_stack(columns)


Rule = Callable[[Floats, Parameters], Floats]

RULES: dict[str, Rule] = {
    "Tryton": lambda position, given: tryton(position, given.minimum, given.maximum),
    "Odoo": lambda position, given: odoo(position, given.minimum, given.maximum),
    "ERPNext": lambda position, given: erpnext(position, given.minimum, given.quantity),
}
"""In the replay all that is under way is due within the lead time: the forecast stock of Tryton's
window, Odoo's virtual stock and ERPNext's projected quantity are all the inventory position."""


def by_rule(
    rule: Rule, average: Floats, lead_days: float, safety: Floats, cover: Floats, seeds: int
) -> Order:
    """A rule whose parameters are set anew at each review from the average.

    Args:
        rule: Of ``RULES``.
        average: Units per day, one row per item, one column per review.
        lead_days: Expected lead time.
        safety: Days per item.
        cover: Days per item.
        seeds: Of the world.
    """
    lead = np.full(len(average), lead_days)
    given = [
        usual_parameters(np.ascontiguousarray(column), lead, safety, cover) for column in average.T
    ]
    tiled = [
        Parameters(*(np.tile(x, seeds) for x in (p.minimum, p.maximum, p.quantity))) for p in given
    ]
    return lambda review, position: rule(position, tiled[review])
