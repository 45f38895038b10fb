"""Critical inventory: what runs out, and the orders that would mend it, as drafts."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.calls import Reply
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import CriticalStock
from blocks.policy.policy import DATA
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import demand_for
from flows.orchestrator.team.fetching import Fetched, fetch_everything
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of, result_of
from flows.orchestrator.team.team import Orchestrator
from flows.reports import orders
from flows.reports.model import Report, Section
from flows.reports.ranking import rank


@flow(
    name="critical-inventory",
    description=(
        "Finds the items that are low, out, owed or about to run out, and drafts an order to each "
        "supplier that says why. Nothing is sent. Ends with one report."
    ),
    timeout_seconds=1800,
)
@outlives_outages
async def critical_inventory(
    threshold: Annotated[float, Field(ge=0, lt=1e9)] = 5.0,
    budget: Annotated[float | None, Field(gt=0, lt=1e12)] = None,
    top: Annotated[int, Field(ge=1, le=200)] = 25,
) -> Report:
    """Find what runs out, and draft what to order from whom.

    Args:
        threshold: Units of what is free at or below which an item is critical.
        budget: Most that all drafts together may be worth, in the store's money.
        top: Rows of the longest table in the report, 1 to 200; the CSV has all lines.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("critical-inventory") as team:
        fetched = await fetch_everything(team)
        replies = fetched.replies
        if fetched.snapshot:
            learned = await demand_for(team, fetched.snapshot)
            found = await _identify(team, fetched, learned, threshold)
            replies.append(found)
            if found.ok:
                replies.append(await _propose(team, fetched, learned, found.result, budget))
        critical = result_of("identify_critical_stock", replies)
        plan = result_of("propose_orders", replies)
        report = await team.report(
            "Critical inventory",
            orders.headline(critical, plan) if critical else "Nothing could be looked at.",
            sections=_sections(replies, top),
            findings=rank(findings_of(replies)),
            replies=replies,
            orders=plan,
        )
    return conclude(report)


async def _identify(
    team: Orchestrator, fetched: Fetched, learned: Rates | None, threshold: float
) -> Reply:
    return await team.ask(
        DATA,
        "identify_critical_stock",
        {
            "snapshot": fetched.snapshot,
            "threshold": threshold,
            "down": sorted(fetched.down),
            "learned": learned,
        },
    )


async def _propose(
    team: Orchestrator,
    fetched: Fetched,
    learned: Rates | None,
    critical: CriticalStock,
    budget: float | None,
) -> Reply:
    store = team.business.store
    return await team.ask(
        DATA,
        "propose_orders",
        {
            "snapshot": fetched.snapshot,
            "critical": critical,
            "learned": learned,
            "terms": {supplier.name: supplier.terms for supplier in team.business.suppliers},
            "rates": dict(store.rates) if store else {},
            "down": dict(fetched.down),
            "budget": budget,
        },
    )


def _sections(replies: list[Reply], top: int) -> list[Section]:
    critical = result_of("identify_critical_stock", replies)
    plan = result_of("propose_orders", replies)
    if critical is None:
        return []
    return [
        orders.critical(critical, top),
        *(orders.drafts(plan, top) if plan else []),
        *orders.held(plan, critical, top),
    ]
