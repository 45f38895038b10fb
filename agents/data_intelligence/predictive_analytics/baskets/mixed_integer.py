"""A few items as one mixed-integer program, for HiGHS."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.data_intelligence.predictive_analytics.baskets.problem import Problem
from agents.statistics import Floats

NODES = 50
"""Nodes of the search where the state is settled: unlike time, they give the same plan each day."""


def whole(
    problem: Problem, rows: Ints, seconds: float, state: tuple[Floats, Floats] | None = None
) -> tuple[Ints, float, bool] | None:
    """HiGHS on some of the ways: of each item at least one.

    Args:
        problem: What to choose from.
        rows: The ways, rising.
        seconds: Its time.
        state: Which suppliers are ordered from, and whose freight is waived, where that is settled.

    Returns:
        The way of each item, the bound for these ways, and whether it came to its end; None
        without a choice that keeps what is asked.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    asks, suppliers, count = problem.asks, problem.count, len(rows)
    matrix, low, high = _constraints(problem, rows)
    cost = np.concatenate([problem.ways.cost[rows], asks.charge, -asks.freight])
    never = np.isinf(asks.free_from)
    lower = np.zeros(len(cost))
    upper = np.concatenate([np.ones(count + suppliers), np.where(never, 0.0, 1.0)])
    if state is not None:
        lower[count:] = upper[count:] = np.concatenate(state)
    options: dict[str, float] = {"time_limit": seconds, "mip_rel_gap": 1e-6}
    if state is not None:
        options["node_limit"] = NODES
    found: Any = milp(
        cost,
        constraints=LinearConstraint(matrix, low, high),
        bounds=Bounds(lower, upper),
        integrality=np.ones(len(cost)),
        options=options,
    )
    if found.x is None:
        return None
    share = np.full(len(problem.ways.item), 1.0)
    share[rows] = -found.x[:count]
    bound = found.mip_dual_bound
    bound = float(found.fun if bound is None else bound)
    return problem.cheapest(share), bound, found.status == 0


def _constraints(problem: Problem, rows: Ints) -> tuple[Any, Floats, Floats]:
    """The matrix of all constraints, and their limits."""
    from scipy.sparse import csr_array, diags_array, hstack, vstack

    asks, count, n = problem.asks, len(rows), problem.count
    one_each = csr_array(
        (np.ones(count), (problem.ways.item[rows], np.arange(count))), (problem.items, count)
    )
    # The most that can be bought of a supplier: each item's greatest.
    most = np.zeros((problem.items, n))
    np.maximum.at(most, problem.ways.item[rows], problem.goods[rows])
    most_of = np.maximum(most.sum(axis=0), 1.0)
    goods = csr_array((problem.goods[rows] / most_of).T)
    none = csr_array((problem.items, n))
    free = np.where(np.isinf(asks.free_from), 0.0, asks.free_from - asks.tolerance)
    minimum = np.maximum(asks.minimum - asks.tolerance, 0.0)
    empty = csr_array((n, n))
    parts = [
        hstack([one_each, none, none]),
        hstack([goods, diags_array(-minimum / most_of), empty]),
        hstack([goods, empty, diags_array(-free / most_of)]),
        hstack([goods, diags_array(-np.ones(n)), empty]),
        hstack([csr_array((n, count)), diags_array(np.ones(n)), diags_array(-np.ones(n))]),
    ]
    low = [np.ones(problem.items), np.zeros(n), np.zeros(n), np.full(n, -np.inf), np.zeros(n)]
    high = [np.ones(problem.items), *[np.full(n, np.inf)] * 2, np.zeros(n), np.full(n, np.inf)]
    if problem.budget is not None:
        spent = np.concatenate([problem.goods[rows].sum(axis=1), asks.freight, -asks.freight])
        parts.append(csr_array(spent[None, :]))
        low.append(np.array([-np.inf]))
        high.append(np.array([problem.budget]))
    return vstack(parts).tocsr(), np.concatenate(low), np.concatenate(high)
