"""What to order from whom today: one entry for all who ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.candidates import COVER_DAYS, Quantities
from agents.data_intelligence.predictive_analytics.baskets.drafts import HeldItem
from agents.data_intelligence.predictive_analytics.baskets.holding import (
    guarded,
    not_ordered,
    without_offer,
)
from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.baskets.needs import Needs, by_sku, gather
from agents.data_intelligence.predictive_analytics.baskets.outlook import LEAD_TIME_CV, Ints
from agents.data_intelligence.predictive_analytics.baskets.problem import Asks, Problem
from agents.data_intelligence.predictive_analytics.baskets.program import solve
from agents.data_intelligence.predictive_analytics.baskets.ways import Ways, all_ways
from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    REVIEW_DAYS,
    Economics,
)
from agents.data_intelligence.result import count
from agents.statistics import Floats

LOOKED_AT_TWICE = 300
"""Offers up to which the orders are solved again with all quantities close to the first answer."""

LINES = (
    "sku", "supplier", "offer", "units", "wanted", "due", "unit_cost", "value", "lost",
    "next_offer", "next_unit_cost", "next_lost",
)  # fmt: skip


@dataclass(frozen=True)
class Basket:
    """What to order.

    Attributes:
        lines: A row per SKU and supplier, in store money: ``offer`` (row of the market), ``units``,
            ``wanted`` (what the item's level asks for, not rounded), ``due``, ``unit_cost``,
            ``value``, ``lost`` (margin that is expected to be lost nevertheless), and of the next
            best offer ``next_offer`` (-1: there is none), ``next_unit_cost`` and ``next_lost``.
        held: Items that are due and in no order, greatest loss first.
        notes: What holds for the plan as a whole.
        gap: Store money by which the plan may at most be dearer than the best there is; infinity
            where no bound was found in time.
    """

    lines: pd.DataFrame
    held: list[HeldItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    gap: float = 0.0


def plan_orders(
    items: pd.DataFrame,
    demand: Demand,
    market: Market,
    economics: Economics,
    review_days: int = REVIEW_DAYS,
    budget: Decimal | None = None,
    *,
    cover_days: int = COVER_DAYS,
    lead_time_cv: float = LEAD_TIME_CV,
    seconds: float = 20.0,
) -> Basket:
    """Order what is due where it costs least in all, with what pays to be ordered along.

    Where neither minimum, freight nor budget can change anything, each item is simply bought at the
    offer that costs least: price, line, holding, and what is lost until it arrives. Else all orders
    are solved together (``program``).

    Args:
        items: As ``ordering.proposals`` makes it, indexed by SKU or with a column ``sku``; needed
            are ``free``, ``on_order``, ``reorder_point``, ``order_up_to`` and ``protection_days``.
            Optional: ``name``; ``due`` (else position <= reorder point); ``held`` (a guard's
            reason: the item is held); ``most_units`` (a guard's limit); ``waiting_cost_per_day``.
            Pass those that are not due as well: they may join an order that falls short of a
            minimum or of free freight, or save a delivery of their own.
        demand: Knows all of them.
        market: The offers.
        economics: One entry per SKU of ``demand``, in its order.
        review_days: From one review to the next.
        budget: Store money that may be spent today, freight included.
        cover_days: What is bought beyond an item's own level sells within so many days.
        lead_time_cv: Standard deviation of a lead time as a share of it.
        seconds: The solver's time.

    Raises:
        ContractViolation: A column is missing, an SKU comes twice, or is unknown to ``demand``.
    """
    table = by_sku(items)
    offered = table.index.isin(market.offers["sku"])
    held = guarded(table) + without_offer(table[~offered & table["due"]], market)
    table = table[offered & (table["held"] == "") & table["known"]]
    if not table["due"].any():
        return Basket(pd.DataFrame(columns=list(LINES)), held)
    needs = gather(table, demand, market, economics, review_days, cover_days, lead_time_cv)
    limit = None if budget is None else float(budget)
    supplier = needs.stakes.offered.supplier
    ways, asks = _priced(needs, needs.quantities)
    chosen, gap, solved = _choose(ways, supplier, asks, limit, seconds)
    if solved and len(supplier) <= LOOKED_AT_TWICE:
        ways, asks = _priced(needs, needs.close_to(_units(ways, chosen, len(supplier))))
        chosen, gap, _ = _choose(ways, supplier, asks, limit, seconds)
    notes = []
    affordable = chosen
    if limit is not None:
        affordable, _, _ = _choose(ways, supplier, asks, None, seconds)
    if needs.guessed.any():
        notes.append(
            f"The margin of {count(int(needs.guessed.sum()), 'item')} is not known: it is taken as "
            "the usual share of the cost."
        )
    if gap > 0.01:
        notes.append(
            f"The orders were not proved to be the best: they may be up to {gap:,.2f} dearer."
            if np.isfinite(gap)
            else "Time ran out before the orders could be compared with the best there are."
        )
    held += not_ordered(needs, ways, chosen, affordable, budget, cover_days)
    held.sort(key=lambda item: (-(item.loss_per_day or 0), item.sku))
    return Basket(_lines(needs, ways, chosen), held, notes, gap)


def _units(ways: Ways, chosen: Ints, offers: int) -> Floats:
    """Units that were chosen of each offer; NaN for none."""
    units = np.full(offers, np.nan)
    for offer, some in ((ways.offer, ways.units), (ways.other, ways.other_units)):
        bought = chosen[offer[chosen] >= 0]
        units[offer[bought]] = some[bought]
    return units


def _priced(needs: Needs, quantities: Quantities) -> tuple[Ways, Asks]:
    """The ways, and what is asked of the orders, with what coming along with them is worth.

    Who is not in an order waits for a whole cycle; so an order costs what its regular items would
    lose then, and those that are in it get it back.
    """
    stakes, asked = needs.stakes, needs.stakes.asked
    ways = all_ways(stakes, quantities)
    home = stakes.offered.supplier[stakes.cycles.home]
    joining = stakes.joining()
    charge = stakes.cycles.charge + np.bincount(home, joining, minlength=len(asked.freight))
    cost = ways.cost.copy()
    for offer in (ways.offer, ways.other):
        supplier = np.where(offer >= 0, stakes.offered.supplier[offer], -1)
        cost -= np.where(supplier == home[ways.item], joining[ways.item], 0.0)
    priced = Ways(
        ways.item, ways.offer, ways.units, ways.value, ways.other, ways.other_units,
        ways.other_value, cost, ways.lost,
    )  # fmt: skip
    tolerance = np.full(len(charge), 0.004)
    return priced, Asks(asked.minimum, asked.free_from, asked.freight, charge, tolerance)


def _choose(
    ways: Ways, supplier: Ints, asks: Asks, budget: float | None, seconds: float
) -> tuple[Ints, float, bool]:
    """Row of the way of each item, the gap to the bound, and whether a program was solved.

    Suppliers that share no item are solved apart, unless they share a budget.
    """
    group = (
        np.zeros(len(asks.minimum), dtype=np.intp)
        if budget is not None
        else _groups(ways, supplier, len(asks.minimum))
    )
    of_way = np.where(ways.offer >= 0, group[supplier[ways.offer]], -1)
    of_item = np.full(int(ways.item.max()) + 1, -1)
    np.maximum.at(of_item, ways.item, of_way)
    chosen = np.zeros(len(of_item), dtype=np.intp)
    gap, solved = 0.0, False
    for each in np.unique(of_item):
        rows = np.flatnonzero(of_item[ways.item] == each)
        part = ways.take(rows)
        item = np.unique(part.item, return_inverse=True)[1]
        part = Ways(item, *(getattr(part, name) for name in list(Ways.__dataclass_fields__)[1:]))
        problem = Problem(part, supplier, asks, budget)
        best = problem.cheapest(part.cost)
        if problem.binds(best):
            solution = solve(problem, seconds)
            best, solved = solution.chosen, True
            gap += max(solution.cost - solution.bound, 0.0)
        chosen[of_item == each] = rows[best]
    return chosen, gap, solved


def _groups(ways: Ways, supplier: Ints, count: int) -> Ints:
    """Number of the group of each supplier: those that offer the same items are in one."""
    group = np.arange(count)
    bought = np.flatnonzero(ways.offer >= 0)
    pairs = np.unique(np.stack([ways.item[bought], supplier[ways.offer[bought]]], axis=1), axis=0)
    same = pairs[1:, 0] == pairs[:-1, 0]
    for one, other in np.unique(np.stack([pairs[:-1, 1], pairs[1:, 1]], axis=1)[same], axis=0):
        group[group == group[other]] = group[one]
    return group


def _lines(needs: Needs, ways: Ways, chosen: Ints) -> pd.DataFrame:
    """What was chosen, a row per SKU and supplier."""
    parts = []
    way = chosen[ways.offer[chosen] >= 0]
    nxt = _next_best(ways, chosen)
    for offer, units, value in (
        (ways.offer, ways.units, ways.value),
        (ways.other, ways.other_units, ways.other_value),
    ):
        some = way[offer[way] >= 0]
        parts.append((some, offer[some], units[some], value[some]))
    row, offer, units, value = (np.concatenate([p[k] for p in parts]) for k in range(4))
    item = ways.item[row]
    best = nxt[item]
    there = best >= 0
    at = np.maximum(best, 0)
    market_row = needs.rows[offer]
    frame = pd.DataFrame(
        {
            "sku": needs.table.index[item],
            "supplier": np.array(needs.suppliers, dtype=object)[
                needs.stakes.offered.supplier[offer]
            ],
            "offer": market_row,
            "units": np.rint(units).astype(np.int64),
            "wanted": needs.wanted[offer],
            "due": needs.stakes.goods.due[item],
            "unit_cost": value / units,
            "value": value,
            "lost": ways.lost[row],
            "next_offer": np.where(there, needs.rows[np.maximum(ways.offer[at], 0)], -1),
            "next_unit_cost": np.where(there, _per_unit(ways, at), np.nan),
            "next_lost": np.where(there, ways.lost[at], np.nan),
        }
    )
    return frame.sort_values(["supplier", "sku"], ignore_index=True)


def _per_unit(ways: Ways, rows: Ints) -> Floats:
    units = ways.units[rows]
    none = np.full(len(rows), np.nan)
    return np.asarray(np.divide(ways.value[rows], units, out=none, where=units > 0))


def _next_best(ways: Ways, chosen: Ints) -> Ints:
    """Of each item the cheapest way at one other offer than the chosen ones; -1 without."""
    taken, other = ways.offer[chosen][ways.item], ways.other[chosen][ways.item]
    able = (ways.offer >= 0) & (ways.other < 0) & (ways.offer != taken) & (ways.offer != other)
    cost = np.where(able, ways.cost, np.inf)
    first = np.flatnonzero(np.diff(ways.item, prepend=-1))
    least = np.minimum.reduceat(cost, first)
    at = np.flatnonzero((cost == least[ways.item]) & able)
    best = np.full(len(first), -1)
    best[ways.item[at][::-1]] = at[::-1]
    return best
