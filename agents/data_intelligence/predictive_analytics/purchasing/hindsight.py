"""What an order line came to, and what another quantity would have come to. Pure.

Both quantities live through the same days: the stock of the day that decided, the demand that came,
and deliveries on the days on which ours came. What differs is how many units came, so what differs
in cost is their doing: an order line each, holding, and the margin of what could not be sold.

The days end when what is ordered next could arrive (lead time and review). What is left then has
consequences, too: who has more orders later, and runs out less. So both go on by one and the same
rule, the simple one, through the item's last half year of demand, begun at each of its weeks.
Added up over all its decisions, what a policy saves so is what it saves against the rule as a whole
(the performance difference lemma, Kakade and Langford 2002, ICML): to compare what is left by
anything else would reward, or punish, safety stock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
    REVIEW_DAYS,
)
from agents.data_intelligence.predictive_analytics.ordering.rules import odoo
from agents.statistics import Floats

HOLDING_PER_DAY = HOLDING_PER_YEAR / 365


@dataclass(frozen=True)
class Delivery:
    """Goods of an order that came, or would have.

    Attributes:
        day: Days after the one that decided.
        share: Of what was ordered, 0 to 1.
    """

    day: int
    share: float


@dataclass(frozen=True)
class Costs:
    """What an item costs, in money.

    Attributes:
        unit_cost: Of a unit.
        margin: What a unit brings beyond its cost; below zero nothing is lost with it.
        line_cost: Of an order line.
    """

    unit_cost: float
    margin: float
    line_cost: float = LINE_COST

    @property
    def holding(self) -> float:
        """Of one unit for one night."""
        return self.unit_cost * HOLDING_PER_DAY


@dataclass(frozen=True)
class Onward:
    """How it goes on: the simple rule orders, and the item's last half year comes again.

    Attributes:
        demand: Units wanted on each day, whole weeks.
        minimum: Units of inventory position below which the rule orders.
        maximum: Up to where.
        lead_days: From order to delivery.
    """

    demand: Floats
    minimum: float
    maximum: float
    lead_days: int

    def cost(self, units: float, costs: Costs) -> float:
        """What the rule costs from so many units on, in money.

        The average over all weeks with which the half year may begin. What no half year sells is
        held for longer.
        """
        weeks = len(self.demand) // 7
        wanted = np.stack([np.roll(self.demand, -7 * week) for week in range(weeks)])
        coming = np.zeros((len(self.demand) + self.lead_days + 1, weeks))
        stock, under_way = np.full(weeks, units), np.zeros(weeks)
        held, lost, lines = np.zeros(weeks), np.zeros(weeks), np.zeros(weeks)
        least, most = np.asarray(self.minimum), np.asarray(self.maximum)
        for day in range(len(self.demand)):
            if day % REVIEW_DAYS == 0:
                ordered = odoo(stock + under_way, least, most)
                coming[day + self.lead_days] += ordered
                under_way, lines = under_way + ordered, lines + (ordered > 0)
            stock, under_way = stock + coming[day], under_way - coming[day]
            sold = np.minimum(stock, wanted[:, day])
            stock, lost = stock - sold, lost + wanted[:, day] - sold
            held += stock
        surplus = self._surplus(stock + under_way, costs)
        fined = max(costs.margin, 0.0) * lost + surplus
        return float((costs.line_cost * lines + costs.holding * held + fined).mean())

    def _surplus(self, left: Floats, costs: Costs) -> Floats:
        """What is left beyond the maximum costs until it is sold; no more than it cost to buy."""
        beyond = np.maximum(left - self.maximum, 0.0)
        rate = max(float(self.demand.sum()), 1.0) / len(self.demand)
        return np.minimum(costs.holding * beyond**2 / (2 * rate), costs.unit_cost * beyond)


@dataclass(frozen=True)
class Past:
    """The days that an order line was for, as they were.

    Attributes:
        position: Units free and under way when it was decided; below zero where more was owed. What
            was under way counts as there, as nobody has put down when it came.
        demand: Units wanted on each day, from the one that decided on.
        deliveries: When what share of the order came.
        costs: Of the item.
        onward: How it went on.
    """

    position: float
    demand: Floats
    deliveries: Sequence[Delivery]
    costs: Costs
    onward: Onward

    def cost(self, units: float) -> float:
        """What so many units would have cost, in money.

        Args:
            units: Ordered on the day that decided; 0 for no order.
        """
        came = np.zeros(len(self.demand))
        for delivery in self.deliveries:
            if delivery.day < len(came):
                came[delivery.day] += delivery.share * units
        stock, held, lost = self.position, 0.0, 0.0
        for arriving, wanted in zip(came, self.demand, strict=True):
            stock += arriving
            sold = min(max(stock, 0.0), wanted)
            stock, lost = stock - sold, lost + wanted - sold
            held += max(stock, 0.0)
        costs = self.costs
        placed = costs.line_cost if units > 0 else 0.0
        passed = placed + held * costs.holding + lost * max(costs.margin, 0.0)
        return passed + self.onward.cost(max(stock, 0.0), costs)
