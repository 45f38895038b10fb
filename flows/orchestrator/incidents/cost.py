"""What an incident cost: what the shop usually takes in its hours, and what it took instead."""

from __future__ import annotations

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
from flows.orchestrator.incidents.chronicle import Chronicle

_TAKEN = "revenue_per_hour"
_MOST_HOURS = 14 * 24


@dataclass(frozen=True)
class Hour:
    """One hour of the shop.

    Attributes:
        usual: Revenue that is usual in it; None when nobody knows.
        taken: Revenue that came; None while that is not known.
    """

    begin: datetime
    usual: float | None
    taken: float | None


@dataclass(frozen=True)
class Cost:
    """What an incident puts at risk, in the store's currency.

    Attributes:
        depends_on: The thing in trouble on which most of the revenue depends; "" when none does
            that is known.
        share: Of the revenue that depends on it, 0 to 1.
        at_risk: What the shop usually takes on it while the incident lasted; None when unknown.
        per_hour: The same per hour, in the present one, or the last; None when unknown.
        by_hour: Whether it is known by the hour of the week, and no average over the day.
        hours: The shop's hours around it.
    """

    depends_on: str = ""
    share: float = 0.0
    at_risk: float | None = None
    per_hour: float | None = None
    by_hour: bool = False
    hours: tuple[Hour, ...] = ()

    @property
    def missed(self) -> float | None:
        """Usual revenue that did not come, of the hours of which both are known.

        It counts what came for other reasons, too, and is no proof of what the incident cost.
        """
        both = [(h.usual, h.taken) for h in self.hours if h.usual is not None]
        known = [usual - taken for usual, taken in both if usual is not None and taken is not None]
        return max(0.0, sum(known)) if known else None


async def cost_of(ledger: Ledger, business: Business, chronicle: Chronicle) -> Cost:
    """What an incident puts at risk.

    Args:
        ledger: Has what is usual and what came, hour by hour.
        business: Its services have shares of the revenue.
        chronicle: Of the incident.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    store = business.store
    thing, share = _dependent(business, chronicle)
    if store is None or not share:
        return Cost()
    begin, end = chronicle.began, chronicle.until
    takings = await usual_takings(ledger, store.name, begin, end)
    return Cost(
        depends_on=thing,
        share=share,
        at_risk=money_between(takings, share, begin, end),
        per_hour=money_per_hour(takings, share, end),
        by_hour=takings.is_by_hour(begin) and takings.is_by_hour(end),
        hours=await _hours(ledger, store.name, takings, begin, end),
    )


def _dependent(business: Business, chronicle: Chronicle) -> tuple[str, float]:
    """Of the things in trouble the one on which most of the revenue depends, and its share."""
    shares = {f"service:{each.name}": each.revenue_share for each in business.services}
    if business.store is not None:
        shares[f"store:{business.store.name}"] = 1.0
    troubled = (chronicle.incident.resource, *chronicle.affected)
    found = [(shares[thing], thing) for thing in troubled if shares.get(thing)]
    share, thing = max(found, key=lambda each: each[0], default=(0.0, ""))
    return thing, share


async def _hours(
    ledger: Ledger, store: str, takings: Takings, begin: datetime, end: datetime
) -> tuple[Hour, ...]:
    """Whole hours, from two before the incident to one after it."""
    first = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    name = usual_series(store, _TAKEN)
    since, until = first - 2 * HOUR, end + timedelta(hours=2)
    taken = dict((await ledger.samples.history([name], since, until))[name])
    hours = min(int((until - since) / HOUR), _MOST_HOURS)
    return tuple(
        Hour(at, takings.in_hour(at) if takings.is_by_hour(at) else None, taken.get(at))
        for at in (since + n * HOUR for n in range(hours))
    )
