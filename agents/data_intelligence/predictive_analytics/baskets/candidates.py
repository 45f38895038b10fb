"""How many packs of an offer may be bought, and which of those quantities are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.baskets.outlook import Ints
from agents.statistics import Floats

COVER_DAYS = 91
"""More than an item's own level asks for is only bought, for a minimum, a pack, a price step or
free freight, as far as it sells within so many days after it came."""

LEAST_QUANTITIES, MOST_QUANTITIES = 8, 32
"""Quantities per offer that are looked at, beside those that something hangs on."""

NEIGHBOURS = 10
"""Packs more and less than a first solution's that are looked at the second time."""

TOGETHER = 250_000
"""Of all offers together, about."""


@dataclass(frozen=True)
class Quantities:
    """Whole packs of each offer, in units.

    Attributes:
        units: Rising per row, NaN where there are fewer: shape (offers, k).
        price: Store money per unit at each.
        most: Units that may be bought of each offer's item: what its level asks for, or what
            sells within the cover, and never more than sells before it spoils.
        available: Units that the supplier has; infinity where it does not say.
        least: The smallest order of each.
        wanted: Units that the item's level asks for.
    """

    units: Floats
    price: Floats
    most: Floats
    available: Floats
    least: Floats
    wanted: Floats

    def flat(self) -> tuple[Ints, Floats, Floats]:
        """Row, units and price of each quantity."""
        row, at = np.nonzero(np.isfinite(self.units))
        return row, self.units[row, at], self.price[row, at]

    def near(self, rows: Ints, targets: Floats) -> tuple[Ints, Floats, Floats]:
        """The quantities of some rows that are the first at or above each of some targets.

        Args:
            rows: The offers.
            targets: Rising units of each: shape (rows, k).

        Returns:
            Index into ``rows``, units and price of each, every quantity once.
        """
        units = self.units[rows]
        there = np.isfinite(units).sum(axis=1)
        below = (units[:, None, :] < targets[:, :, None]).sum(axis=2)
        at = np.minimum(below, np.maximum(there - 1, 0)[:, None])
        of, k = np.nonzero((at < there[:, None]) & (np.diff(at, axis=1, prepend=-1) > 0))
        column = at[of, k]
        return of, units[of, column], self.price[rows[of], column]


def quantities(
    market: Market,
    rows: Ints,
    need: Floats,
    beyond: Floats,
    fresh: Floats,
    limit: Floats,
    around: Floats | None = None,
) -> Quantities:
    """What may be bought of each offer.

    Args:
        market: The offers.
        rows: Row in the market of each.
        need: Units that the item's level asks for.
        beyond: Units that sell within the cover after they came, less what is there before.
        fresh: Units that sell before they spoil.
        limit: Units that a guard allows at most.
        around: Units of each offer (NaN: none) whose neighbours are looked at, too: a minimum or
            free freight may hang on a pack.
    """
    offers = market.offers
    pack = offers["pack_units"].to_numpy(dtype=float)[rows]
    least = np.ceil(offers["min_units"].to_numpy(dtype=float)[rows] / pack)
    most = np.minimum.reduce([np.maximum(need, beyond), fresh, limit])
    told = offers["available_units"].to_numpy(dtype=float)[rows]
    available = np.where(np.isnan(told), np.inf, told)
    top = np.floor(np.clip(most, 0.0, available) / pack + 1e-9)
    count = int(np.clip(TOGETHER // max(len(rows), 1), LEAST_QUANTITIES, MOST_QUANTITIES))
    packs = _spaced(least, top, count)
    wanted = np.maximum(need, 0.0) / pack
    steps = np.ceil(market.step_from[rows, 1:] / pack[:, None])
    close = np.full((len(rows), 1), np.nan)
    if around is not None:
        close = np.round(around / pack)[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    every = np.column_stack([packs, close, np.floor(wanted), np.ceil(wanted - 1e-9), steps])
    every[~((every >= least[:, None]) & (every <= top[:, None]) & (every > 0))] = np.nan
    every.sort(axis=1)  # what is no number comes last
    every[:, 1:][np.diff(every, axis=1) == 0] = np.nan
    every.sort(axis=1)
    units = every[:, : max(int(np.isfinite(every).sum(axis=1).max(initial=0)), 1)] * pack[:, None]
    price = market.unit_cost(rows, np.nan_to_num(units))
    return Quantities(units, price, most, available, least * pack, need)


def _spaced(least: Floats, top: Floats, count: int) -> Floats:
    """Each number from least to top where they are few, else some, denser at the low end."""
    each = least[:, None] + np.arange(count)
    ratio = np.maximum(top, 1.0) / np.maximum(least, 1.0)
    steps = np.round(
        np.maximum(least, 1.0)[:, None] * ratio[:, None] ** np.linspace(0.0, 1.0, count)
    )
    return np.where((top - least < count)[:, None], each, steps)
