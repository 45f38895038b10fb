"""The nightly fit: demand of all items together, from the sales of the shop's whole past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.backtest import (
    WEEKS,
    dispersions,
    latest,
    spread_out,
    trials,
)
from agents.data_intelligence.predictive_analytics.demand.calibration import Calibration
from agents.data_intelligence.predictive_analytics.demand.history import YEAR, History, Weeks
from agents.data_intelligence.predictive_analytics.demand.kinds import kinds_at
from agents.data_intelligence.predictive_analytics.demand.learning import SEED, Learner
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.demand.season import groups_of
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel

MOST_ITEMS = 10_000
"""Items that are learned from; of a larger shop these are drawn by lot."""

LEAST_ERRORS = 200
"""Fewer forecasts than this, out of sample, do not tell how the learned ones err."""


def fit(
    model: DemandModel,
    stocked_out: pd.DataFrame | None = None,
    categories: Mapping[str, str] | None = None,
    *,
    store: str = "",
) -> Rates:
    """Learn the demand of a model's SKUs.

    Args:
        model: Its sales and calendar; nothing on or after ``model.today`` is looked at.
        stocked_out: Days on which an item could not be bought: ``sku``, ``date``, and where it is
            known the ``share`` of the day (0 to 1; else the whole day).
        categories: Category of each SKU, where it has one.
        store: Name of the store.

    Raises:
        ContractViolation: ``stocked_out`` lacks a column, or a share is not from 0 to 1.
    """
    history = History.of(model, stocked_out)
    groups = groups_of(model.skus, categories)
    rows = np.flatnonzero(history.first < history.weeks)
    if len(rows) > MOST_ITEMS:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MOST_ITEMS, replace=False))
    some = history.rows(rows)
    past = trials(some, groups[rows])
    if sum(len(trial.kind) for trial in past) < LEAST_ERRORS:
        return replace(_plain(model, history), store=store, outside=_outside(history))
    learner = Learner.up_to(some, groups[rows], history.weeks).on(history, groups)
    calibration = Calibration.of(past)
    kind = kinds_at(history, history.weeks)
    learned = spread_out(learner.rates(history.weeks))
    weekly = calibration.forecast(learned, latest(history, history.weeks), kind)
    return Rates(
        store=store,
        fitted_on=model.today,
        skus=model.skus,
        weekly=weekly,
        group=calibration.group(kind, weekly[:, :2].mean(axis=1)),
        dispersion=dispersions(history, history.weeks),
        outside=_outside(history),
        horizons=calibration.horizons,
        errors=calibration.errors,
        groups=calibration.names,
    )


def _outside(history: History) -> Weeks:
    """Share of each SKU's units of the last year beyond daily trade."""
    units = history.units[:, -YEAR:]
    daily = np.nan_to_num(history.rate[:, -YEAR:]) * history.exposure[:, -YEAR:]
    beyond = np.where(history.seen[:, -YEAR:], np.maximum(units - daily, 0.0), 0.0).sum(axis=1)
    total = units.sum(axis=1)
    share = np.divide(beyond, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(np.where(share > 1e-4, share, 0.0), dtype=np.float32)


def _plain(model: DemandModel, history: History) -> Rates:
    """Each item's own level, gaps told from zeros: a young shop has nothing to learn from yet."""
    spread = model.spread(14)
    points = np.linspace(0, 1, 501)
    errors = np.array([np.quantile(each, points) for each in spread.errors], dtype=np.float32)
    mean = np.maximum(spread.mean, 1e-9)
    return Rates(
        store="",
        fitted_on=model.today,
        skus=model.skus,
        weekly=np.repeat(history.levels[:, -1:], WEEKS, axis=1).astype(np.float32),
        group=spread.group.astype(np.uint8),
        dispersion=(spread.scale**2 / mean).astype(np.float32),
        outside=np.zeros(len(mean), dtype=np.float32),
        horizons=np.array([2], dtype=np.int32),
        errors=errors[None],
        groups=[f"all {rank}" for rank in range(len(errors))],
    )
