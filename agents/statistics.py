"""Robust statistics: estimates that one wild day cannot move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

NORMAL_MAD = 1.4826
"""MAD times this is the standard deviation, for normal data."""


def robust_deviation(values: ArrayLike) -> float:
    """Standard deviation as the median distance from the median tells it."""
    given = np.asarray(values, dtype=float)
    return NORMAL_MAD * float(np.median(np.abs(given - np.median(given))))


def row_medians(values: Floats) -> Floats:
    """Median of the finite numbers of each row; NaN where there is none."""
    if not values.size:
        return np.full(len(values), np.nan)
    ranked = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    count = np.isfinite(values).sum(axis=1)
    row = np.arange(len(values))
    middle = (ranked[row, np.maximum(count - 1, 0) // 2] + ranked[row, count // 2]) / 2
    return np.asarray(np.where(count > 0, middle, np.nan))


@dataclass(frozen=True)
class Slope:
    """A robust straight-line slope per step, with its 95% confidence limits."""

    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the confidence interval excludes zero."""
        return self.low > 0 or self.high < 0


def theil_sen(values: ArrayLike, at: ArrayLike | None = None) -> Slope:
    """Median of all pairwise slopes, with Sen's interval.

    The interval takes the slopes at ranks ``(N ± 1.96 σ) / 2`` where σ² = n(n-1)(2n+5)/18 is
    the variance of Kendall's S (Sen 1968, JASA 63:1379). It assumes independent residuals.

    Args:
        values: At least three numbers.
        at: Their distinct positions, rising; 0, 1, 2, ... when None.
    """
    y = np.asarray(values, dtype=float)
    x = np.arange(len(y)) if at is None else np.asarray(at, dtype=float)
    n = len(y)
    i, j = np.triu_indices(n, k=1)
    slopes = np.sort((y[j] - y[i]) / (x[j] - x[i]))
    half = 1.96 * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = int(np.floor((len(slopes) - half) / 2))
    high = int(np.ceil((len(slopes) + half) / 2))
    return Slope(
        float(np.median(slopes)),
        float(slopes[max(low, 0)]),
        float(slopes[min(high, len(slopes) - 1)]),
    )


def change_percent(value: float, reference: float) -> float | None:
    """Relative change in percent; None when there is nothing to compare with."""
    return 100 * (value / reference - 1) if reference else None
