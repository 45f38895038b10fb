"""How long a supplier really takes, learned from our own orders that it delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pydantic import Field

from blocks.ledger.purchasing.orders import LeadTime
from blocks.models import Strict

ENOUGH_DELIVERIES = 8
"""Deliveries from which on a supplier's own record counts instead of its promise: the standard
error of a deviation over n of them is about 1/√(2(n-1)) of it, a quarter for eight."""


class DeliveryTimes(Strict):
    """The distribution of a supplier's lead times, in days from order to the last of its goods.

    Attributes:
        deliveries: Orders that it rests on.
        mean: Their mean.
        deviation: Their standard deviation (of a sample: n-1); None of a single one.
        median: Half of them took no longer.
        p90: Nine of ten took no longer (linear between the nearest two).
        late: Share (0 to 1) that came after the day that the supplier had promised, of those where
            it had promised one; None where it never did.
    """

    deliveries: int = Field(ge=1)
    mean: float
    deviation: float | None
    median: float
    p90: float
    late: float | None

    @property
    def counts(self) -> bool:
        """Whether they are enough to be used instead of what the supplier promises."""
        return self.deliveries >= ENOUGH_DELIVERIES


def learn(orders: Sequence[LeadTime]) -> DeliveryTimes | None:
    """The distribution of what some orders took; None without any."""
    if not orders:
        return None
    days = np.array([(order.received_on - order.sent_on).days for order in orders], dtype=float)
    days = np.maximum(days, 0.0)
    late = [o.received_on > o.promised_on for o in orders if o.promised_on is not None]
    median, p90 = np.quantile(days, [0.5, 0.9])
    return DeliveryTimes(
        deliveries=len(days),
        mean=float(days.mean()),
        deviation=float(days.std(ddof=1)) if len(days) > 1 else None,
        median=float(median),
        p90=float(p90),
        late=float(np.mean(late)) if late else None,
    )


def with_learned_times(
    offers: pd.DataFrame, learned: Mapping[str, DeliveryTimes | None]
) -> pd.DataFrame:
    """Offers with the lead times that their suppliers were seen to need.

    Where a supplier promises other days for other items, its promise stands: an order is received
    as a whole, and does not tell which of its items took how long.

    Args:
        offers: Rows of contract OFFERS, with lead times as promised.
        learned: Of each supplier what is known of its deliveries.
    """
    days = offers["lead_time_days"].copy()
    deviation = pd.Series(np.nan, index=offers.index)
    for supplier, times in learned.items():
        rows = offers["supplier"] == supplier
        if times is not None and times.counts and days[rows].nunique() == 1:
            days[rows], deviation[rows] = times.mean, times.deviation
    return offers.assign(lead_time_days=days, lead_time_deviation=deviation)
