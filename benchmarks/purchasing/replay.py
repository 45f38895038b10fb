"""Periods of a shop's sales that are replayed: the one that tunes, and the one that tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from agents.statistics import Floats
from benchmarks.purchasing.daily_sales import DailySales
from benchmarks.purchasing.world import Costs, World

SETTLING_WEEKS = 8
"""Weeks before the days that count, in which each policy finds its own stock."""

TUNING_WEEKS = 26
"""Weeks before the cut on which parameters are searched for."""

START_DAYS = 28
"""Days of the average demand that are on hand at first, whatever the policy."""


@dataclass(frozen=True)
class Period:
    """Some days of the sales, as a world.

    Attributes:
        data: All the sales; policies look at the days before each review alone.
        first: Day of the first review.
        seeds: How many draws of lead times.
        world: What is replayed.
        price: Per item, the average before the days that count.
    """

    data: DailySales
    first: int
    seeds: int
    world: World
    price: Floats


def known_items(data: DailySales, cut: int) -> DailySales:
    """The items that sold before a day: of others no policy knows anything."""
    return data.rows(np.flatnonzero(data.units[:, :cut].sum(axis=1) > 0))


def period(data: DailySales, begin: int, end: int, costs: Costs, seeds: range) -> Period:
    """The days from ``begin`` to ``end``, and the settling before them."""
    first = max(begin - 7 * SETTLING_WEEKS, begin // 2)
    first = begin - (begin - first) // costs.review_days * costs.review_days
    price = np.nan_to_num(data.prices(begin))
    before = data.units[:, max(first - 91, 0) : first]
    start = np.rint(before.mean(axis=1) * START_DAYS)
    world = World.draw(data.units[:, first:end], price, start, begin - first, costs, seeds)
    return Period(data, first, len(seeds), world, price)


def tuning_begin(cut: int) -> int:
    """First day that counts in tuning: half a year before the cut, or half of what there is."""
    return max(cut - 7 * TUNING_WEEKS, cut // 2)


def day_of(data: DailySales, column: int) -> date:
    """Date of a column."""
    return data.first + timedelta(days=column)
