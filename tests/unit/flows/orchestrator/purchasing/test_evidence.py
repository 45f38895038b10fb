"""The lower bound: against capital counted out by hand, its laws, and how often it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.orchestrator.purchasing.evidence import STAKES, is_proven, lower_bound

SAVINGS = st.lists(st.floats(-10, 50), min_size=1, max_size=40)


def capital(savings: list[float], most_lost: float, at_least: float) -> float:
    """Bet by bet, for each stake."""
    ends = []
    for stake in STAKES:
        money = 1.0
        for saved in savings:
            money *= 1 + stake * (saved - at_least) / (most_lost + at_least)
        ends.append(money)
    return sum(ends) / len(ends)


@pytest.mark.parametrize("at_least", [-2.0, 0.0, 0.7])
@pytest.mark.parametrize("savings", [[1.0] * 30, [5, -3, 4, 4, -10, 9] * 4, [2.0, 30.0]])
def test_it_is_proven_when_a_capital_of_1_became_20(savings, at_least):
    money = capital(savings, 10.0, at_least)
    assert is_proven(savings, 10.0, 0.95, at_least) is (money >= 20)


@pytest.mark.parametrize("savings", [[1.0] * 30, [5, -3, 4, 4, -10, 9] * 4, [2.0, 30.0]])
def test_the_bound_is_where_the_capital_is_20(savings):
    bound = lower_bound(savings, 10.0, 0.95)
    assert math.isclose(capital(savings, 10.0, bound), 20, rel_tol=1e-6)
    assert -10 <= bound < np.mean(savings)


def test_of_nothing_nothing_is_known():
    assert lower_bound([], 10.0, 0.95) == -10
    assert lower_bound([-10.0, -10.0], 10.0, 0.95) == -10
    assert lower_bound([-500.0, 9.0], 10.0, 0.95) == lower_bound([-10.0, 9.0], 10.0, 0.95)


def test_the_same_cost_as_the_rule_is_never_a_proof_that_it_is_no_more():
    assert not is_proven([0.0] * 5_000, 10.0, 0.95, 0.0)
    assert is_proven([0.0] * 60, 10.0, 0.95, -1.0), "but that it is a margin more at most"


@given(SAVINGS, st.data())
def test_more_saved_by_any_order_never_lowers_it(savings, data):
    which = data.draw(st.integers(0, len(savings) - 1))
    more = list(savings)
    more[which] += data.draw(st.floats(0, 1_000))
    assert lower_bound(more, 10.0, 0.95) >= lower_bound(savings, 10.0, 0.95) - 1e-6
    for at_least in (-5.0, 0.0, 1.0):
        assert is_proven(more, 10.0, 0.95, at_least) >= is_proven(savings, 10.0, 0.95, at_least)


@given(SAVINGS, st.randoms(use_true_random=False))
def test_the_order_of_the_orders_does_not_matter(savings, chance):
    shuffled = list(savings)
    chance.shuffle(shuffled)
    assert math.isclose(
        lower_bound(shuffled, 10.0, 0.95), lower_bound(savings, 10.0, 0.95), abs_tol=1e-6
    )


@given(SAVINGS)
def test_who_wants_to_be_surer_knows_less(savings):
    assert lower_bound(savings, 10.0, 0.99) <= lower_bound(savings, 10.0, 0.9) + 1e-6


def test_looked_at_after_each_order_it_is_wrong_of_one_in_twenty_at_most():
    """Fair coins of three shapes: even, many small gains and few large losses, and the reverse."""
    chance = np.random.default_rng(7)
    draws = {
        "even": chance.choice([-1.0, 1.0], (400, 120)),
        "rare losses": np.where(chance.random((400, 120)) < 0.1, -9.0, 1.0),
        "rare gains": np.where(chance.random((400, 120)) < 0.1, 9.0, -1.0),
    }
    for name, paths in draws.items():
        wrong = [any(is_proven(path[:n], 9.0, 0.95, 0.0) for n in range(1, 121)) for path in paths]
        assert np.mean(wrong) <= 0.05, name
