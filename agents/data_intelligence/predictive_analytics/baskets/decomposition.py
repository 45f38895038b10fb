"""The program of many items: each constraint has a price, and each item decides for itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from time import monotonic

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.mixed_integer import whole
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.problem import Problem
from agents.statistics import Floats

AGAIN = 40
"""Items that are decided again together."""

EVERY_STATE = 5
"""Suppliers of which every combination of states is looked at."""

DEAREST = 20.0
"""The most that a constraint is priced at, in cost per money of goods."""

CLOSE = 1e-3
"""Share of the bound within which that is not done: less than any forecast is good for."""

SECONDS = 2.0
"""Time for that, per combination of states."""

CUTS = 80
ABOVE = (0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)

CLOSED, PAID, FREE = range(3)

State = tuple[int, ...]


@dataclass(frozen=True)
class Solution:
    """What was chosen.

    Attributes:
        chosen: Row of the way of each item.
        cost: The objective of it.
        bound: What no choice can be cheaper than; minus infinity where it is not known.
        finished: Whether the solver ended by itself; else time ran out.
    """

    chosen: Ints
    cost: float
    bound: float
    finished: bool


def decomposed(problem: Problem, best: Ints, seconds: float) -> Solution:
    """As ``solve``, of many items.

    Where there are more than ``EVERY_STATE`` suppliers, their states are changed one at a time as
    long as that helps, and the bound is that of the items alone.
    """
    until = monotonic() + seconds
    asks = problem.asks
    options = [
        [CLOSED, PAID] if np.isinf(free) or freight <= 0 else [CLOSED, PAID, FREE]
        for free, freight in zip(asks.free_from, asks.freight, strict=True)
    ]
    every = problem.count <= EVERY_STATE
    first = _state_of(problem, best)
    states = list(product(*options)) if every else [first]
    quick = {state: _Priced(problem, state).alone() for state in states}
    cost, bound, finished = problem.cost(best), np.inf, True
    seen: set[State] = set()
    queue = sorted(states, key=lambda state: quick[state])
    while queue:
        state = queue.pop(0)
        seen.add(state)
        if quick.get(state, -np.inf) >= cost:
            bound = min(bound, quick[state])
            continue
        if monotonic() > until:
            bound, finished = min(bound, quick.get(state, -np.inf)), False
            continue
        priced = _Priced(problem, state)
        least = priced.settle(until)
        bound = min(bound, least)
        if least >= cost:
            continue
        rounded = priced.rounded()
        if problem.cost(rounded) - least > CLOSE * abs(least) or problem.items <= AGAIN:
            found = whole(problem, priced.undecided(), SECONDS, priced.state)
            rounded = rounded if found is None else problem.better(rounded, found[0])
        if problem.cost(rounded) < cost:
            best, cost = rounded, problem.cost(rounded)
            if not every:
                queue += [s for s in _neighbours(state, options) if s not in seen]
    if not every:
        charge = asks.charge - np.where(np.isinf(asks.free_from), 0.0, asks.freight)
        items = np.minimum.reduceat(problem.ways.cost, problem.first).sum()
        bound = float(items + np.minimum(charge, 0.0).sum())
    return Solution(best, cost, float(min(bound, cost)), finished)


def _state_of(problem: Problem, chosen: Ints) -> State:
    goods = problem.goods[chosen].sum(axis=0)
    free = goods >= problem.asks.free_from - problem.asks.tolerance
    return tuple(np.where(goods > 0, np.where(free, FREE, PAID), CLOSED).tolist())


def _neighbours(state: State, options: list[list[int]]) -> list[State]:
    return [
        (*state[:at], other, *state[at + 1 :])
        for at, some in enumerate(options)
        for other in some
        if other != state[at]
    ]


class _Priced:
    """The program with what each supplier is, and a price for each constraint."""

    def __init__(self, problem: Problem, state: State) -> None:
        asks, at = problem.asks, np.array(state)
        self._problem = problem
        self.state = ((at != CLOSED).astype(float), (at == FREE).astype(float))
        self._cost = problem.ways.cost.copy()
        self._cost[(problem.goods[:, at == CLOSED] > 0).any(axis=1)] = np.inf
        self._least = np.where(at == FREE, np.maximum(asks.free_from, asks.minimum), asks.minimum)
        self._least = np.where(at == CLOSED, 0.0, self._least - asks.tolerance)
        self._fixed = float(asks.charge[at != CLOSED].sum() - asks.freight[at == FREE].sum())
        self._left = np.inf
        if problem.budget is not None:
            self._left = problem.budget - float(asks.freight[at == PAID].sum())
        self._spent = problem.goods.sum(axis=1)
        self._prices = np.zeros(problem.count + 1)

    def alone(self) -> float:
        """A bound without prices."""
        return self._value(self._prices)[0]

    def settle(self, until: float) -> float:
        """Find the prices of the greatest bound, and return it."""
        from scipy.optimize import linprog

        active = np.append(self._least > 0, np.isfinite(self._left))
        if not active.any():
            return self.alone()
        size = int(active.sum())
        prices = np.zeros(size)
        cuts: list[Floats] = []
        limits: list[float] = []
        best = -np.inf
        for _ in range(CUTS):
            whole_prices = np.zeros(len(active))
            whole_prices[active] = prices
            value, slope = self._value(whole_prices)
            if value > best:
                best, self._prices = value, whole_prices
            # value(p) <= value + slope (p - prices): the bound is concave in the prices.
            cuts.append(np.append(-slope[active], 1.0))
            limits.append(value - float(slope[active] @ prices))
            found = linprog(
                np.append(np.zeros(size), -1.0),
                A_ub=np.array(cuts),
                b_ub=np.array(limits),
                bounds=[(0.0, DEAREST)] * size + [(None, None)],
            )
            if found.x is None or monotonic() > until:
                break
            if -found.fun - best <= 1e-4 * max(1.0, abs(best)) ** 0.5:
                break
            prices = found.x[:size]
        return best

    def rounded(self) -> Ints:
        """The way that each item chooses at the prices."""
        return self._keeping()[1]

    def undecided(self) -> Ints:
        """Ways to decide again: all of the items that change for little, of others the best."""
        ways = self._problem.ways
        cost, chosen = self._keeping()
        regret = cost - cost[chosen][ways.item]
        regret[chosen] = np.inf
        nearest = np.minimum.reduceat(regret, self._problem.first)
        again = np.zeros(self._problem.items, dtype=bool)
        again[np.argsort(nearest, kind="stable")[:AGAIN]] = True
        keep = again[ways.item] & np.isfinite(cost)
        keep[chosen] = True
        # Of an item that is decided already, the cheapest other way would only make it larger.
        return np.flatnonzero(keep)

    def _keeping(self) -> tuple[Floats, Ints]:
        """Cost at the prices, or those so little above that the choice keeps what is asked.

        At the very prices some items hang between two ways, and a constraint may just be missed.
        """
        active = np.append(self._least > 0, np.isfinite(self._left))
        for above in ABOVE:
            prices = np.where(active, self._prices * (1 + above) + above / 100, 0.0)
            cost = self._reduced(prices)
            chosen = self._problem.cheapest(cost)
            if np.isfinite(self._problem.cost(chosen)):
                break
        return cost, chosen

    def _reduced(self, prices: Floats) -> Floats:
        goods = self._problem.goods
        return np.asarray(self._cost - goods @ prices[:-1] + prices[-1] * self._spent)

    def _value(self, prices: Floats) -> tuple[float, Floats]:
        """The bound at some prices, and its slope."""
        cost = self._reduced(prices)
        chosen = self._problem.cheapest(cost)
        budget = self._left if np.isfinite(self._left) else 0.0
        value = cost[chosen].sum() + self._fixed
        value += prices[:-1] @ self._least - prices[-1] * budget
        slope = self._least - self._problem.goods[chosen].sum(axis=0)
        return float(value), np.append(slope, self._spent[chosen].sum() - budget)
