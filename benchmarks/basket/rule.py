"""The rule to beat: each item at its cheapest landed supplier, filled up where that pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
    REVIEW_DAYS,
)
from agents.statistics import Floats
from benchmarks.basket.replay import Order, item_of, least_prices
from benchmarks.basket.shop import Forecasts, Shop

Rows = NDArray[np.intp]
S = TypeVar("S")


@dataclass(frozen=True)
class Settings:
    """What a buyer sets.

    Attributes:
        service: Probability that stock lasts over lead time and review.
        cycle: What is ordered beyond the reorder point, in economic order quantities.
        per_day: What a day of lead time counts for, as a share of the price.
        fill_weeks: An order is filled up with what sells in so many weeks.
        fill_share: Most of a minimum that is filled up; beyond it the order waits.
        elsewhere: Whether what would run out while it waits is bought at the next supplier.
    """

    service: float = 0.95
    cycle: float = 1.0
    per_day: float = 0.001
    fill_weeks: float = 8.0
    fill_share: float = 0.5
    elsewhere: bool = True


CHOICES: dict[str, tuple[float | bool, ...]] = {
    "service": (0.7, 0.8, 0.9, 0.95, 0.98),
    "cycle": (0.7, 1.0, 1.4, 2.0, 3.0),
    "per_day": (0.0, 0.001, 0.002, 0.004, 0.01),
    "fill_weeks": (4.0, 8.0, 13.0),
    "fill_share": (0.25, 0.5, 0.75, 1.0),
    "elsewhere": (True, False),
}


def tuned(
    cost_of: Callable[[S], float],
    start: S,
    every: Mapping[str, tuple[float | bool, ...]],
    rounds: int = 2,
) -> S:
    """One setting after the other, each at the choice of least cost."""
    best, least = start, cost_of(start)
    for _ in range(rounds):
        before = best
        for name, choices in every.items():
            for choice in choices:
                if choice == getattr(best, name):
                    continue
                tried = replace(best, **{name: choice})  # type: ignore[type-var]
                if (cost := cost_of(tried)) < least:
                    best, least = tried, cost
        if best == before:
            break
    return best


class CheapestLanded:
    """The rule, as a policy."""

    def __init__(
        self, shop: Shop, market: Market, forecasts: Forecasts, settings: Settings
    ) -> None:
        self._market, self._forecasts, self._set = market, forecasts, settings
        offers = market.offers
        self._item = item_of(shop, market)
        self._least = least_prices(shop, market)
        self._lead = offers["lead_time_days"].to_numpy(dtype=np.intp)
        self._pack = offers["pack_units"].to_numpy(dtype=float)
        self._names = offers["supplier"].to_numpy()

    def __call__(self, today: date, on_hand: Floats, on_order: Floats) -> Order:
        """What is ordered."""
        model = self._forecasts.at(today)
        per_day = model.mean(28) / 28
        position = on_hand + on_order
        holding = HOLDING_PER_YEAR / 365
        cycle = np.sqrt(2 * LINE_COST * per_day / (holding * self._least)) * self._set.cycle
        cycle = np.clip(cycle, 7 * per_day, 182 * per_day)
        days = self._lead + REVIEW_DAYS
        reorder = np.zeros(len(days))
        for horizon in np.unique(days):
            some = days == horizon
            level = model.spread(int(horizon)).quantile(self._set.service)
            reorder[some] = level[self._item[some]]
        need = reorder + cycle[self._item] - position[self._item]
        units = np.ceil(np.maximum(need, 1.0) / self._pack - 1e-9) * self._pack
        price = self._market.unit_cost(np.arange(len(units)), units)
        landed = price * (1 + self._freight_share() + self._set.per_day * self._lead)
        closed: set[str] = set()
        while True:
            able = ~np.isin(self._names, list(closed))
            chosen = self._cheapest(np.where(able, landed, np.inf))
            chosen = chosen[able[chosen]]
            due = chosen[position[self._item[chosen]] <= reorder[chosen]]
            due = due[(units[due] > 0) & (per_day[self._item[due]] > 0)]
            if closed:
                # What can wait for the supplier that was left out does wait.
                first = self._cheapest(landed)
                usual = first[self._item[due]]
                moved = np.isin(self._names[usual], list(closed))
                short = position[self._item[due]] < per_day[self._item[due]] * days[usual]
                due = due[~moved | (short & self._set.elsewhere)]
            orders = [
                self._filled(name, due, chosen, units, position, per_day)
                for name in np.unique(self._names[due])
            ]
            failed = {name for name, order in orders if order is None}
            if not failed:
                break
            closed |= failed
        kept = [order for _, order in orders if order is not None]
        if not kept:
            return Order(np.zeros(0, dtype=np.intp), np.zeros(0))
        return Order(
            np.concatenate([o.offers for o in kept]), np.concatenate([o.units for o in kept])
        )

    def _freight_share(self) -> Floats:
        """Freight as a share of the value of an order of usual size."""
        share = {}
        for name, asks in self._market.suppliers.items():
            usual = max(float(asks.free_freight_from or 0) / 2, float(asks.minimum), 1.0)
            share[name] = float(asks.freight) / usual
        return np.array([share[name] for name in self._names])

    def _cheapest(self, landed: Floats) -> Rows:
        order = np.lexsort((landed, self._item))
        _, first = np.unique(self._item[order], return_index=True)
        return np.asarray(order[first], dtype=np.intp)

    def _filled(
        self,
        name: str,
        due: Rows,
        chosen: Rows,
        units: Floats,
        position: Floats,
        per_day: Floats,
    ) -> tuple[str, Order | None]:
        """A supplier's order, filled up where that pays; None where it waits."""
        asks = self._market.suppliers[name]
        mine = due[self._names[due] == name]
        order = {int(row): float(units[row]) for row in mine}
        goods = self._value(order)
        minimum = float(asks.minimum)
        if goods < minimum:
            if minimum - goods > self._set.fill_share * minimum:
                return name, None
            filled = self._fill(order, name, chosen, minimum, position, per_day)
            if filled is None:
                return name, None
            order, goods = filled[0], self._value(filled[0])
        free = asks.free_freight_from
        if free is not None and goods < float(free):
            filled = self._fill(order, name, chosen, float(free), position, per_day)
            if filled is not None and filled[1] < float(asks.freight):
                order = filled[0]
        rows = np.array(list(order), dtype=np.intp)
        return name, Order(rows, np.array([order[int(row)] for row in rows]))

    def _fill(
        self,
        order: dict[int, float],
        name: str,
        chosen: Rows,
        value: float,
        position: Floats,
        per_day: Floats,
    ) -> tuple[dict[int, float], float] | None:
        """An order of some value, with what runs out first, and what that costs to hold."""
        order = dict(order)
        rows = chosen[(self._names[chosen] == name) & (per_day[self._item[chosen]] > 0)]
        item = self._item[rows]
        there = position[item] + np.array([order.get(int(row), 0.0) for row in rows])
        until = self._lead[rows] + 7 * self._set.fill_weeks
        goods, cost = self._value(order), 0.0
        for _ in range(5_000):
            if goods >= value:
                return order, cost
            lasts = there / per_day[item]
            fits = there + self._pack[rows] <= per_day[item] * until
            if not fits.any():
                return None
            at = int(np.argmin(np.where(fits, lasts, np.inf)))
            row, pack = int(rows[at]), float(self._pack[rows[at]])
            new = row not in order
            order[row] = order.get(row, 0.0) + pack
            there[at] += pack
            early = max(lasts[at] - self._lead[row] - REVIEW_DAYS, 0.0)
            cost += pack * self._least[item[at]] * HOLDING_PER_YEAR / 365 * early
            cost += LINE_COST / 2 if new else 0.0
            goods = self._value(order)
        return None

    def _value(self, order: dict[int, float]) -> float:
        rows = np.array(list(order), dtype=np.intp)
        units = np.array([order[int(row)] for row in rows])
        return float((units * self._market.unit_cost(rows, units)).sum()) if len(rows) else 0.0
