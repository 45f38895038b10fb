"""What it is expected to cost to order so much of an item here, or there, or to wait.

All ways of an item are compared over the same time: until what is ordered at the next occasion
arrives. Per way, in the store's money (``d`` units a day, position ``p``, quantity ``q``):

- *premium*: ``q`` times what the price is above that of the item's usual offer, at which it is
  bought sooner or later; where it is below, what is saved of what the level asks for (to buy ahead
  for a price is no aim: it is seldom as cheap as it looks while a forecast is uncertain);
- *line*: each order line, in which the item's own cycle ``Q`` (from the reorder point to the level
  that an order aims at) is the quantity of least cost: with ``h`` the cost of holding a unit for a
  day and ``a`` the position above the reorder point (before: ``b``; at least 0), an order costs
  ``h (Q² + a² - b² - 2 Q (a - b)) / 2d`` more than one of ``Q`` at the reorder point; for the
  economic order quantity this is the line's cost, what is held longer, and the lines that are saved
  (the relative value of a renewal-reward process);
- *lost*: the margin of the expected shortage, of the demand until this order arrives beyond ``p``,
  or of that until the next one does beyond ``p + q``, whichever is greater. For one course of
  demand that maximum is exact, as what is lost once is not wanted again. The next one is of the
  item's usual offer, whichever is taken today: a cycle from now where that is ordered from today,
  else at the next review.

A shortage that is seen coming can be bridged: at the next review by the fastest offer, at its
price, for another line, in a delivery that others share. Where that costs less than what is lost,
it counts instead; so a slow offer is not charged for weeks that a fast one would cover.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.candidates import Quantities
from agents.data_intelligence.predictive_analytics.baskets.cycles import Asked, Cycles, Offered
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints, Outlook
from agents.statistics import Floats


@dataclass(frozen=True)
class Goods:
    """The items; arrays with one entry each, money is the store's.

    Attributes:
        position: On hand + on order - owed.
        reorder: Units of position at or below which it is due.
        up_to: Units of position that an order aims at.
        lead: Days of lead time that both were made for.
        cost: The price at which it is bought as a rule.
        margin: Lost with a lost sale.
        due: Whether it is due.
    """

    position: Floats
    reorder: Floats
    up_to: Floats
    lead: Floats
    cost: Floats
    margin: Floats
    due: np.ndarray


@dataclass(frozen=True)
class Stakes:
    """What costs are reckoned from.

    Attributes:
        goods: The items.
        offered: Their offers.
        outlook: Their demand.
        cycles: How often which supplier is ordered from.
        asked: What the suppliers ask.
        holding_per_day: Share of the cost.
        line_cost: Per order line.
        review_days: From one review to the next.
    """

    goods: Goods
    offered: Offered
    outlook: Outlook
    cycles: Cycles
    asked: Asked
    holding_per_day: float
    line_cost: float
    review_days: int

    def joining(self) -> Floats:
        """What not being in its usual supplier's order costs an item, should there be one.

        Another is a whole cycle away then, not only a review.
        """
        supplier = self.offered.supplier[self.cycles.home]
        late = self._lost_until(self.cycles.home, self.cycles.days[supplier])
        return np.maximum(late - self.lost_waiting(), 0.0)

    def lost_waiting(self) -> Floats:
        """Expected lost margin per item if it is ordered at the next review only."""
        home = self.cycles.home
        return self._lost_until(home, np.full(len(home), self.review_days))

    def _lost_until(self, home: Ints, more: Ints) -> Floats:
        item = np.arange(len(home))
        return self.lost(item, self.offered.lead[home], more, self.goods.position)

    def premium(self, row: Ints, units: Floats, price: Floats, quantities: Quantities) -> Floats:
        """What is paid above the usual price; what is saved counts for what is needed alone."""
        more = price - self.goods.cost[self.offered.item[row]]
        needed = np.minimum(units, np.maximum(quantities.wanted[row], 0.0))
        return np.asarray(np.where(more > 0, units * more, needed * more))

    def held(self, item: Ints, lead: Ints, units: Floats) -> Floats:
        """The line, how long units lie beyond when they would have been ordered, and lines saved.

        What only brings the position back up to the usual offer's reorder level saves no line.
        """
        goods, per_day = self.goods, self.outlook.per_day[item]
        cycle = np.maximum(goods.up_to - goods.reorder, 0.0)[item]
        usual = self.offered.lead[self.cycles.home[item]]
        there = goods.position[item]

        def above(days: Ints, position: Floats) -> Floats:
            level = goods.reorder[item] + per_day * (days - goods.lead[item])
            return np.asarray(np.maximum(position - level, 0.0))

        longer = cycle**2 + above(lead, there + units) ** 2 - above(lead, there) ** 2
        longer -= 2 * cycle * (above(usual, there + units) - above(usual, there))
        rate = self.holding_per_day * goods.cost[item]
        days = np.divide(longer, 2 * per_day, out=np.zeros_like(longer), where=per_day > 0)
        return np.asarray(rate * days)

    def after(self, item: Ints, rows: list[Ints]) -> tuple[Ints, Ints]:
        """Lead time of the order after this one, and days until it, by the offers of today."""
        home = self.cycles.home[item]
        supplier = self.offered.supplier
        at_home = np.any([supplier[row] == supplier[home] for row in rows], axis=0)
        cycle = np.where(at_home, self.cycles.days[supplier[home]], self.review_days)
        return self.offered.lead[home], cycle

    def lost(self, item: Ints, lead: Ints, more: Ints, units: Floats) -> Floats:
        """Margin lost of demand beyond some units, or what it costs to bridge it.

        Args:
            item: The items.
            lead: Lead time of the delivery that they wait for.
            more: Days until it is ordered.
            units: What there is.
        """
        short = self.outlook.late(item, lead, more, units)
        lost = self.goods.margin[item] * short
        fast = self._fastest[item]
        soon = self.offered.lead[fast]
        # Not even a line's cost is at stake of most.
        able = np.flatnonzero((soon + self.review_days < lead + more) & (lost > self.line_cost))
        if len(able):
            some, row = item[able], fast[able]
            review = np.full(len(able), self.review_days)
            before = self.outlook.late(some, soon[able], review, units[able])
            premium = np.maximum(self.offered.price[row] - self.goods.cost[some], 0.0)
            bridged = (
                self.goods.margin[some] * before
                + premium * np.maximum(short[able] - before, 0.0)
                + self.line_cost
            )
            lost[able] = np.minimum(lost[able], bridged)
        return lost

    @property
    def _fastest(self) -> Ints:
        """Row of the offer of each item that arrives first."""
        order = np.lexsort((self.offered.price, self.offered.lead, self.offered.item))
        _, first = np.unique(self.offered.item[order], return_index=True)
        return np.asarray(order[first], dtype=np.intp)
