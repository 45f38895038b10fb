"""What trouble with a resource puts at risk, as far as can be told before any agent is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from agents.data_intelligence.pattern_recognition.events import usual_revenue_per_hour
from blocks.business.business import Business
from blocks.errors import DataError
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from flows.orchestrator.team.team import Orchestrator


def money_at_risk(business: Business, revenue_per_hour: float | None) -> Mapping[str, float]:
    """Money per hour that depends on each service, in the store's currency.

    Args:
        business: Its services have shares of the revenue.
        revenue_per_hour: What the shop usually takes; None when nobody knows: then nothing is.
    """
    if revenue_per_hour is None or revenue_per_hour <= 0:
        return {}
    return {
        f"service:{service.name}": service.revenue_share * revenue_per_hour
        for service in business.services
        if service.revenue_share > 0
    }


class AtRisk:
    """What is known of money at risk in one run: the orders are read once, if anybody asks."""

    def __init__(self, team: Orchestrator) -> None:
        self._team = team
        self._known: Mapping[str, float] | None = None

    async def of(self, events: Iterable[SystemEvent]) -> Mapping[str, float]:
        """Resource to money per hour; empty when none of the events is about one that earns any."""
        business = self._team.business
        earning = {f"service:{each.name}" for each in business.services if each.revenue_share > 0}
        troubled = {e.subject for e in events if e.severity >= Severity.WARNING}
        if not earning & troubled:
            return {}
        if self._known is None:
            self._known = money_at_risk(business, await self._revenue_per_hour())
        return self._known

    async def _revenue_per_hour(self) -> float | None:
        store = self._team.business.store
        if store is None:
            return None
        try:
            snapshot = await self._team.ledger.snapshots.latest(store.name, only=("orders",))
        except DataError:  # kept for other contracts: what it would say is not known
            return None
        return await asyncio.to_thread(usual_revenue_per_hour, snapshot, utc_now())
