"""Demand as a nightly fit learned it, asked on one of the days after."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.demand.rates import LONGEST_DAYS, Rates
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.spread import Backtest, Spread
from agents.statistics import Floats
from blocks.errors import ContractViolation


class LearnedDemand:
    """The demand of a model's SKUs, by rates that were learned up to a week before.

    A day brings its weekday's share (``model.week_share``) of the units of the learned week in
    which it lies; weeks are counted from the day of the fit. Days beyond the last learned week
    bring their share of the model's TSB level, as all days of SKUs do that the rates do not know.
    As with the model itself, past closures are left out of what is learned, and none is foreseen.

    Demand over some days is distributed as ``mean + sqrt(dispersion * mean) * error``. The errors
    are those of the same kind and size of item over a horizon of as many weeks, out of sample;
    between two measured horizons each quantile is interpolated, beyond the first and the last
    one they hold.

    Args:
        model: The model of today.
        rates: What was learned.

    Raises:
        ContractViolation: The rates are of a later day, or more than a week old. Who would rather
            have the model alone than an error asks ``demand_of``.
    """

    def __init__(self, model: DemandModel, rates: Rates) -> None:
        if not rates.fresh(model.today):
            raise ContractViolation(
                f"rates: of {rates.fitted_on}, asked for {model.today}.",
                hint=f"Fit again: they are good for the {LONGEST_DAYS} days after the fit.",
            )
        self._model = model
        self._rates = rates
        self._row = pd.Index(list(rates.skus)).get_indexer(pd.Index(model.skus))
        self._known = self._row >= 0

    @property
    def skus(self) -> list[str]:
        """One row each, in this order, in everything that is returned."""
        return self._model.skus

    @property
    def today(self) -> date:
        """The first day that is forecast."""
        return self._model.today

    @property
    def learned_on(self) -> date:
        """The day of the fit."""
        return self._rates.fitted_on

    @property
    def learned(self) -> NDArray[np.bool_]:
        """Which SKUs the rates know; of the others the model alone speaks."""
        return self._known

    @property
    def sells(self) -> NDArray[np.bool_]:
        """Which SKUs sold at all."""
        return self._model.sells

    def mean(self, days: int) -> Floats:
        """Expected units over the next ``days`` calendar days, per SKU."""
        learned, beyond = self._shares(days)
        level = self._model.level
        mean = level * (learned.sum() + beyond)
        known = self._rates.weekly[self._row[self._known]].astype(float)
        mean[self._known] = known @ learned + level[self._known] * beyond
        return np.asarray(mean)

    def spread(self, days: int) -> Spread:
        """Distribution of the total demand over the next ``days`` calendar days."""
        mean = self.mean(days)
        row = self._row[self._known]
        errors = [np.asarray(each, dtype=float) for each in self._errors(days)]
        group = np.zeros(len(mean), dtype=np.intp)
        scale = np.zeros(len(mean))
        group[self._known] = self._rates.group[row]
        scale[self._known] = np.sqrt(self._rates.dispersion[row] * mean[self._known])
        if not self._known.all():
            plain = self._model.spread(days)
            unknown = ~self._known
            group[unknown] = plain.group[unknown] + len(errors)
            scale[unknown] = plain.scale[unknown]
            errors += plain.errors
        return Spread(mean, scale, errors, group)

    def backtest(self, days: int) -> Backtest:
        """The model's own backtest: that of its TSB levels, not of what was learned."""
        return self._model.backtest(days)

    def _shares(self, days: int) -> tuple[Floats, float]:
        """How much of each learned week lies in the next days, and how many weeks beyond them."""
        day = np.arange(days)
        share = self._model.week_share[(self.today.weekday() + day) % 7]
        week = (day + (self.today - self._rates.fitted_on).days) // 7
        weeks = self._rates.weekly.shape[1]
        learned = week < weeks
        return (
            np.bincount(week[learned], share[learned], minlength=weeks).astype(float),
            float(share[~learned].sum()),
        )

    def _errors(self, days: int) -> NDArray[np.float32]:
        horizons = self._rates.horizons
        weeks = float(np.clip(days / 7, horizons[0], horizons[-1]))
        after = int(np.searchsorted(horizons, weeks))
        before = max(after - 1, 0)
        gap = float(horizons[after] - horizons[before])
        part = (weeks - float(horizons[before])) / gap if gap else 1.0
        errors = self._rates.errors
        return np.asarray((1 - part) * errors[before] + part * errors[after], dtype=errors.dtype)


def demand_of(model: DemandModel, rates: Rates | None) -> Demand:
    """The learned demand where rates are there and fresh, else the model itself."""
    if rates is None or not rates.fresh(model.today):
        return model
    return LearnedDemand(model, rates)
