"""How often to order from each supplier, and which items there: what a delivery costs is shared.

The joint replenishment problem with a periodic review (Silver, Pyke and Thomas, Inventory and
Production Management in Supply Chains, 4th ed., chapter 10): a supplier that asks for freight or a
minimum is ordered from every ``T`` days, so that its freight per day, the lines, what is held of
cycle and safety stock, and what is lost cost least together. One whose minimum the goods of a
review reach, and that brings them for nothing, is ordered from at each review.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints, Outlook
from agents.statistics import Floats

MULTIPLES = (1, 2, 3, 4)
"""Cycles that are looked at, in reviews. Longer ones hang on forecasts too far ahead."""

SAFETY = 0.95
"""Quantile up to which stock protects where cycles are compared."""

_ROUNDS = 3
_FEW = 6  # suppliers of which every choice is looked at


@dataclass(frozen=True)
class Offered:
    """Offers of the items, one row each, sorted by item; money is the store's.

    Attributes:
        item: Index of the item.
        supplier: Index of the supplier.
        lead: Lead time in days.
        price: Per unit, at the quantity that the item needs.
    """

    item: Ints
    supplier: Ints
    lead: Ints
    price: Floats


@dataclass(frozen=True)
class Asked:
    """What each supplier asks of an order, in store money; infinity where it never waives."""

    minimum: Floats
    freight: Floats
    free_from: Floats

    @property
    def anything(self) -> bool:
        """Whether any asks for anything."""
        return bool((self.minimum > 0).any() or (self.freight > 0).any())


@dataclass(frozen=True)
class Cycles:
    """The plan in the long run.

    Attributes:
        days: From one order to the next, per supplier.
        home: Per item the row of the offer at which it is bought as a rule.
        charge: What it costs to order from a supplier today instead of at the next review. The
            freight is paid in any case; a cycle of T days that begins a review of R days earlier
            costs R/T of it. All of it where the usual order pays none.
    """

    days: Ints
    home: Ints
    charge: Floats


def find_cycles(
    offered: Offered,
    asked: Asked,
    outlook: Outlook,
    cost: Floats,
    margin: Floats,
    cycle_units: Floats,
    holding_per_day: float,
    line_cost: float,
    review_days: int,
) -> Cycles:
    """The cycles and homes of least cost per day.

    Args:
        offered: The offers.
        asked: Of the suppliers.
        outlook: Demand of the items.
        cost: Least price of each item.
        margin: Lost with a lost sale, per item.
        cycle_units: What an item is ordered in as a rule.
        holding_per_day: Share of the cost.
        line_cost: Per order line.
        review_days: From one review to the next.
    """
    first = np.flatnonzero(np.diff(offered.item, prepend=-1))
    multiples = MULTIPLES if asked.anything else MULTIPLES[:1]
    rate = np.empty((len(offered.item), len(multiples)))
    of, per_day = offered.item, outlook.per_day[offered.item]
    premium = (offered.price - cost[of]) * per_day
    usual = np.divide(cycle_units[of], per_day, out=np.full(len(of), np.inf), where=per_day > 0)
    for at, multiple in enumerate(multiples):
        cycle = multiple * review_days
        days = offered.lead + cycle
        level = outlook.quantile(of, days, SAFETY)
        between = np.maximum(usual, cycle)
        held = (
            np.maximum(level - outlook.mean(of, days), 0.0)
            + per_day * np.minimum(between, 365.0) / 2
        )
        lost = margin[of] * outlook.short(of, days, level) / cycle
        rate[:, at] = premium + line_cost / between + holding_per_day * cost[of] * held + lost
    best: tuple[float, Ints, Ints] | None = None
    for open_ in _choices(offered, len(asked.freight), rate[:, 0], first):
        found = _settle(offered, asked, rate, cost * outlook.per_day, first, open_, review_days)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    _, home, chosen = best
    days = np.array(multiples, dtype=np.intp)[chosen] * review_days
    goods = np.bincount(
        offered.supplier[home], (cost * outlook.per_day), minlength=len(asked.freight)
    )
    free = goods * days >= asked.free_from
    charge = np.where(free, asked.freight, asked.freight * review_days / days)
    return Cycles(days, home, charge)


def _choices(
    offered: Offered, suppliers: int, rate: Floats, first: Ints
) -> list[NDArray[np.bool_]]:
    """Which suppliers to look at together: all choices of a few, else all but one each."""
    everybody = np.ones(suppliers, dtype=bool)
    if suppliers > _FEW:
        without = []
        for one in range(min(suppliers, 12)):
            open_ = everybody.copy()
            open_[one] = False
            without.append(open_)
        return [everybody, *without]
    return [
        np.isin(np.arange(suppliers), some)
        for size in range(suppliers, 0, -1)
        for some in combinations(range(suppliers), size)
    ]


def _settle(
    offered: Offered,
    asked: Asked,
    rate: Floats,
    value_per_day: Floats,
    first: Ints,
    open_: NDArray[np.bool_],
    review_days: int,
) -> tuple[float, Ints, Ints]:
    """Cost per day, home of each item and multiple of each supplier, where some are open.

    What only a closed supplier offers is bought there all the same.
    """
    suppliers = len(asked.freight)
    closed = ~open_[offered.supplier]
    multiples = np.array(MULTIPLES[: rate.shape[1]], dtype=float)
    cycle = multiples * review_days
    chosen = np.zeros(suppliers, dtype=np.intp)
    for _ in range(_ROUNDS):
        now = rate[np.arange(len(rate)), chosen[offered.supplier]]
        home = _least(np.where(closed, now + _CLOSED, now), first)
        per_day = np.zeros((suppliers, rate.shape[1]))
        np.add.at(per_day, offered.supplier[home], rate[home])
        goods = np.bincount(offered.supplier[home], value_per_day, minlength=suppliers)
        ordered = goods[:, None] * cycle
        freight = np.where(ordered >= asked.free_from[:, None], 0.0, asked.freight[:, None])
        total = per_day + freight / cycle
        # A cycle in which less than the minimum sells is none; the longest is the last resort.
        total[:, :-1][ordered[:, :-1] < asked.minimum[:, None]] = np.inf
        total[goods <= 0] = 0.0
        chosen = total.argmin(axis=1)
        # Who asks for nothing that a review's goods do not reach is ordered from at each: waiting
        # for longer saves nothing there.
        unasked = (freight[:, 0] <= 0) & (ordered[:, 0] >= asked.minimum)
        chosen[unasked] = 0
    return float(total[np.arange(suppliers), chosen].sum()), home, chosen


_CLOSED = 1e12


def _least(values: Floats, first: Ints) -> Ints:
    """Row of the least value of each run of rows that begins at ``first``."""
    if not len(first):
        return np.zeros(0, dtype=np.intp)
    least = np.minimum.reduceat(values, first)
    run = np.repeat(np.arange(len(first)), np.diff(first, append=len(values)))
    at = np.flatnonzero(values == least[run])
    _, where = np.unique(run[at], return_index=True)
    return np.asarray(at[where], dtype=np.intp)
