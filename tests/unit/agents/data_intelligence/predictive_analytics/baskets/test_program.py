"""The program of all orders, beside every choice there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.data_intelligence.predictive_analytics.baskets.decomposition import decomposed
from agents.data_intelligence.predictive_analytics.baskets.problem import Asks, Problem
from agents.data_intelligence.predictive_analytics.baskets.program import fallback, solve
from agents.data_intelligence.predictive_analytics.baskets.ways import Ways

SUPPLIER = np.array([0, 1, 0, 1, 0, 1])
"""Of the two offers of each of three items."""

PACKS = 4


def ways_of(price: list[float], waiting: list[float], wanted: list[int]) -> Ways:
    """Nothing, or 1 to PACKS packs at one offer or split over both, of three items.

    An order costs what its price is above the item's least, and what lies or lacks.
    """
    rows = []
    for item in range(3):
        mine = price[2 * item : 2 * item + 2]
        for packs in product(range(PACKS + 1), repeat=2):
            bought = sum(packs)
            cost = waiting[item]
            if bought:
                premium = sum(n * (p - min(mine)) for n, p in zip(packs, mine, strict=True))
                lines = sum(n > 0 for n in packs)
                cost = premium + lines + 0.7 * (bought - wanted[item]) ** 2
            first, other = (0, 1) if packs[0] else (1, 0)
            rows.append(
                (
                    item,
                    2 * item + first if bought else -1,
                    packs[first],
                    packs[first] * mine[first],
                    2 * item + other if packs[other] and packs[first] else -1,
                    packs[other] if packs[first] else 0,
                    packs[other] * mine[other] if packs[first] else 0.0,
                    cost,
                    0.0,
                )
            )
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    whole = (0, 1, 4)
    return Ways(*(c.astype(np.intp if k in whole else float) for k, c in enumerate(columns)))


def every_choice(problem: Problem) -> float:
    """The least cost of all choices, each looked at as one would by hand."""
    ways, asks = problem.ways, problem.asks
    of_item = [np.flatnonzero(ways.item == item) for item in range(3)]
    grid = np.array(list(product(*of_item)))
    goods = np.zeros((len(grid), 2))
    for rows in grid.T:
        for offer, value in ((ways.offer, ways.value), (ways.other, ways.other_value)):
            for supplier in range(2):
                mine = (offer[rows] >= 0) & (SUPPLIER[offer[rows]] == supplier)
                goods[:, supplier] += np.where(mine, value[rows], 0.0)
    cost = ways.cost[grid].sum(axis=1)
    keeps = np.ones(len(grid), dtype=bool)
    spent = goods.sum(axis=1)
    for supplier in range(2):
        ordered = goods[:, supplier] > 0
        free = ordered & (goods[:, supplier] >= asks.free_from[supplier] - 0.004)
        keeps &= ~ordered | (goods[:, supplier] >= asks.minimum[supplier] - 0.004)
        cost += ordered * asks.charge[supplier] - free * asks.freight[supplier]
        spent = spent + (ordered & ~free) * asks.freight[supplier]
    if problem.budget is not None:
        keeps &= spent <= problem.budget + 1e-6
    return float(cost[keeps].min())


amounts = st.integers(0, 4000).map(lambda cents: cents / 100)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    prices = st.integers(50, 900).map(lambda cents: cents / 100)
    price = draw(st.lists(prices, min_size=6, max_size=6))
    waiting = draw(st.lists(amounts, min_size=3, max_size=3))
    wanted = draw(st.lists(st.integers(1, PACKS), min_size=3, max_size=3))
    freight = np.array(draw(st.lists(amounts.map(lambda a: a / 4), min_size=2, max_size=2)))
    minimum = np.array(draw(st.lists(amounts, min_size=2, max_size=2)))
    free = draw(st.lists(st.none() | amounts, min_size=2, max_size=2))
    budget = draw(st.none() | amounts)
    asks = Asks(
        minimum,
        np.array([np.inf if f is None else max(f, 0.01) for f in free]),
        freight,
        freight * draw(st.sampled_from([0.5, 1.0])),
        np.full(2, 0.004),
    )
    return Problem(ways_of(price, waiting, wanted), SUPPLIER, asks, budget)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_choice_is_cheaper(problem: Problem):
    least = every_choice(problem)
    solution = solve(problem)
    assert solution.finished
    assert solution.cost == pytest.approx(least, abs=1e-4)
    assert solution.cost == pytest.approx(problem.cost(solution.chosen))
    assert solution.bound <= least + 1e-4


@settings(max_examples=40, deadline=None)
@given(problems())
def test_nor_where_it_is_decomposed(problem: Problem):
    least = every_choice(problem)
    solution = decomposed(problem, fallback(problem), 20.0)
    assert solution.bound <= least + 1e-4
    assert solution.cost == pytest.approx(least, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_without_a_solver_the_plan_keeps_what_is_asked(problem: Problem):
    assert np.isfinite(problem.cost(fallback(problem)))
    assert problem.cost(fallback(problem)) >= every_choice(problem) - 1e-6


def many(seed: int, items: int, offers: int = 10) -> Problem:
    """Items at three suppliers, whose minimum and free freight need some of them moved."""
    rng = np.random.default_rng(seed)
    count = 3 * offers + 1
    item, k = np.repeat(np.arange(items), count), np.tile(np.arange(count), items)
    supplier = np.maximum(k - 1, 0) // offers
    offer = np.where(k == 0, -1, 3 * item + supplier)
    price = rng.lognormal(2, 1, items)
    premium = rng.uniform(0, 0.15, (items, 3))[item, supplier] * price[item]
    units = np.where(k > 0, (k - 1) % offers + 1.0, 0.0)
    wanted = rng.integers(2, 7, items)[item]
    order = 0.02 * price[item] * (units - wanted) ** 2 + units * premium
    cost = np.where(k > 0, order, rng.exponential(5, items)[item])
    value = units * (price[item] + premium)
    none, nil = np.full(len(item), -1), np.zeros(len(item))
    total = value[k == 3].sum()
    asks = Asks(
        np.array([0.5 * total, 0.0, 0.3 * total]),
        np.array([np.inf, 0.6 * total, np.inf]),
        np.array([200.0, 0.5 * items, 30.0]),
        np.array([100.0, 0.5 * items, 30.0]),
        np.full(3, 0.004),
    )
    ways = Ways(item, offer, units, value, none, nil, nil, cost, nil)
    return Problem(ways, np.tile(np.arange(3), items), asks, 0.8 * total if seed % 2 else None)


@pytest.mark.parametrize("seed", [0, 1])
def test_many_items_come_close_to_the_bound(seed: int):
    problem = many(seed, 1_500)
    solution = solve(problem, 60.0)
    assert np.isfinite(problem.cost(solution.chosen))
    assert solution.cost - solution.bound <= 0.002 * abs(solution.bound)


def test_when_time_has_run_out_the_plan_still_keeps_what_is_asked():
    problem = many(0, 300)
    solution = solve(problem, 0.0)
    assert not solution.finished
    assert np.isfinite(problem.cost(solution.chosen))
    assert solution.bound <= solution.cost
