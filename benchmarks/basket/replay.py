"""Weeks of a shop replayed day by day under a policy: what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
)
from agents.statistics import Floats
from benchmarks.basket.shop import Shop

START_DAYS = 28
"""Days of past demand that are in stock on the first day."""


@dataclass(frozen=True)
class Order:
    """Offers (rows of the market) and units ordered of each, one supplier or several."""

    offers: NDArray[np.intp]
    units: Floats


Policy = Callable[[date, Floats, Floats], Order]
"""From the day, what is on hand and what is on order, to what is ordered."""


@dataclass(frozen=True)
class Cost:
    """Money over a replay.

    Attributes:
        premium: What the goods cost above the least price of each.
        freight: Of all deliveries.
        lines: Of all order lines.
        holding: Of what was on hand, at its least price.
        lost: Margin of what could not be sold.
        fill: Share of the demand, by value, that was served.
        goods: What all bought goods cost.
        deliveries: How many.
    """

    premium: float
    freight: float
    lines: float
    holding: float
    lost: float
    fill: float
    goods: float
    deliveries: float

    @property
    def total(self) -> float:
        """All that a policy can change; what is left over is worth its least price."""
        return self.premium + self.freight + self.lines + self.holding + self.lost


def mean_cost(costs: list[Cost]) -> Cost:
    """The mean of each figure."""
    return Cost(*(float(np.mean([getattr(c, f.name) for c in costs])) for f in fields(Cost)))


def least_prices(shop: Shop, market: Market) -> Floats:
    """The least price of each item at any offer and step."""
    least = np.full(len(shop.skus), np.inf)
    item = item_of(shop, market)
    every = np.nanmin(market.step_cost, axis=1) * market.rate
    np.minimum.at(least, item, every)
    return least


def item_of(shop: Shop, market: Market) -> NDArray[np.intp]:
    """Item of each offer."""
    place = {sku: at for at, sku in enumerate(shop.skus)}
    return np.array([place[sku] for sku in market.offers["sku"]], dtype=np.intp)


def replay(
    shop: Shop, market: Market, lead_times: dict[str, Floats], weeks: list[date], policy: Policy
) -> Cost:
    """Replay the weeks: each begins with a look at the stock; what is not there is not sold.

    Raises:
        AssertionError: The policy broke what a supplier asks for.
    """
    item, least = item_of(shop, market), least_prices(shop, market)
    names = market.offers["supplier"].to_numpy()
    past = shop.demand(weeks[0] - timedelta(days=START_DAYS), START_DAYS)
    on_hand = past.sum(axis=1)
    due: list[tuple[int, NDArray[np.intp], Floats]] = []
    premium = freight = lines = holding = lost = wanted = goods = deliveries = 0.0
    margin = shop.price - least
    for week, monday in enumerate(weeks):
        under_way = np.zeros(len(on_hand))
        for _, items, units in due:
            np.add.at(under_way, items, units)
        order = policy(monday, on_hand.copy(), under_way)
        value = order.units * market.unit_cost(order.offers, order.units)
        goods += float(value.sum())
        premium += float(value.sum() - (order.units * least[item[order.offers]]).sum())
        lines += LINE_COST * len(order.offers)
        for name in np.unique(names[order.offers]):
            mine = names[order.offers] == name
            asks = market.suppliers[name]
            total = round(float(value[mine].sum()), 2)
            assert total >= float(asks.minimum) - 0.01, (name, total)
            free = asks.free_freight_from is not None and total >= float(asks.free_freight_from)
            freight += 0.0 if free else float(asks.freight)
            deliveries += 1
            arrives = 7 * week + int(lead_times[name][week])
            due.append((arrives, item[order.offers[mine]], order.units[mine]))
        demand = shop.demand(monday, 7)
        for day in range(demand.shape[1]):
            for _, items, units in [d for d in due if d[0] == 7 * week + day]:
                np.add.at(on_hand, items, units)
            due = [d for d in due if d[0] > 7 * week + day]
            sold = np.minimum(on_hand, demand[:, day])
            lost += float(((demand[:, day] - sold) * margin).sum())
            wanted += float((demand[:, day] * margin).sum())
            on_hand = on_hand - sold
            holding += float((on_hand * least).sum()) * HOLDING_PER_YEAR / 365
    return Cost(premium, freight, lines, holding, lost, 1 - lost / wanted, goods, deliveries)
