"""What may be done with each item: order so much here, or there, some of each, or wait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.candidates import Quantities
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.stakes import Stakes
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
        cost: Expected, see ``stakes``.
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


def all_ways(stakes: Stakes, quantities: Quantities) -> Ways:
    """All ways of all items, waiting among them."""
    single = _single(stakes, quantities)
    waiting = _waiting(stakes, quantities, single)
    split = _split(stakes, quantities)
    everything = _joined([waiting, single, split])
    return everything.take(np.argsort(everything.item, kind="stable"))


def _single(stakes: Stakes, quantities: Quantities) -> Ways:
    row, units, price = quantities.flat()
    item, lead = stakes.offered.item[row], stakes.offered.lead[row]
    position = stakes.goods.position[item]
    lost = np.maximum(
        # What is owed waits for this order, and is lost only where it does not suffice.
        stakes.lost(item, lead, np.zeros_like(lead), np.maximum(position, 0.0)),
        stakes.lost(item, *stakes.after(item, [row]), position + units),
    )
    cost = stakes.premium(row, units, price, quantities) + stakes.held(item, lead, units) + lost
    none = np.full(len(row), -1)
    nil = np.zeros(len(row))
    return Ways(item, row, units, units * price, none, nil, nil, cost, lost)


def _waiting(stakes: Stakes, quantities: Quantities, single: Ways) -> Ways:
    """Doing nothing until the next review.

    An item that is due is one to be ordered, by the levels that were set for it: waiting is
    never better than the best order, except for what is asked of the order as a whole, and
    where the smallest order is more than the level asks for.
    """
    count = len(stakes.goods.position)
    lost = stakes.lost_waiting()
    order = np.full(count, np.inf)
    np.minimum.at(order, single.item, single.cost)
    ordered = stakes.goods.due & np.isfinite(order) & ~forced(stakes, quantities)
    best = np.where(ordered, order + EVEN_BETTER, -np.inf)
    none, nil = np.full(count, -1), np.zeros(count)
    cost = np.maximum(lost, best)
    return Ways(np.arange(count), none, nil, nil, none, nil, nil, cost, lost)


def forced(stakes: Stakes, quantities: Quantities) -> np.ndarray:
    """Items of which even the smallest order, at any offer, is more than the level asks for."""
    found = np.ones(len(stakes.goods.position), dtype=np.bool_)
    np.logical_and.at(found, stakes.offered.item, quantities.least > quantities.wanted)
    return found


def _split(stakes: Stakes, quantities: Quantities) -> Ways:
    """Some from a faster offer, the rest from a slower one."""
    fast, slow = _pairs(stakes)
    of = stakes.offered.item[fast]
    between = stakes.outlook.mean(of, stakes.offered.lead[slow]) - stakes.goods.position[of]
    bridge = np.maximum(between, 1.0)[:, None] * BRIDGES
    first, first_units, first_price = quantities.near(fast, bridge)
    rest = np.maximum(quantities.wanted[slow][first] - first_units, 1.0)[:, None] * RESTS
    second, second_units, second_price = quantities.near(slow[first], rest)
    pair = first
    one, other = fast[pair][second], slow[pair][second]
    units, price = first_units[second], first_price[second]
    item = stakes.offered.item[one]
    goods, there = stakes.goods, stakes.goods.position[item]
    lead = stakes.offered.lead[other]
    total = units + second_units
    fits = total <= quantities.most[other]
    lost = np.maximum.reduce(
        [
            goods.margin[item]
            * stakes.outlook.late(
                item, stakes.offered.lead[one], np.zeros_like(one), np.maximum(there, 0.0)
            ),
            stakes.lost(item, lead, np.zeros_like(lead), there + units),
            stakes.lost(item, *stakes.after(item, [one, other]), there + total),
        ]
    )
    premium = stakes.premium(one, units, price, quantities)
    premium += stakes.premium(other, second_units, second_price, quantities)
    cost = premium + stakes.line_cost + stakes.held(item, lead, total) + lost
    ways = Ways(
        item, one, units, units * price, other, second_units, second_units * second_price,
        cost, lost,
    )  # fmt: skip
    return ways.take(np.flatnonzero(fits))


def _pairs(stakes: Stakes) -> tuple[Ints, Ints]:
    """Faster and slower offers of due items, where the time between loses more than a line."""
    offered, goods = stakes.offered, stakes.goods
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
    between = stakes.outlook.short(item, offered.lead[slow], there) - stakes.outlook.short(
        item, offered.lead[fast], there
    )
    stake = goods.margin[item] * between - stakes.line_cost
    chosen = np.flatnonzero(stake > 0)
    chosen = chosen[np.argsort(-stake[chosen], kind="stable")][:SPLIT_ITEMS]
    return fast[chosen], slow[chosen]


def _joined(some: list[Ways]) -> Ways:
    names = Ways.__dataclass_fields__
    return Ways(*(np.concatenate([getattr(w, name) for w in some]) for name in names))
