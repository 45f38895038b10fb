"""What trouble with a resource puts at risk, as far as can be told before any agent is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from agents.data_intelligence.takings import Takings, money_per_hour, usual_takings
from blocks.business.business import Business
from blocks.vocabulary.looks import WATCH
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from flows.orchestrator.team.team import Orchestrator


def money_at_risk(business: Business, takings: Takings, at: datetime) -> Mapping[str, float]:
    """Money per hour that depends on each service at an instant, in the store's currency.

    Args:
        business: Its services have shares of the revenue.
        takings: What the shop usually takes; where nobody knows that, nothing is known.
        at: The instant.
    """
    shares = {f"service:{each.name}": each.revenue_share for each in business.services}
    found = {name: money_per_hour(takings, share, at) for name, share in shares.items()}
    return {name: money for name, money in found.items() if money is not None and money > 0}


class AtRisk:
    """What is known of money at risk in one run: it is read once, if anybody asks."""

    def __init__(self, team: Orchestrator) -> None:
        self._team = team
        self._takings: Takings | None = None

    async def of(self, events: Iterable[SystemEvent]) -> Mapping[str, float]:
        """Resource to money per hour; empty when none of the events is about one that earns any.

        What our own look at a resource says of it counts before its share of the revenue.
        """
        business = self._team.business
        troubled = [e for e in events if e.severity >= Severity.WARNING]
        told = {e.subject: m for e in troubled if (m := _told(e)) is not None}
        earning = {f"service:{each.name}" for each in business.services if each.revenue_share > 0}
        if not earning & {e.subject for e in troubled}:
            return told
        if self._takings is None and business.store is not None:
            store = business.store.name
            self._takings = await usual_takings(self._team.ledger, store, utc_now())
        return {**money_at_risk(business, self._takings or Takings(), utc_now()), **told}


def _told(event: SystemEvent) -> float | None:
    """Money per hour that an alert of our own speaks of; what others say of money is not ours."""
    amount = event.data.get("impact_per_hour") if event.source.startswith(f"{WATCH}.") else None
    if isinstance(amount, int | float) and not isinstance(amount, bool) and amount > 0:
        return float(amount)
    return None
