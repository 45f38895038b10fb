"""What ``plan_orders`` would order, as a policy of the replay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.basket import plan_orders
from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
    REVIEW_DAYS,
    Economics,
)
from agents.statistics import Floats
from benchmarks.basket.replay import Order, least_prices
from benchmarks.basket.shop import Shop

LEAD_DAYS = 9
"""Lead time that the levels are made for: that of the supplier that has every item."""


@dataclass(frozen=True)
class Own:
    """What is set of the planner.

    Attributes:
        service: Probability that stock lasts over lead time and review, of the reorder point.
        cycle: What is ordered beyond the reorder point, in economic order quantities.
        weight: What a lost sale costs, in margins.
    """

    service: float = 0.9
    cycle: float = 1.4
    weight: float = 1.0


CHOICES: dict[str, tuple[float | bool, ...]] = {
    "cycle": (1.0, 1.4, 2.0),
    "weight": (1.0, 2.0),
}
"""Fewer than the rule's: a replay takes longer."""


@dataclass(frozen=True)
class Planned:
    """The planner as a policy; ``demand`` gives the model of a day."""

    shop: Shop
    market: Market
    demand: Callable[[date], Demand]
    settings: Own = Own()

    def __call__(self, today: date, on_hand: Floats, on_order: Floats) -> Order:
        """What is ordered."""
        model = self.demand(today)
        least = least_prices(self.shop, self.market)
        per_day = model.mean(28) / 28
        cycle = (
            np.sqrt(2 * LINE_COST * per_day / (HOLDING_PER_YEAR / 365 * least))
            * self.settings.cycle
        )
        cycle = np.clip(cycle, 7 * per_day, 182 * per_day)
        protection = LEAD_DAYS + REVIEW_DAYS
        reorder = model.spread(protection).quantile(self.settings.service)
        items = pd.DataFrame(
            {
                "free": on_hand,
                "on_order": on_order,
                "reorder_point": reorder,
                "order_up_to": reorder + cycle,
                "protection_days": protection,
            },
            index=self.shop.skus,
        )
        items = items[per_day > 0]
        economics = Economics(least, self.settings.weight * (self.shop.price - least))
        basket = plan_orders(items, model, self.market, economics, seconds=5.0)
        lines = basket.lines
        return Order(lines["offer"].to_numpy(dtype=np.intp), lines["units"].to_numpy(dtype=float))
