"""Demands whose distribution is known, for the tests of what is ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from statistics import NormalDist

import numpy as np

from agents.data_intelligence.predictive_analytics.spread import Spread

RANKS = (np.arange(20_001) + 0.5) / 20_001


def normal_errors(count: int = 20_001) -> np.ndarray:
    return np.array([NormalDist().inv_cdf((k + 0.5) / count) for k in range(count)])


@dataclass
class Steady:
    """The same expected demand each day, with errors whose variance grows with the days."""

    rate: np.ndarray
    deviation: np.ndarray
    errors: np.ndarray = field(default_factory=normal_errors)
    today: date = date(2026, 3, 2)

    @property
    def skus(self) -> list[str]:
        return [f"A{i}" for i in range(len(self.rate))]

    def mean(self, days: int) -> np.ndarray:
        return self.rate * days

    def spread(self, days: int) -> Spread:
        group = np.zeros(len(self.rate), dtype=np.intp)
        return Spread(self.rate * days, self.deviation * np.sqrt(days), [self.errors], group)


def steady(
    rate: float | list[float], deviation: float | list[float] = 0.0, **more: np.ndarray
) -> Steady:
    return Steady(
        np.atleast_1d(np.array(rate, float)), np.atleast_1d(np.array(deviation, float)), **more
    )


def drawn(
    rate: float, deviation: float, draw: Callable[[np.random.Generator], np.ndarray]
) -> Steady:
    """One SKU whose errors are drawn."""
    return steady(rate, deviation, errors=np.sort(draw(np.random.default_rng(3))))
