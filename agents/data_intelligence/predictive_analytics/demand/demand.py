"""What every model of demand can be asked."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.statistics import Floats


class Demand(Protocol):
    """The demand of some SKUs from a day on."""

    @property
    def skus(self) -> list[str]:
        """One row each, in this order, in everything that is returned."""
        ...

    @property
    def today(self) -> date:
        """The first day that is forecast."""
        ...

    def mean(self, days: int) -> Floats:
        """Expected units over the next ``days`` calendar days, per SKU."""
        ...

    def spread(self, days: int) -> Spread:
        """Distribution of the units over the next ``days`` calendar days."""
        ...
