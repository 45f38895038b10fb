"""Classes of a feature's values, each with as much weight: the trees split between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.demand.history import Weeks
from agents.statistics import Floats

MOST = 255
"""Classes of a feature: scikit-learn's trees know no more."""


@dataclass(frozen=True)
class Bins:
    """The classes of all features that tell items apart.

    scikit-learn makes the same ones by itself, but where rows have weights it sorts all of them
    again for each edge, which took two thirds of a fit. Values that are classes already are left
    as they are.

    Attributes:
        edges: By column of the features: rising; a value belongs to the first edge that it does
            not exceed. What is the same everywhere (a year ago, in a young shop) teaches nothing,
            is refused by the trees, and has none.
    """

    edges: Mapping[int, Floats]

    @classmethod
    def of(cls, features: Weeks, weight: Floats) -> Bins:
        """The classes of what is learned from: a row each, with a weight above 0."""
        edges = {at: _edges(column, weight) for at, column in enumerate(features.T)}
        return cls({at: each for at, each in edges.items() if len(each)})

    def codes(self, features: Weeks) -> Weeks:
        """Number of each value's class; NaN stays what it is. A column per feature with classes."""
        codes = np.empty((len(features), len(self.edges)), dtype=np.float32)
        for column, (at, edges) in enumerate(self.edges.items()):
            values = features[:, at]
            codes[:, column] = np.where(np.isnan(values), np.nan, np.searchsorted(edges, values))
        return codes


def _edges(values: Weeks, weight: Floats) -> Floats:
    """Weighted quantiles, or what lies between distinct values where they are few."""
    known = ~np.isnan(values)
    values, weight = values[known].astype(float), weight[known]
    distinct = np.unique(values)
    if len(distinct) <= MOST:
        return np.asarray((distinct[:-1] + distinct[1:]) / 2)
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    at = np.searchsorted(below, np.arange(1, MOST) / MOST * below[-1])
    return np.unique(values[order[np.minimum(at, len(order) - 1)]])
