"""Says what is worth improving: ranked proposals, each with its worth and its evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psutil
from pydantic import AwareDatetime, Field

from agents.capability import action
from agents.sre_reliability.performance_optimization import own_runs, services, stock
from agents.sre_reliability.performance_optimization.insights import Insights
from agents.sre_reliability.performance_optimization.proposal import Proposal
from blocks.business.business import Business
from blocks.errors import LedgerError, SourceError
from blocks.ledger import Ledger
from blocks.models import Strict
from blocks.prefect_api.client import PrefectApi
from blocks.settings import get_settings

WINDOW = timedelta(days=7)
_CALLS = 500
_UNITS = ("s/run", "ms/run", "ms/request", "MB")  # in this order, after money


class OptimizationPlan(Strict):
    """What is worth improving. Nothing of it has been applied.

    Attributes:
        created_at: When.
        currency: ISO code of the money in it.
        proposals: Money first, the most worth first; then time, then space.
        benefit_per_day: Sum of all proposals that are worth money, per day, as far as it is known.
        not_considered: Insights that were not given.
        missing: What could not be had, and why.
    """

    created_at: AwareDatetime
    currency: str
    proposals: list[Proposal] = Field(default_factory=list)
    benefit_per_day: float = 0.0
    not_considered: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)


@action(timeout=60)
async def optimize(
    insights: dict[str, Any],
    business: Business,
    prefect: PrefectApi,
    ledger: Ledger,
    now: datetime,
) -> OptimizationPlan:
    """Rank what is worth improving in stock, services, connections and our own runs.

    Args:
        insights: Results of other actions, as models or plain dicts; all optional. Keys:
            ``stock_risk`` and ``patterns`` (the ``stock`` and ``patterns`` of
            data-intelligence.analyze), ``daily_metrics`` (of analyze_daily_metrics),
            ``integrations`` (of integration-specialist's checks), ``health`` (of our own).
        business: Whose connections are judged, and whose currency counts.
        prefect: Where the run history of the last 7 days is.
        ledger: Where the agents' calls are.
        now: The instant of the plan.

    Raises:
        InvalidMessage: A key of ``insights`` holds something else than its action's result.
    """
    known = Insights.read(insights)
    currency = business.currency
    missing: list[str] = []
    found: list[Proposal] = []
    if known.stock_risk:
        found += stock.replenish(known.stock_risk, currency)
        found += stock.sell_off(known.stock_risk, currency)
    if known.health:
        found += services.speed_up_services(known.health.services, known.revenue_per_day, currency)
    if known.integrations:
        found += services.tune_connections(known.integrations, business)
    try:
        found += own_runs.steady_calls(await ledger.calls(limit=_CALLS))
        found += own_runs.contain_ledger(*_ledger_space(ledger))
    except (LedgerError, OSError) as error:
        missing.append(f"ledger: {error}")
    try:
        runs = await prefect.finished_runs(now, window=WINDOW)
        pools = await prefect.pools(now)
        found += own_runs.shorten_queues(runs, pools, get_settings().worker_limit)
    except SourceError as error:
        missing.append(f"prefect: {error}")
    return OptimizationPlan(
        created_at=now,
        currency=currency,
        proposals=rank(found),
        benefit_per_day=sum(p.expected_benefit or 0.0 for p in found if p.unit not in _UNITS),
        not_considered=known.absent,
        missing=missing,
    )


def rank(found: list[Proposal]) -> list[Proposal]:
    """Money first, then time, then space; the most worth first; equal ones by name."""

    def order(proposal: Proposal) -> tuple[int, float, str, str]:
        unit = _UNITS.index(proposal.unit) if proposal.unit in _UNITS else -1
        return unit, -(proposal.expected_benefit or 0.0), proposal.kind, proposal.resource

    return sorted(found, key=order)


def _ledger_space(ledger: Ledger) -> tuple[float | None, float | None]:
    """Size of the ledger's file in MB, and what is free beside it in GB; None on a server."""
    if ledger.path is None:
        return None, None
    free = psutil.disk_usage(str(ledger.path.parent)).free
    return ledger.path.stat().st_size / 1e6, free / 1e9
