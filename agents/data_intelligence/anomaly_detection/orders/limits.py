"""How far orders have to stray before it is beyond chance, by the shop's own past.

Counts of orders stray further than Poisson's: customers come in waves, some days are slow. So each
day of the past says how far the worst moment of it went, and the tail of these worst moments is
carried on to what happens once per budget: above a high quantile, excesses of such maxima fall off
exponentially (Pickands 1975; the generalized Pareto distribution with shape 0). Where this
lies below what chance alone does, chance counts.
"""

from __future__ import annotations

import math

import numpy as np

from blocks.store.hours.counts import Floats

TAIL = 0.15
"""Share of the days whose worst moments are the tail."""

TRIMMED = 0.03
"""Share of the days that are left out of it at its end: past outages must not teach that they are
usual."""

FEWEST_DAYS = 20


def beyond_chance(
    worst: Floats, per_week: float, budget: float, trimmed: float = TRIMMED
) -> float | None:
    """What the worst moment of a day passes so often as the budget allows.

    Args:
        worst: How far each day of the past went at its worst.
        per_week: So many of these days are in a usual week.
        budget: Times per week that a limit may be passed by chance.
        trimmed: Share of the days whose worst moments are not believed to be chance.

    Returns:
        The limit; None when there are too few days to tell.
    """
    if len(worst) < FEWEST_DAYS:
        return None
    ranked = np.sort(worst)[::-1]
    tail = max(8, round(TAIL * len(ranked)))
    gone = round(trimmed * len(ranked))
    start = float(ranked[tail])
    # The largest few of exponential excesses are known by the others: each counts as the largest
    # that stays, which is the maximum likelihood for a sample that is censored there.
    kept = ranked[gone:tail] - start
    scale = float((kept.sum() + gone * kept[0]) / max(1, tail - gone))
    exceeded = tail / len(ranked) * per_week
    return start + scale * max(0.0, math.log(exceeded / budget))


def by_chance_alone(orders_per_week: float, budget: float) -> float:
    """Orders that have to be missing in a row were they independent of each other.

    The gaps of a Poisson process, in orders expected during each, are exponential with mean 1: of
    ``n`` gaps a week, ``n exp(-x)`` are longer than ``x``.
    """
    return math.log(max(orders_per_week / budget, math.e))


def surprise(seen: Floats, expected: Floats) -> Floats:
    """How much fewer came than was expected: Poisson's log-likelihood ratio; 0 for more.

    With none at all it is the number that was expected, so it is told in orders, too.
    """
    low = np.maximum(seen, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.where(low > 0, low * np.log(low / np.maximum(expected, 1e-12)), 0.0)
    return np.where(low < expected, told - low + expected, 0.0)
