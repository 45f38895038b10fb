"""All suppliers' orders solved together, where a minimum, freight or a budget binds.

Per item exactly one way is chosen (``x``), a supplier is ordered from or not (``y``), its delivery
is free or not (``z``):

    minimise    sum of cost x + sum of charge y - sum of waived z
    subject to  goods of a supplier >= minimum y, >= free_from z, <= all y;  z <= y
                goods + freight (y - z) of all <= budget

A few items are one mixed-integer program (HiGHS). Of many, the program is decomposed: what each
supplier is to be (closed, paid, free) is looked at in turn; the constraints are priced (Lagrangian
multipliers, by Kelley's cutting planes), so that each item is decided for itself, which gives the
bound of the linear program; and the items whose decision hangs by little are decided again
together.
"""

from __future__ import annotations

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.decomposition import Solution, decomposed
from agents.data_intelligence.predictive_analytics.baskets.mixed_integer import whole
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.problem import Problem

WHOLE = 2_000
"""Ways up to which they are one program."""


def solve(problem: Problem, seconds: float = 20.0) -> Solution:
    """The cheapest way of each item that keeps what is asked of the orders.

    Args:
        problem: What to choose from.
        seconds: The solver's time; then the best that was found counts, or, where none was, the
            ``fallback``.
    """
    if len(problem.ways.item) > WHOLE:
        return decomposed(problem, fallback(problem), seconds)
    best, bound, finished = fallback(problem), -np.inf, False
    if (found := whole(problem, np.arange(len(problem.ways.item)), seconds)) is not None:
        chosen, bound, finished = found
        best = problem.better(best, chosen)
    return Solution(best, problem.cost(best), bound, finished)


def fallback(problem: Problem) -> Ints:
    """A plan that keeps what is asked, found without a solver.

    Each item's cheapest way; suppliers whose minimum is not met are left out, the furthest from it
    first; then, beyond a budget, the items that gain least per money spent.
    """
    ways, asks = problem.ways, problem.asks
    closed = np.zeros(problem.count, dtype=bool)
    while True:
        usable = ~((problem.goods > 0) & closed).any(axis=1)
        chosen = problem.cheapest(np.where(usable, ways.cost, np.inf))
        goods = problem.goods[chosen].sum(axis=0)
        lacking = np.where(goods > 0, asks.minimum - asks.tolerance - goods, 0.0)
        if (lacking <= 0).all():
            break
        closed[np.argmax(lacking)] = True
    chosen = _within_budget(problem, chosen)
    return chosen if np.isfinite(problem.cost(chosen)) else problem.nothing


def _within_budget(problem: Problem, chosen: Ints) -> Ints:
    if problem.budget is None or np.isfinite(problem.cost(chosen)):
        return chosen
    spent = problem.goods[chosen].sum(axis=1)
    gain = problem.ways.cost[problem.nothing] - problem.ways.cost[chosen]
    ratio = np.divide(gain, spent, out=np.full(len(gain), -np.inf), where=spent > 0)
    chosen = chosen.copy()
    for item in np.argsort(ratio, kind="stable"):
        chosen[item] = problem.nothing[item]
        if np.isfinite(problem.cost(chosen)):
            break
    return chosen
