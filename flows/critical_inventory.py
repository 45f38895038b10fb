"""Critical inventory: what runs out, and the orders that mend it, as far as they are let."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.calls import Reply
from agents.data_intelligence.predictive_analytics.baskets.drafts import PurchasePlan
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import CriticalStock
from blocks.ledger.purchasing.records import OrderStage
from blocks.policy.policy import DATA
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.purchasing.arriving import take_arrivals
from flows.orchestrator.purchasing.autonomy import levels
from flows.orchestrator.purchasing.placing import place_orders
from flows.orchestrator.remedies.surge import prepare, put_back
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import demand_for
from flows.orchestrator.team.fetching import (
    Fetched,
    fetch_with_last_offers,
    with_offers_of_now,
)
from flows.orchestrator.team.netting import (
    COUNTED_WITHIN,
    ordered_on,
    with_goods_to_be_counted,
    with_orders_under_way,
)
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of, result_of
from flows.orchestrator.team.team import Orchestrator
from flows.reports import orders, placed_orders
from flows.reports import suppliers as supplier_sections
from flows.reports.model import PlacedOrder, RemediationLine, Report, Section
from flows.reports.ranking import rank
from flows.reports.surge import surge


@flow(
    name="critical-inventory",
    description=(
        "Finds the items that are low, out, owed or about to run out, asks the suppliers what they "
        "have of them, drafts an order to each that says why, sees that the systems can take it, "
        "and asks about it, sends it, or only looks at it, as far as its items are let. Ends with "
        "one report."
    ),
    timeout_seconds=1800,
)
@outlives_outages
async def critical_inventory(
    threshold: Annotated[float, Field(ge=0, lt=1e9)] = 5.0,
    budget: Annotated[float | None, Field(gt=0, lt=1e12)] = None,
    top: Annotated[int, Field(ge=1, le=200)] = 10,
    place: bool = True,
) -> Report:
    """Find what runs out, and order it, as far as that is let.

    Args:
        threshold: Units of what is free at or below which an item is critical.
        budget: Most that all drafts together may be worth, in the store's money.
        top: Rows of the longest table in the report, 1 to 200; the CSV has all lines.
        place: Whether the drafts become orders: asked about, or sent, as the policy lets them.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("critical-inventory") as team:
        fetched = await fetch_with_last_offers(team)
        replies = fetched.replies
        if fetched.snapshot:
            store = replies[0].result  # as it was read, without what we know besides
            await take_arrivals(team.ledger, fetched.under_way, store, utc_now())
            learned = await demand_for(team, fetched.snapshot)
            found = await _identify(team, fetched, learned, threshold)
            replies.append(found)
            if found.ok:
                skus = [item.sku for item in found.result.items]
                fetched = await with_offers_of_now(team, fetched, skus)
                replies.append(await _propose(team, fetched, learned, found.result, budget))
        else:
            fetched = await with_offers_of_now(team, fetched, [])
        critical = result_of("identify_critical_stock", replies)
        plan = result_of("propose_orders", replies)
        raised: Sequence[RemediationLine] = ()
        placed: list[PlacedOrder] = []
        if place and (drafts := _to_place(team, fetched, plan)):
            # Where orders went out, what is raised stays so for as long as the policy says: they
            # are answered after this run.
            ready = await prepare(team, sum(len(order.lines) for order in drafts.orders))
            replies.append(ready.reply)
            raised = ready.raised
            placed = await _place(team, fetched, drafts)
            if all(order.stage in _BRINGS_NO_LOAD for order in placed):
                await put_back(team)
        report = await team.report(
            "Critical inventory",
            orders.headline(critical, plan, placed, len(fetched.proposed))
            if critical
            else "Nothing could be looked at.",
            sections=_sections(replies, top, placed, raised),
            findings=rank(findings_of(replies)),
            replies=replies,
            remediations=raised,
            orders=plan,
            placed=placed,
        )
        await team.tell(report)
    return conclude(report)


_BRINGS_NO_LOAD = (None, OrderStage.PROPOSED, OrderStage.SHADOW)
"""Stages of orders of which nothing was sent."""


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
    assert fetched.snapshot is not None, "it was looked at"
    # What waits for a yes, or to be counted, is critical still, and not drafted again.
    now = utc_now()
    came = await team.ledger.orders.heard_of(now - COUNTED_WITHIN)
    snapshot = with_orders_under_way(fetched.snapshot, fetched.proposed)
    snapshot = with_goods_to_be_counted(snapshot, came, now)
    return await team.ask(
        DATA,
        "propose_orders",
        {
            "snapshot": snapshot,
            "critical": critical,
            "learned": learned,
            "terms": {supplier.name: supplier.terms for supplier in team.business.suppliers},
            "rates": dict(store.rates) if store else {},
            "down": dict(fetched.down),
            "ordered": ordered_on(fetched.under_way, team.business.timezone),
            "budget": budget,
        },
    )


def _to_place(
    team: Orchestrator, fetched: Fetched, plan: PurchasePlan | None
) -> PurchasePlan | None:
    """The drafts that may become orders; None when they rest on old data, or nobody takes any."""
    if plan is None or fetched.snapshot is None or not plan.orders:
        return None
    if not any(supplier.ordering for supplier in team.business.suppliers):
        return None
    if why := fetched.snapshot.stale_because:
        team.notes.append(f"Nothing is ordered by old data of the store: {why}")
        return None
    return plan


async def _place(team: Orchestrator, fetched: Fetched, plan: PurchasePlan) -> list[PlacedOrder]:
    level_of = await levels(team.ledger, team.policy, utc_now(), fetched.down)
    return await place_orders(team, plan, fetched.under_way, level_of)


def _sections(
    replies: list[Reply],
    top: int,
    placed: Sequence[PlacedOrder],
    raised: Sequence[RemediationLine],
) -> list[Section]:
    critical = result_of("identify_critical_stock", replies)
    plan = result_of("propose_orders", replies)
    if critical is None:
        return []
    inventory = result_of("check_supplier_inventory", replies)
    load = result_of("prepare_for_surge", replies)
    return [
        orders.critical(critical, top),
        *([placed_orders.section(placed)] if placed else []),
        *(supplier_sections.suppliers(inventory, top) if inventory else []),
        *([surge(load, raised)] if load else []),
        *(orders.drafts(plan, top, is_placed=bool(placed)) if plan else []),
        *orders.held(plan, critical, top),
    ]
