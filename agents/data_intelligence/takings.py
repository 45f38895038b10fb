"""What a shop usually takes at an hour, and so what it costs when a part of it does not sell.

Day by day the watch writes down what is usual in each hour of the coming week (``usual_series``);
who prices an incident reads that. Where nothing was written the day's average stands in, and says
that it is one: a night then costs as much as a noon, which is never true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agents.data_intelligence.trading_calendar import TradingHistory
from blocks.errors import DataError
from blocks.ledger import Ledger
from blocks.vocabulary.frames import Snapshot

USUAL_REVENUE = "usual_revenue_per_hour"
USUAL_ORDERS = "usual_orders_per_hour"

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)

AHEAD = timedelta(days=8)
"""For so long the usual hours are written down beforehand."""


def usual_series(store: str, what: str = USUAL_REVENUE) -> str:
    """Name of the samples of what is usual: one at the beginning of each hour of UTC."""
    return f"store:{store}/{what}"


@dataclass(frozen=True)
class Takings:
    """What a store usually takes, in its currency.

    Attributes:
        hours: Beginning of an hour (UTC) to the revenue that is usual in it.
        averaged: Revenue per hour, averaged over all hours of the calendar; for hours that are
            not known. None when that is not known either.
    """

    hours: Mapping[datetime, float] = field(default_factory=dict)
    averaged: float | None = None

    def in_hour(self, at: datetime) -> float | None:
        """Revenue that is usual in the hour of an instant; None when nobody knows.

        An hour that was not written down is like the same hour of the week before or after.
        """
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for near in (hour, hour - WEEK, hour + WEEK):
            if near in self.hours:
                return self.hours[near]
        return self.averaged

    def is_by_hour(self, at: datetime) -> bool:
        """Whether what is told of an instant is of its hour, and not an average."""
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return any(near in self.hours for near in (hour, hour - WEEK, hour + WEEK))


def money_per_hour(takings: Takings, share: float, at: datetime) -> float | None:
    """Money per hour that is at risk at an instant.

    Args:
        takings: What is usual.
        share: Of the revenue that depends on what is in trouble, 0 to 1.
        at: The instant.

    Returns:
        In the store's currency; None when nobody knows.
    """
    usual = takings.in_hour(at)
    return None if usual is None else max(0.0, usual) * share


def money_between(takings: Takings, share: float, begin: datetime, end: datetime) -> float | None:
    """Money that is at risk from one instant to another: each hour counts what it usually brings.

    Args:
        takings: What is usual.
        share: Of the revenue that depends on what is in trouble, 0 to 1.
        begin: From this instant on.
        end: Up to this one; nothing before ``begin``.

    Returns:
        In the store's currency; None when nobody knows it of one of the hours.
    """
    total, at = 0.0, begin
    while at < end:
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        until = min(end, hour + HOUR)
        usual = money_per_hour(takings, share, at)
        if usual is None:
            return None
        total += usual * ((until - at) / HOUR)
        at = until
    return total


def share_of_hour(per_day: float, takings: Takings, at: datetime) -> tuple[float, bool]:
    """What the hour of an instant has of something that brings ``per_day`` on a usual day.

    It sells when the shop does. Where the shop's hours are not known it is a 24th.

    Returns:
        The money of the hour, and whether it is of that hour and no average.
    """
    day = money_between(takings, 1.0, at, at + timedelta(hours=24))
    hour = money_per_hour(takings, 1.0, at)
    if not day or hour is None or not takings.is_by_hour(at):
        return per_day / 24, False
    return per_day * hour / day, True


async def usual_takings(
    ledger: Ledger, store: str, begin: datetime, end: datetime | None = None
) -> Takings:
    """What a store usually takes in some hours, as far as the ledger knows.

    Args:
        ledger: Has the usual hours that were written down, and the store's snapshots.
        store: Its name.
        begin: The first instant of interest.
        end: The last one; ``begin`` if not given.

    Raises:
        LedgerUnavailable: It cannot be read.
    """
    name = usual_series(store)
    found = await ledger.samples.history([name], begin - AHEAD, (end or begin) + AHEAD)
    if found[name]:
        return Takings({at.astimezone(UTC): value for at, value in found[name]})
    try:
        snapshot = await ledger.snapshots.latest(store, only=("orders",))
    except DataError:  # kept for other contracts: what it would say is not known
        return Takings()
    return Takings(averaged=averaged_over_the_day(snapshot, begin))


def averaged_over_the_day(snapshot: Snapshot | None, now: datetime) -> float | None:
    """Revenue per hour of the calendar, whatever the hour; None when nobody knows."""
    if snapshot is None:
        return None
    try:
        history = TradingHistory.of(snapshot, now)
    except DataError:  # no order yet: then nothing is known, which is no failure
        return None
    return history.typical_revenue_per_day / 24
