"""How much the orders so far prove: a lower bound on what one saves, by betting. Pure.

Savings of orders are no bell curve: most are small, a few, where one side ran out and the other did
not, are large; they are looked at again with each one that comes in; and there are few. Student's
interval is made for none of that. Betting is (Waudby-Smith and Ramdas 2024, "Estimating means of
bounded random variables by betting", JRSS-B 86:1). Whoever believes that an order saves no more
than ``m`` on average must take our bet on each, at fair odds: of a capital of 1 a share ``s`` is
staked on each order, which turns it into ``1 + s (x - m) / (1 + m)`` of itself, where ``x`` is the
saving, in units in which no loss exceeds 1. While the belief holds the capital is expected not to
grow, so that it ever reaches 20 with a chance of at most 1 in 20 (Ville 1939): at whatever number
of orders one looks, and however often. The bound is the largest ``m`` that has lost so much.

That losses are bounded is no assumption: what costs more is a bad one, and counts apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.statistics import Floats

STAKES = np.sin(np.pi * (np.arange(64) + 0.5) / 128) ** 2
"""Shares of the capital that are staked, side by side, as nobody knows the best one.

They are spread as Cover's universal portfolio spreads them (arcsine law; Cover and Ordentlich 1996,
IEEE Trans. Inf. Theory 42:348): the capital is then little less than by the best of them.
"""

_HALVINGS = 50


def is_proven(
    savings: Sequence[float], most_lost: float, confidence: float, at_least: float
) -> bool:
    """Whether orders save so much on average, or more; as ``lower_bound`` has it."""
    x, mean = _in_units(savings, most_lost), at_least / most_lost
    return mean <= -1.0 or _log_capital(x, mean) >= -np.log1p(-confidence)


def lower_bound(savings: Sequence[float], most_lost: float, confidence: float) -> float:
    """What an order saves on average, at least.

    More saved by any of them never lowers it, and their order does not matter.

    Args:
        savings: What each order saved, in money; below zero where it cost more.
        most_lost: Money that no order can lose more of, above zero; what is said to have lost more
            counts as that.
        confidence: How sure to be, for instance 0.95.

    Returns:
        Money; ``-most_lost`` where nothing is known.
    """
    low, high = -1.0, float(_in_units(savings, most_lost).mean()) if len(savings) else -1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if is_proven(savings, most_lost, confidence, middle * most_lost):
            low = middle
        else:
            high = middle
    return low * most_lost


def _in_units(savings: Sequence[float], most_lost: float) -> Floats:
    return np.maximum(np.asarray(savings, dtype=float) / most_lost, -1.0)


def _log_capital(x: Floats, mean: float) -> float:
    """Logarithm of what a capital of 1 became, had an order saved no more than ``mean``."""
    gains = np.log1p(np.outer(STAKES, (x - mean) / (1 + mean))).sum(axis=1)
    most = gains.max()
    return float(most + np.log(np.exp(gains - most).mean()))
