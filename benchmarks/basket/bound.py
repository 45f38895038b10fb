"""What no policy can be cheaper than: each item for itself, its demand known, no freight.

Wagner and Whitin (1958, Management Science 5:89) with lost sales: the weeks are cut into stretches;
a stretch is served by one order that arrives when it begins and costs a line, what its price is
above the least one, and holding; or its first week is lost. Minimum, freight and packs are left
out, deliveries come when they are wanted, and what is bought is all sold: each makes it cheaper
than any policy.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
)
from agents.statistics import Floats
from benchmarks.basket.replay import START_DAYS, item_of, least_prices
from benchmarks.basket.shop import Shop


def bound(shop: Shop, market: Market, weeks: list[date]) -> float:
    """Money over the weeks, the total of a replay's cost."""
    least = least_prices(shop, market)
    start = shop.demand(weeks[0] - timedelta(days=START_DAYS), START_DAYS).sum(axis=1)
    daily = shop.demand(weeks[0], 7 * len(weeks))
    offers = item_of(shop, market)
    total = 0.0
    for item in range(len(shop.skus)):
        rows = np.flatnonzero(offers == item)
        total += _item(
            daily[item], float(start[item]), float(least[item]),
            float(shop.price[item] - least[item]), market, rows,
        )  # fmt: skip
    return total


def _item(
    daily: Floats, start: float, least: float, margin: float, market: Market, rows: NDArray[np.intp]
) -> float:
    held = HOLDING_PER_YEAR / 365 * least
    days = len(daily)
    left = np.maximum(start - np.cumsum(daily), 0.0)
    rest = np.maximum(np.cumsum(daily) - start, 0.0)
    rest = np.diff(rest, prepend=0.0)  # what the first stock does not serve
    weeks = days // 7
    weekly = rest[: 7 * weeks].reshape(weeks, 7).sum(axis=1)
    units = np.concatenate([[0.0], np.cumsum(rest)])
    # Unit-days that the demand from a day on has lain, from that day: moments of the demand.
    moments = np.concatenate([[0.0], np.cumsum(rest * np.arange(days))])
    cost = np.zeros(weeks + 1)
    for week in range(weeks - 1, -1, -1):
        options = [cost[week + 1] + margin * weekly[week]]
        for end in range(week + 1, weeks + 1):
            a, b = 7 * week, 7 * end
            bought = units[b] - units[a]
            if bought <= 0:
                options.append(cost[end])
                continue
            lain = moments[b] - moments[a] - a * bought
            price = market.unit_cost(rows, np.full(len(rows), np.ceil(bought))).min()
            premium = max(float(price) - least, 0.0) * bought
            options.append(LINE_COST + held * max(lain, 0.0) + premium + cost[end])
        cost[week] = min(options)
    return float(cost[0] + held * left.sum())
