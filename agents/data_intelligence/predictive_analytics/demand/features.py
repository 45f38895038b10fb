"""What is known of an item at the start of a week, in units of its own usual size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.demand.history import YEAR, History, Weeks
from agents.data_intelligence.predictive_analytics.demand.season import Season
from agents.data_intelligence.predictive_analytics.demand_model import WARM_UP
from agents.statistics import Floats

Rows = NDArray[np.intp]

BLOCKS = ((0, 1), (1, 2), (2, 4), (4, 8), (8, 13))
"""Stretches of coming weeks that are forecast as one: first week, and the one after the last."""

SEASON = -4
"""The feature that tells how the item's group sold in the same weeks a year ago, over before."""

LAGS = 8
WINDOWS = (2, 4, 8, 13, 26, 52)

NEW_WEEKS = 4
"""Weeks of an item's own that weigh as much as what newcomers of its group usually sell."""


@dataclass(frozen=True)
class Origin:
    """All SKUs at the start of one week.

    Attributes:
        week: Which; nothing of it or after it is known.
        size: Usual units per week of each SKU, positive where it sold within a year.
        rank: Its rank among all that sell, 0 to 1.
        trend: Sales of its group in the last 4 weeks over those in the last 13, and of the last
            13 over the last 52.
        newcomers: What items of its group sell per week in their first quarter.
    """

    week: int
    size: Weeks
    rank: Weeks
    trend: Weeks
    newcomers: Weeks


def at_week(history: History, groups: Rows, week: int) -> Origin:
    """Look at all SKUs at the start of a week."""
    rate = history.rate
    age = week - history.first
    newcomers = _newcomers(history, groups, week)
    total: dict[int, Floats] = {}
    mean: dict[int, Floats] = {}
    for window in (4, 13, YEAR):
        some = rate[:, max(week - window, 0) : week]
        total[window] = np.nansum(some, axis=1, dtype=float)
        mean[window] = total[window] / np.clip(age, 1, window)
    size = 0.5 * history.levels[:, week] + 0.3 * mean[13] + 0.2 * mean[YEAR]
    young = age < WARM_UP
    shrunk = (np.maximum(age, 0) * size + NEW_WEEKS * newcomers) / (np.maximum(age, 0) + NEW_WEEKS)
    size = np.where(young, shrunk, size)
    size = np.where((age > 0) & (total[YEAR] > 0), size, 0.0)
    rank = np.zeros(len(size))
    sells = size > 0
    rank[sells] = np.argsort(np.argsort(size[sells])) / max(int(sells.sum()), 1)
    count = int(groups.max()) + 1 if len(groups) else 1
    trends = []
    for short, long in ((4, 13), (13, YEAR)):
        # Of the items that were there all the while: a growing range is no trend.
        there = age >= long if (age >= long).any() else age > 0
        recent = np.bincount(groups[there], total[short][there] / short, minlength=count)
        usual = np.bincount(
            groups[there], total[long][there] / min(long, max(week, 1)), minlength=count
        )
        trends.append(np.divide(recent, usual, out=np.full(count, np.nan), where=usual > 0)[groups])
    f = np.float32
    return Origin(
        week,
        size.astype(f),
        rank.astype(f),
        np.stack(trends, axis=1).astype(f),
        newcomers.astype(f),
    )


def _newcomers(history: History, groups: Rows, week: int) -> Floats:
    """Mean weekly units of each group's items in weeks 2 to 13 of their lives, lately."""
    count = int(groups.max()) + 1 if len(groups) else 1
    begin = max(week - YEAR // 2, 0)
    weeks = np.arange(begin, week)
    age = weeks - history.first[:, None]
    counts = (age > 0) & (age < WARM_UP)
    # What has sold since the first week is no newcomer: it only entered the data there.
    counts &= (history.first > 0)[:, None]
    units = np.where(counts, history.rate[:, begin:week], 0.0).sum(axis=1)
    seen = counts.sum(axis=1)
    total = np.bincount(groups, units, minlength=count)
    number = np.bincount(groups, seen, minlength=count)
    if number.sum() == 0:  # none yet: what items sell at all
        total[:] = np.nansum(history.rate[:, begin:week])
        number[:] = max(np.isfinite(history.rate[:, begin:week]).sum(), 1)
    shop = total.sum() / number.sum()
    prior = WARM_UP
    return np.asarray(((total + prior * shop) / (number + prior))[groups])


def past(history: History, origin: Origin, rows: Rows) -> Weeks:
    """Features of some SKUs that are the same whatever stretch of weeks comes: a row per SKU."""
    week = origin.week
    rate = history.rate[rows, max(week - YEAR, 0) : week]
    if week < YEAR:
        gap = np.full((len(rows), YEAR - week), np.nan, dtype=np.float32)
        rate = np.concatenate([gap, rate], axis=1)
    size = origin.size[rows]
    age = week - history.first[rows]
    columns: list[NDArray[np.generic]] = [rate[:, -lag] / size for lag in range(1, LAGS + 1)]
    known = np.isfinite(rate)
    filled = np.where(known, rate, 0.0)
    sold = filled > 0
    for window in WINDOWS:
        number = np.maximum(known[:, -window:].sum(axis=1), 1)
        columns.append(filled[:, -window:].sum(axis=1) / number / size)
        if window >= 4:
            columns.append(sold[:, -window:].sum(axis=1) / number)
    number = np.maximum(known.sum(axis=1), 1)
    center = filled.sum(axis=1) / number
    spread = np.sqrt(np.where(known, (filled - center[:, None]) ** 2, 0.0).sum(axis=1) / number)
    columns += [
        history.levels[rows, week] / size,
        spread / size,
        np.where(sold.any(axis=1), sold[:, ::-1].argmax(axis=1), YEAR),
        np.minimum(age, YEAR),
        filled.max(axis=1) / size,
        origin.newcomers[rows] / size,
        origin.rank[rows],
        origin.trend[rows, 0],
        origin.trend[rows, 1],
    ]
    return _side_by_side(columns)


def table(
    known: Weeks,
    history: History,
    season: Season,
    origin: Origin,
    rows: Rows,
    block: tuple[int, int],
) -> Weeks:
    """All features of some SKUs for one stretch of weeks after an origin: a row per SKU.

    ``known`` is what ``past`` tells of the same SKUs at the same origin.
    """
    week, size = origin.week, origin.size[rows]
    group, own = season.ratios(week, *block, origin.size.astype(float))
    year_ago = history.rate[rows, max(week - YEAR + block[0] - 1, 0) : week - YEAR + block[1] + 1]
    same = np.full(len(rows), np.nan)
    if week - YEAR + block[1] + 1 > 1 and week >= YEAR:
        usable = np.isfinite(year_ago)
        same = np.where(
            usable.any(axis=1),
            np.where(usable, year_ago, 0).sum(axis=1) / np.maximum(usable.sum(axis=1), 1) / size,
            np.nan,
        )
    own_columns = [group[rows], own[rows], same, np.full(len(rows), sum(block) / 2)]
    return np.concatenate([known, _side_by_side(own_columns)], axis=1)


def _side_by_side(columns: Sequence[NDArray[np.generic]]) -> Weeks:
    return np.stack(columns, axis=1, dtype=np.float32, casting="unsafe")
