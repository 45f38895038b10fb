"""Weekly sales as they are learned from: single large orders capped, gaps told from zeros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand_model import (
    CHANCE_SMOOTHING,
    OPEN_WEEK,
    SIZE_SMOOTHING,
    WARM_UP,
    WILD,
    DemandModel,
    tame,
)
from agents.data_intelligence.predictive_analytics.unit_sales import RECENT_WEEKS
from agents.statistics import Floats
from blocks.errors import ContractViolation

Weeks = NDArray[np.float32]
Flags = NDArray[np.bool_]

ON_SALE = 0.25
"""A week in which an item could be bought less than this share of its time says nothing of it."""

SOLD_OUT = 0.5
"""Share that is lost of a day that is flagged as a whole and yet has sales: it ran out in between,
nobody knows when."""

COMMON = 0.95
FEW_WEEKS = 4
"""The first selling weeks of an item count for at most WILD times what an item sells in all but
one of twenty selling weeks of the shop."""

YEAR = 52
"""Weeks after which a season is thought to come again."""

_TOGETHER = 5_000  # SKUs that are worked on at a time, in double precision


@dataclass(frozen=True)
class History:
    """What is known of each SKU's weeks: one row per SKU, one column per week, oldest first.

    Attributes:
        units: Units sold.
        exposure: Share of a usual week's demand that could be met: the shop was open, the item
            was there. One row for all where no item was ever out of stock.
        rate: Units per usual week of daily trade: capped (``tame``), gaps filled with the level,
            NaN before the first sale.
        seen: Which weeks are no gaps.
        levels: TSB level at the start of each week and after the last, as of weeks before it.
        first: Week of the first sale; the number of weeks where there is none.
    """

    units: Weeks
    exposure: Weeks
    rate: Weeks
    seen: Flags
    levels: Weeks
    first: NDArray[np.intp]

    @property
    def weeks(self) -> int:
        """How many."""
        return int(self.units.shape[1])

    def rows(self, rows: NDArray[np.intp]) -> History:
        """The same for some of the SKUs."""
        exposure = self.exposure[rows] if len(self.exposure) > 1 else self.exposure
        return History(
            self.units[rows],
            exposure,
            self.rate[rows],
            self.seen[rows],
            self.levels[rows],
            self.first[rows],
        )

    def exposed(self, rows: NDArray[np.intp], first: int, end: int) -> Weeks:
        """Exposure of some SKUs in some weeks."""
        return self.exposure[rows if len(self.exposure) > 1 else 0, first:end].reshape(
            -1, end - first
        )

    @classmethod
    def of(cls, model: DemandModel, stocked_out: pd.DataFrame | None) -> History:
        """Read a model's sales.

        Raises:
            ContractViolation: ``stocked_out`` lacks a column, or a share is not from 0 to 1.
        """
        units = model.units.weekly.astype(float)
        opened = model.open_days.reshape(model.weeks, 7).sum(axis=1)
        trades = opened >= min(OPEN_WEEK, float(opened.max()))
        opened = np.where(trades & (opened > 0), opened, 1.0)
        there = _on_sale(model, stocked_out)
        usual = float(np.quantile(units[units > 0], COMMON)) if (units > 0).any() else 0.0
        count = len(units)
        rate = np.full(units.shape, np.nan, dtype=np.float32)
        levels = np.zeros((count, model.weeks + 1), dtype=np.float32)
        seen = np.zeros(units.shape, dtype=np.bool_)
        for at in range(0, count, _TOGETHER):
            some = slice(at, at + _TOGETHER)
            share = there[some] if len(there) > 1 else there
            usable = trades & (share >= ON_SALE)
            scaled = tame(units[some] / opened / np.maximum(share, ON_SALE))
            # Without weeks of its own there is no median to tell that an order is a wild one.
            few = np.cumsum(scaled > 0, axis=1) <= FEW_WEEKS
            scaled = np.where(few, np.minimum(scaled, WILD * usual), scaled)
            scaled = np.where(usable, scaled, np.nan)
            first = model.first_week[some]
            level = tsb(scaled, np.broadcast_to(share, scaled.shape), first)
            begun = np.arange(model.weeks) >= first[:, None]
            levels[some], seen[some] = level, usable
            rate[some] = np.where(begun, np.where(usable, scaled, level[:, :-1]), np.nan)
        # A week in which the shop was closed for days has less to be met of the same demand.
        exposure = (np.where(trades, opened, 0.0) * there).astype(np.float32)
        return cls(units.astype(np.float32), exposure, rate, seen, levels, model.first_week)


def tsb(rate: Floats, weight: Floats, first: NDArray[np.intp]) -> Floats:
    """TSB levels where some weeks are gaps: at the start of each week and after the last.

    A gap (NaN) leaves the level as it is. A week in which the item was there for a part counts
    for that part: its sales, scaled up, are as uncertain as they are few.

    Args:
        rate: Units per usual week.
        weight: Share of the week that was seen.
        first: Week of the first sale.
    """
    week = np.arange(rate.shape[1])
    known = np.isfinite(rate)
    demand = np.where(known, rate, 0.0)
    warm = known & (week >= first[:, None]) & (week < first[:, None] + WARM_UP)
    sold = (warm & (demand > 0)).sum(axis=1)
    size = np.where(warm, demand, 0.0).sum(axis=1) / np.maximum(sold, 1)
    chance = sold / np.maximum(warm.sum(axis=1), 1)
    levels = np.zeros((len(rate), rate.shape[1] + 1))
    for at in week:
        now, counts = demand[:, at], known[:, at] & (at > first)
        sells = counts & (now > 0)
        size += np.where(sells, SIZE_SMOOTHING * weight[:, at] * (now - size), 0.0)
        moved = CHANCE_SMOOTHING * weight[:, at] * (sells - chance)
        chance += np.where(counts, moved, 0.0)
        levels[:, at + 1] = np.where(at >= first, size * chance, 0.0)
    return levels


def _on_sale(model: DemandModel, stocked_out: pd.DataFrame | None) -> Weeks:
    """Share of each week's demand that met an item in stock; one row of ones without flags."""
    if stocked_out is None or stocked_out.empty:
        return np.ones((1, model.weeks), dtype=np.float32)
    missing = {"sku", "date"} - set(stocked_out.columns)
    if missing:
        raise ContractViolation(
            f"stocked_out: no column {', '.join(sorted(missing))}.",
            hint="Give a row per SKU and day that it was out of stock.",
        )
    days = 7 * model.weeks
    start = model.today - timedelta(days=days)
    row = pd.Index(model.skus).get_indexer(pd.Index(stocked_out["sku"]))
    day = (pd.to_datetime(stocked_out["date"]) - pd.Timestamp(start)).dt.days.to_numpy()
    lost = _shares(stocked_out)
    inside = (row >= 0) & (day >= 0) & (day < days)
    row, day, lost = row[inside], day[inside], lost[inside]
    recent = days - 7 * min(model.weeks, RECENT_WEEKS)
    sold = model.units.row.astype(np.int64) * days + model.units.day + recent
    lost = np.where(
        np.isin(row * days + day, sold[model.units.net > 0]), np.minimum(lost, SOLD_OUT), lost
    )
    share = model.week_share[(start.weekday() + day) % 7]
    out = np.zeros((len(model.skus), model.weeks), dtype=np.float32)
    np.add.at(out, (row, day // 7), (share * lost).astype(np.float32))
    return np.asarray(np.maximum(1.0 - out, 0.0), dtype=np.float32)


def _shares(stocked_out: pd.DataFrame) -> Floats:
    if "share" not in stocked_out:
        return np.ones(len(stocked_out))
    share = stocked_out["share"].to_numpy(dtype=float)
    wrong = ~((share >= 0) & (share <= 1))
    if wrong.any():
        raise ContractViolation(
            f"stocked_out: a share of {share[wrong][0]}.", hint="Use 0 to 1 of a day."
        )
    return share
