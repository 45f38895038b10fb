"""How far orders went from what was usual, at each moment of the past.

Two things are followed: how many orders should have come since the last one (silence), and how
much fewer came within the last hours than usually (a shortfall).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.anomaly_detection.orders.limits import surprise
from blocks.store.hours.counts import Floats

WINDOWS = (1, 2, 4, 8)
"""Hours over which a shortfall is looked for."""

PACE_HOURS = 24
PACE_PRIOR = 25.0
"""Orders by which the pace of the last day is drawn towards the usual one."""

LEAST_STEPS = 2

_PER_HOUR = 12


def silences(orders: Floats, expected: Floats) -> Floats:
    """At the end of each step, how many orders should have come since the last one.

    They are expected at the pace of the 24 hours up to the last order: a slow day's silences are
    longer. The last order is taken to have come in the middle of its step.
    """
    at = np.arange(len(orders))
    last = np.maximum.accumulate(np.where(orders > 0, at, -1))
    there = np.maximum(last, 0)
    due = np.cumsum(expected)
    since = due - due[there] + 0.5 * expected[there]
    since *= _pace(orders, expected)[there]
    return np.asarray(np.where((last >= 0) & (orders == 0), since, 0.0))


def pace(seen: float, expected: float) -> float:
    """At which share of the usual pace orders came in the last day."""
    return (seen + PACE_PRIOR) / (expected + PACE_PRIOR)


def _pace(orders: Floats, expected: Floats) -> Floats:
    window = PACE_HOURS * _PER_HOUR
    seen, due = within(orders, window), within(expected, window)
    return (seen + PACE_PRIOR) / (due + PACE_PRIOR)


def is_silent(orders: Floats, missed: Floats, limit: float) -> NDArray[np.bool_]:
    """Whether too many orders are missing at the end of each step, and for two steps at least.

    However busy the shop, one step without an order may merely be late.
    """
    return np.asarray((missed > limit) & (within(orders, LEAST_STEPS) == 0))


def apart_from(silent: NDArray[np.bool_], orders: Floats, expected: Floats) -> Floats:
    """What was expected, without whole silences that were told: they are no shortfall as well."""
    run = np.cumsum(orders > 0)
    return np.asarray(expected * ~np.isin(run, np.unique(run[silent])))


def shortfalls(orders: Floats, expected: Floats, hours: int, share: float) -> Floats:
    """At the end of each step, how surprisingly few orders came in the hours before.

    Args:
        orders: Per step.
        expected: Per step.
        hours: Length of the window.
        share: Of what was expected; where more than this came, nothing is surprising.
    """
    seen = within(orders, hours * _PER_HOUR)
    due = within(expected, hours * _PER_HOUR)
    return np.asarray(np.where(seen <= share * due, surprise(seen, due), 0.0))


def within(values: Floats, steps: int) -> Floats:
    """The sum over each step and those before it, so many together."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    return np.asarray(sums[end] - sums[np.maximum(end - steps, 0)])


def worst_by_day(moments: Floats, day: NDArray[np.int64], counts: NDArray[np.bool_]) -> Floats:
    """The worst moment of each day that counts.

    Args:
        moments: How far orders strayed at each step.
        day: Number of each step's day.
        counts: Of each day, from the first one on, whether it counts.
    """
    found = np.zeros(len(counts))
    np.maximum.at(found, day - day[0], moments)
    return found[counts]
