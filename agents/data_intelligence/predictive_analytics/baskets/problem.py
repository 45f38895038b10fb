"""What a choice of ways costs, and whether it keeps what is asked of the orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.ways import Ways
from agents.statistics import Floats


@dataclass(frozen=True)
class Asks:
    """Of the order at each supplier, in store money.

    Attributes:
        minimum: Value of goods.
        free_from: Value of goods from which freight is waived; infinity where never.
        freight: What is waived then, and what counts against the budget.
        charge: What ordering costs, as the objective has it.
        tolerance: Half a cent of the supplier's money.
    """

    minimum: Floats
    free_from: Floats
    freight: Floats
    charge: Floats
    tolerance: Floats


class Problem:
    """The program's numbers, and what a choice costs.

    Args:
        ways: Sorted by item; of each item one that buys nothing. Items are numbered from 0.
        supplier: Of each offer.
        asks: Of each supplier.
        budget: Store money that may be spent, freight included.

    Attributes:
        goods: Store money of each way (row) at each supplier (column).
        nothing: Row of the way of each item that buys nothing.
    """

    def __init__(self, ways: Ways, supplier: Ints, asks: Asks, budget: float | None) -> None:
        self.ways, self.asks, self.budget = ways, asks, budget
        self.first = np.flatnonzero(np.diff(ways.item, prepend=-1))
        self.items = int(ways.item.max()) + 1
        self.count = len(asks.minimum)
        self.goods = np.zeros((len(ways.item), self.count))
        for offer, value in ((ways.offer, ways.value), (ways.other, ways.other_value)):
            some = np.flatnonzero(offer >= 0)
            self.goods[some, supplier[offer[some]]] += value[some]
        nothing = np.flatnonzero(ways.offer < 0)
        self.nothing = np.zeros(self.items, dtype=np.intp)
        self.nothing[ways.item[nothing]] = nothing

    def cost(self, chosen: Ints) -> float:
        """The objective of a choice; infinity where it does not keep what is asked."""
        goods = self.goods[chosen].sum(axis=0)
        ordered = goods > 0
        asks = self.asks
        if (ordered & (goods < asks.minimum - asks.tolerance)).any():
            return float("inf")
        free = ordered & (goods >= asks.free_from - asks.tolerance)
        freight = np.where(ordered & ~free, asks.freight, 0.0).sum()
        if self.budget is not None and goods.sum() + freight > self.budget + 1e-6:
            return float("inf")
        charge = asks.charge[ordered].sum() - asks.freight[free].sum()
        return float(self.ways.cost[chosen].sum() + charge)

    def better(self, one: Ints, other: Ints) -> Ints:
        """The cheaper of two choices."""
        return other if self.cost(other) < self.cost(one) else one

    def cheapest(self, cost: Floats) -> Ints:
        """Row of each item's first way of least cost, for some cost of each way."""
        least = np.minimum.reduceat(cost, self.first)
        at = np.flatnonzero(cost == least[self.ways.item])
        item = self.ways.item[at]
        return np.asarray(at[np.diff(item, prepend=-1) > 0], dtype=np.intp)

    def binds(self, chosen: Ints) -> bool:
        """Whether a minimum, freight or the budget could change a choice of cheapest ways."""
        asks, goods = self.asks, self.goods[chosen].sum(axis=0)
        ordered = goods > 0
        paid = ordered & (asks.freight > 0) & (goods < asks.free_from)
        below = ordered & (goods < asks.minimum - asks.tolerance)
        beyond = self.budget is not None and goods.sum() > self.budget
        return bool(paid.any() or below.any() or beyond)
