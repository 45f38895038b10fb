"""What decides how much to order: lead times, costs, and the levels that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.statistics import Floats

HOLDING_PER_YEAR = 0.25
"""Cost of holding a unit for a year, as a share of what it cost."""

LINE_COST = 15.0
"""What an order line costs, however many units: writing, receiving, putting away; store money."""

REVIEW_DAYS = 7
"""Days from one look at the stock to the next."""


@dataclass(frozen=True)
class LeadTimes:
    """Days from order to delivery, one per SKU: expected, and standard deviation."""

    mean: Floats
    deviation: Floats


@dataclass(frozen=True)
class Economics:
    """Costs, one per SKU, in the store's money; NaN where nobody knows.

    Attributes:
        unit_cost: What a unit costs.
        margin: What a unit brings beyond its cost; lost with a lost sale.
        holding_per_year: Share of ``unit_cost``.
        line_cost: Per order line.
    """

    unit_cost: Floats
    margin: Floats
    holding_per_year: float = HOLDING_PER_YEAR
    line_cost: float = LINE_COST


@dataclass(frozen=True)
class Levels:
    """When to order and up to where, one per SKU, in units of inventory position.

    Inventory position is on hand + on order - backorders. At or below ``reorder`` the item is
    ordered up to ``up_to``. Both are NaN where the lead time is unknown.

    Attributes:
        reorder: s.
        up_to: S.
        service: Probability of no stock-out over lead time and review that ``reorder`` gives.
        guessed: True where price or cost are unknown, or no margin is left, so that levels follow
            from a service level instead of costs.
    """

    reorder: Floats
    up_to: Floats
    service: Floats
    guessed: NDArray[np.bool_]
