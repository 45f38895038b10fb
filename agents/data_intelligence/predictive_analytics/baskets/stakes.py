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

SPLIT_ITEMS = 1_000
"""Items of which splitting is looked at: those that lose most until the slower offer arrives."""

BRIDGES = np.array([0.25, 0.4, 0.6, 0.8, 1.0, 1.3])
"""Of what is expected to be sold until the slower offer arrives, bought at the faster one."""

RESTS = np.array([0.5, 0.75, 1.0, 1.25])
"""Of what the level asks for beyond that, bought at the slower one."""

EVEN_BETTER = 1e-6
"""Store money by which ordering what is due is better than waiting, if by nothing else."""


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
class Ways:
    """Ways to do with the items, a row each; an item's rows stand together.

    Attributes:
        item: Index of the item.
        offer: Row of the offer it is bought at; -1 where nothing is bought.
        units: How many.
        value: What they cost, in store money, before freight.
        other: Row of a second offer, where it is split; -1.
        other_units: How many there.
        other_value: What those cost.
        cost: Expected, see the module.
        lost: Its part that is lost margin.
    """

    item: Ints
    offer: Ints
    units: Floats
    value: Floats
    other: Ints
    other_units: Floats
    other_value: Floats
    cost: Floats
    lost: Floats

    def take(self, rows: Ints) -> Ways:
        """Some of them."""
        return Ways(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


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

    def ways(self, quantities: Quantities) -> Ways:
        """All ways of all items, waiting among them."""
        single = self._single(quantities)
        waiting = self._waiting(single)
        split = self._split(quantities, single)
        everything = _joined([waiting, single, split])
        return everything.take(np.argsort(everything.item, kind="stable"))

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
        return self._lost(item, self.offered.lead[home], more, self.goods.position)

    def _single(self, quantities: Quantities) -> Ways:
        row, units, price = quantities.flat()
        item, lead = self.offered.item[row], self.offered.lead[row]
        position = self.goods.position[item]
        lost = np.maximum(
            # What is owed waits for this order, and is lost only where it does not suffice.
            self._lost(item, lead, np.zeros_like(lead), np.maximum(position, 0.0)),
            self._lost(item, *self._next(item, [row]), position + units),
        )
        cost = self._premium(row, units, price, quantities) + self._held(item, lead, units) + lost
        none = np.full(len(row), -1)
        nil = np.zeros(len(row))
        return Ways(item, row, units, units * price, none, nil, nil, cost, lost)

    def _waiting(self, single: Ways) -> Ways:
        """Doing nothing until the next review.

        An item that is due is one to be ordered, by the levels that were set for it: waiting is
        never better than the best order, except for what is asked of the order as a whole.
        """
        count = len(self.goods.position)
        lost = self.lost_waiting()
        best = np.full(count, -np.inf)
        order = np.full(count, np.inf)
        np.minimum.at(order, single.item, single.cost)
        best = np.where(self.goods.due & np.isfinite(order), order + EVEN_BETTER, -np.inf)
        none, nil = np.full(count, -1), np.zeros(count)
        cost = np.maximum(lost, best)
        return Ways(np.arange(count), none, nil, nil, none, nil, nil, cost, lost)

    def _split(self, quantities: Quantities, single: Ways) -> Ways:
        """Some from a faster offer, the rest from a slower one."""
        fast, slow = self._pairs()
        of = self.offered.item[fast]
        between = self.outlook.mean(of, self.offered.lead[slow]) - self.goods.position[of]
        bridge = np.maximum(between, 1.0)[:, None] * BRIDGES
        first, first_units, first_price = quantities.near(fast, bridge)
        rest = np.maximum(quantities.wanted[slow][first] - first_units, 1.0)[:, None] * RESTS
        second, second_units, second_price = quantities.near(slow[first], rest)
        pair = first
        one, other = fast[pair][second], slow[pair][second]
        units, price = first_units[second], first_price[second]
        item = self.offered.item[one]
        goods, there = self.goods, self.goods.position[item]
        lead = self.offered.lead[other]
        total = units + second_units
        fits = total <= quantities.most[other]
        lost = np.maximum.reduce(
            [
                goods.margin[item]
                * self.outlook.late(
                    item, self.offered.lead[one], np.zeros_like(one), np.maximum(there, 0.0)
                ),
                self._lost(item, lead, np.zeros_like(lead), there + units),
                self._lost(item, *self._next(item, [one, other]), there + total),
            ]
        )
        premium = self._premium(one, units, price, quantities)
        premium += self._premium(other, second_units, second_price, quantities)
        cost = premium + self.line_cost + self._held(item, lead, total) + lost
        ways = Ways(
            item, one, units, units * price, other, second_units, second_units * second_price,
            cost, lost,
        )  # fmt: skip
        return ways.take(np.flatnonzero(fits))

    def _pairs(self) -> tuple[Ints, Ints]:
        """Faster and slower offers of due items, where the time between loses more than a line."""
        offered, goods = self.offered, self.goods
        count = np.bincount(offered.item, minlength=len(goods.position))
        first = np.cumsum(count) - count
        pairs: list[tuple[Ints, Ints]] = []
        for a in range(int(count.max(initial=0))):
            for b in range(int(count.max(initial=0))):
                some = np.flatnonzero(goods.due & (count > max(a, b)))
                one, other = first[some] + a, first[some] + b
                faster = offered.lead[one] < offered.lead[other]
                pairs.append((one[faster], other[faster]))
        fast = np.concatenate([p[0] for p in pairs] or [np.zeros(0, dtype=np.intp)])
        slow = np.concatenate([p[1] for p in pairs] or [np.zeros(0, dtype=np.intp)])
        item = offered.item[fast]
        there = goods.position[item]
        between = self.outlook.short(item, offered.lead[slow], there) - self.outlook.short(
            item, offered.lead[fast], there
        )
        stake = goods.margin[item] * between - self.line_cost
        chosen = np.flatnonzero(stake > 0)
        chosen = chosen[np.argsort(-stake[chosen], kind="stable")][:SPLIT_ITEMS]
        return fast[chosen], slow[chosen]

    def _premium(self, row: Ints, units: Floats, price: Floats, quantities: Quantities) -> Floats:
        """What is paid above the usual price; what is saved counts for what is needed alone."""
        more = price - self.goods.cost[self.offered.item[row]]
        needed = np.minimum(units, np.maximum(quantities.wanted[row], 0.0))
        return np.asarray(np.where(more > 0, units * more, needed * more))

    def _held(self, item: Ints, lead: Ints, units: Floats) -> Floats:
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

    def _next(self, item: Ints, rows: list[Ints]) -> tuple[Ints, Ints]:
        """Lead time of the order after this one, and days until it, by the offers of today."""
        home = self.cycles.home[item]
        supplier = self.offered.supplier
        at_home = np.any([supplier[row] == supplier[home] for row in rows], axis=0)
        cycle = np.where(at_home, self.cycles.days[supplier[home]], self.review_days)
        return self.offered.lead[home], cycle

    def _lost(self, item: Ints, lead: Ints, more: Ints, units: Floats) -> Floats:
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


def _joined(some: list[Ways]) -> Ways:
    names = Ways.__dataclass_fields__
    return Ways(*(np.concatenate([getattr(w, name) for w in some]) for name in names))
