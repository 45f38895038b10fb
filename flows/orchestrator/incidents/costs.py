"""What an incident has cost so far, costs now, and will have cost if it lasts another day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agents.data_intelligence.takings import (
    HOUR,
    Takings,
    money_between,
    money_per_hour,
    usual_series,
    usual_takings,
)
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord

AHEAD = timedelta(hours=24)

_TAKEN = "revenue_per_hour"
_MOST_HOURS = 14 * 24


@dataclass(frozen=True)
class Cost:
    """Money at risk by an incident, in the store's currency; None is what nobody knows.

    Attributes:
        share: Of the shop's revenue that it puts at risk.
        per_hour: In the hour of the question; of an incident that is over, None.
        so_far: From its beginning on, up to its end or to the question.
        next_day: In the 24 hours after the question, if it lasts.
        by_hour: Whether each hour counts what it usually brings, and not the day's average.
    """

    share: float | None = None
    per_hour: float | None = None
    so_far: float | None = None
    next_day: float | None = None
    by_hour: bool = False


@dataclass(frozen=True)
class ShopHour:
    """One hour of the shop.

    Attributes:
        usual: Revenue that is usual in it, in the store's currency; None when nobody knows.
        taken: Revenue that came; None while that is not known.
    """

    begin: datetime
    usual: float | None
    taken: float | None


def cost_of(incident: IncidentRecord, business: Business, takings: Takings, now: datetime) -> Cost:
    """What an incident costs.

    Args:
        incident: As the ledger has it.
        business: Its services have shares of the revenue.
        takings: What the shop usually takes from the incident's beginning on.
        now: The instant of the question.
    """
    share = _share(incident, business, takings)
    if share is None:
        return Cost(per_hour=None if incident.is_over else incident.impact_per_hour)
    end = incident.settled_at if incident.is_over and incident.settled_at else now
    lasts = not incident.is_over
    return Cost(
        share=share,
        per_hour=money_per_hour(takings, share, now) if lasts else None,
        so_far=money_between(takings, share, incident.opened_at, end),
        next_day=money_between(takings, share, now, now + AHEAD) if lasts else None,
        by_hour=takings.is_by_hour(incident.opened_at),
    )


async def costs_of(
    incidents: Iterable[IncidentRecord], business: Business, ledger: Ledger, now: datetime
) -> dict[str, Cost]:
    """What some incidents cost, by their ids.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    every = list(incidents)
    takings = Takings()
    if every and business.store is not None:
        begin = min(each.opened_at for each in every)
        takings = await usual_takings(ledger, business.store.name, begin, now)
    return {each.id: cost_of(each, business, takings, now) for each in every}


async def hours_around(
    ledger: Ledger, store: str, begin: datetime, end: datetime
) -> tuple[ShopHour, ...]:
    """The shop's whole hours, from two before some time to one after it.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    first = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    takings = await usual_takings(ledger, store, first, end)
    name = usual_series(store, _TAKEN)
    taken = dict((await ledger.samples.history([name], first, end + 2 * HOUR))[name])
    hours = min(int((end + 2 * HOUR - first) / HOUR), _MOST_HOURS)
    return tuple(
        ShopHour(at, takings.in_hour(at) if takings.is_by_hour(at) else None, taken.get(at))
        for at in (first + n * HOUR for n in range(hours))
    )


def missed(hours: Iterable[ShopHour]) -> float | None:
    """Usual revenue that did not come, of the hours of which both are known; None when of none.

    It counts what did not come for other reasons, too: it is no proof of what an incident cost.
    """
    known = [h.usual - h.taken for h in hours if h.usual is not None and h.taken is not None]
    return max(0.0, sum(known)) if known else None


def _share(incident: IncidentRecord, business: Business, takings: Takings) -> float | None:
    """The share of the revenue at risk: as it was judged, in the hour in which it was."""
    whole = money_per_hour(takings, 1.0, incident.responded_at or incident.opened_at)
    if incident.impact_per_hour is None or whole is None:
        return None
    if whole > 0:
        return min(1.0, max(0.0, incident.impact_per_hour / whole))
    # It was judged in an hour in which nothing is sold.
    shares = {f"service:{each.name}": each.revenue_share for each in business.services}
    return shares.get(incident.resource)
