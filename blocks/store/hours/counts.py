"""How many orders came in each five minutes, and what they brought."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BIN = timedelta(minutes=5)
"""Short enough that a busy shop's silence is seen within minutes; all time zones keep to it."""


@dataclass(frozen=True, eq=False)
class OrderCounts:
    """The orders of a store in equal steps of time.

    Attributes:
        begin: Where the first step begins, in UTC, on a full five minutes.
        orders: Distinct orders with a unit sold, one number per step.
        revenue: What their lines brought, less returns, in the store's currency.
        newest: When the newest order was made; None when there is none.
        unclear: Steps whose orders cannot be told apart in time: the hour that a local clock has
            twice. Nobody should call them silent.
    """

    begin: datetime
    orders: Floats
    revenue: Floats
    newest: datetime | None = None
    unclear: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @property
    def end(self) -> datetime:
        """Where the last step ends."""
        return self.begin + len(self.orders) * BIN

    def days_with_orders(self, zone: ZoneInfo) -> set[date]:
        """The days, on the store's clock, on which an order came."""
        steps = np.flatnonzero(self.orders)
        return {(self.begin + int(at) * BIN).astimezone(zone).date() for at in steps}

    def __post_init__(self) -> None:
        if len(self.unclear) != len(self.orders):
            object.__setattr__(self, "unclear", np.zeros(len(self.orders), dtype=bool))


def floored(instant: datetime) -> datetime:
    """The full five minutes at or before an instant."""
    return instant - timedelta(
        minutes=instant.minute % 5, seconds=instant.second, microseconds=instant.microsecond
    )
