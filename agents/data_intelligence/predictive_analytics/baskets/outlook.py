"""The demand of the items that may be ordered, over whichever days a question is about."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.statistics import Floats

Ints = NDArray[np.intp]

LEVEL_DAYS = 28
"""Days over which the demand per day is averaged."""

LEAD_TIME_CV = 0.3
"""Standard deviation of a lead time as a share of it, where nobody has measured it."""


class Outlook:
    """Demand of some of a model's SKUs; each horizon is asked of the model once.

    Args:
        demand: Of all SKUs.
        rows: Which of them are the items, in their order.
        lead_time_cv: Standard deviation of a lead time as a share of it.

    Attributes:
        per_day: Expected units a day, per item.
    """

    def __init__(self, demand: Demand, rows: Ints, lead_time_cv: float = 0.0) -> None:
        self._demand = demand
        self.lead_time_cv = lead_time_cv
        self._rows = rows
        self._spreads: dict[int, Spread] = {}
        self.per_day: Floats = demand.mean(LEVEL_DAYS)[rows] / LEVEL_DAYS

    def mean(self, of: Ints, days: Ints) -> Floats:
        """Expected units of some items, each over days of its own."""
        mean = np.zeros(len(of))
        for horizon in np.unique(days):
            some = days == horizon
            mean[some] = self._demand.mean(int(horizon))[self._rows[of[some]]]
        return mean

    def short(self, of: Ints, days: Ints, units: Floats) -> Floats:
        """Expected demand beyond ``units``.

        Args:
            of: Items; one may come several times.
            days: The horizon of each.
            units: What there is: shape (of,) or (of, k).
        """
        short = np.zeros(np.shape(units))
        for horizon in np.unique(days):
            some = np.flatnonzero(days == horizon)
            spread = self._spread(int(horizon)).rows(of[some])
            if np.ndim(units) == 1:
                short[some] = spread.shortage(units[some])
            else:
                for k in range(units.shape[1]):
                    short[some, k] = spread.shortage(units[some, k])
        return short

    def late(self, of: Ints, leads: Ints, more: Ints, units: Floats) -> Floats:
        """Expected demand beyond ``units`` until a delivery comes that may be early or late.

        Three lead times of equal chance, with the mean and the deviation that a lead time has.

        Args:
            of: Items.
            leads: Lead time of each, in days.
            more: Days until it is ordered.
            units: What there is, one number each.
        """
        if self.lead_time_cv == 0:
            return self.short(of, leads + more, units)
        off = leads * (self.lead_time_cv * np.sqrt(1.5))
        some = [np.maximum(np.round(leads + sign * off), 1.0) for sign in (-1, 0, 1)]
        each = [self.short(of, days.astype(np.intp) + more, units) for days in some]
        return np.asarray(np.mean(each, axis=0))

    def quantile(self, of: Ints, days: Ints, p: float) -> Floats:
        """Units that the demand of each does not exceed with probability ``p``."""
        units = np.zeros(len(of))
        for horizon in np.unique(days):
            some = days == horizon
            units[some] = self._spread(int(horizon)).rows(of[some]).quantile(p)
        return units

    def items(self, some: Ints) -> Outlook:
        """The same for some of the items."""
        part = Outlook(self._demand, self._rows[some], self.lead_time_cv)
        part._spreads = {days: spread.rows(some) for days, spread in self._spreads.items()}
        return part

    def _spread(self, days: int) -> Spread:
        if days not in self._spreads:
            self._spreads[days] = self._demand.spread(days).rows(self._rows)
        return self._spreads[days]
