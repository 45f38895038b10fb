"""What is wanted, as ordering may rely on it: what is out does not fade, and no tail is absurd.

Two things mislead a model that sees sales alone. An item that is out sells nothing, and the longer
it is out the less anybody misses it. And an item that hardly sold before it took off has errors a
thousand times its forecast: the tail of its demand is then beyond anything that was ever sold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand
from agents.data_intelligence.predictive_analytics.demand.stock_outs import FORGOTTEN_DAYS
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.statistics import Floats

QUIET_DAYS = 14
"""Nothing sold for so long, and nothing there: it did not sell because it was not there."""

BELIEVABLE = 3.0
"""Demand of some weeks is at most this many times the most that was ever sold in as many weeks, or
than what is expected, with a chance of ``BELIEVABLE_CHANCE``."""

BELIEVABLE_CHANCE = 0.97

_BEFORE_WEEKS = 13  # whose mean level is the demand before an item ran out


@dataclass(frozen=True)
class WantedDemand:
    """A demand in which items that have been out are wanted as they were when they were there.

    Attributes:
        base: The demand of all others.
        weekly: Units per week that were wanted before the item ran out, one per SKU; NaN for items
            that are not out, or whose base knows of it.
        shares: What of a week's demand falls into the days from ``today`` on, one per day of a
            week.
        sales: Units of the past, one row per SKU; of what is out, the weeks since it ran out as
            they would have been.
    """

    base: Demand
    weekly: Floats
    shares: Floats
    sales: UnitSales
    _most: dict[int, Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls, base: Demand, model: DemandModel, last_sold: NDArray[np.datetime64], out: pd.Series
    ) -> WantedDemand:
        """See which items are out, and what they sold before.

        What was learned knows of days without stock already: its own word holds.

        Args:
            base: The demand to correct.
            model: The levels of the same SKUs.
            last_sold: Day of each SKU's last sale; NaT when it never sold.
            out: By SKU whether nothing of it is free; what is not in it is not out.
        """
        weekly, sales = np.full(len(model.skus), np.nan), model.units
        quiet = (np.datetime64(model.today) - last_sold) / np.timedelta64(1, "D")
        is_out = out.reindex(model.skus, fill_value=False).to_numpy(dtype=bool)
        missed = np.flatnonzero(is_out & (quiet >= QUIET_DAYS) & (quiet <= FORGOTTEN_DAYS))
        if len(missed):
            sales = replace(sales, weekly=sales.weekly.copy())
        for row in missed:
            end = model.weeks - int((quiet[row] - 1) // 7)  # the level after the last sale's week
            levels = model.levels[row, max(end - _BEFORE_WEEKS + 1, 0) : end + 1]
            known = levels[levels > 0]
            if len(known):
                weekly[row] = known.mean()
                sales.weekly[row, end:] = weekly[row]
        if isinstance(base, LearnedDemand):
            weekly[base.learned] = np.nan
        first = model.today.weekday()
        shares = np.roll(np.asarray(model.week_share), -first)
        return cls(base, weekly, shares, sales)

    @property
    def skus(self) -> list[str]:
        """As the base's."""
        return self.base.skus

    @property
    def today(self) -> date:
        """As the base's."""
        return self.base.today

    def mean(self, days: int) -> Floats:
        """Expected units over the next ``days`` calendar days, per SKU."""
        return np.asarray(np.fmax(self.base.mean(days), self._wanted(days)))

    def spread(self, days: int) -> Spread:
        """Distribution of the units over the next ``days`` calendar days.

        What is known of how far a forecast errs is known of the others: an item that is out has the
        dispersion index (squared error per unit of forecast) that is usual among them.
        """
        return self._believable(self._restored(self.base.spread(days), days), days)

    def _restored(self, spread: Spread, days: int) -> Spread:
        mean = np.fmax(spread.mean, self._wanted(days))
        raised = mean > spread.mean
        if not raised.any():
            return spread
        index = np.divide(
            spread.scale**2, spread.mean, out=np.full(len(mean), np.nan), where=spread.mean > 0
        )
        usual = float(np.nanmedian(index)) if np.isfinite(index).any() else 1.0
        scale = np.where(raised, np.sqrt(usual * mean), spread.scale)
        # It errs as the items do that sell about as much.
        order = np.argsort(spread.mean, kind="stable")
        like = np.searchsorted(spread.mean[order], mean[raised]).clip(max=len(order) - 1)
        group = spread.group.copy()
        group[raised] = spread.group[order[like]]
        return Spread(mean, scale, spread.errors, group)

    def _believable(self, spread: Spread, days: int) -> Spread:
        """The same, with no tail beyond belief."""
        most = BELIEVABLE * np.maximum(self._most_sold(days), spread.mean)
        at = [np.quantile(errors, BELIEVABLE_CHANCE) for errors in spread.errors]
        far = np.array(at)[spread.group]
        limit = np.divide(most - spread.mean, far, out=np.full(len(most), np.inf), where=far > 0)
        return Spread(spread.mean, np.minimum(spread.scale, limit), spread.errors, spread.group)

    def _most_sold(self, days: int) -> Floats:
        """The most of each SKU that was ever sold in so many days, rounded up to weeks."""
        weeks = min(max(-(-days // 7), 1), self.sales.weeks)
        if weeks not in self._most:
            sums = np.cumsum(self.sales.weekly, axis=1, dtype=float)
            sums[:, weeks:] -= sums[:, :-weeks].copy()
            self._most[weeks] = sums.max(axis=1)
        return self._most[weeks]

    def _wanted(self, days: int) -> Floats:
        whole, rest = divmod(days, 7)
        return np.asarray(self.weekly * (whole + float(self.shares[:rest].sum())))
