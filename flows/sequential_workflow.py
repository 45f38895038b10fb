"""One step after the other: fetch, analyze, optimize, compile."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.calls import Reply
from blocks.policy.policy import DATA, SRE
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import demand_for
from flows.orchestrator.team.fetching import fetch_everything
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, currency_of, findings_of, result_of
from flows.reports import business, operations
from flows.reports.model import Report, Section, count, money
from flows.reports.ranking import rank


@flow(
    name="sequential-workflow",
    description=(
        "Fetches the store's data, analyzes what sells, where it is heading and what is at risk, "
        "and proposes what to improve, each proposal with its worth. Ends with one report."
    ),
    timeout_seconds=900,
)
@outlives_outages
async def sequential_workflow(top: Annotated[int, Field(ge=1, le=50)] = 10) -> Report:
    """Fetch, analyze, optimize; every step works on what the one before it found.

    Args:
        top: Rows of the longest table in the report, 1 to 50.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("sequential-workflow") as team:
        parts: list[Section] = []
        fetched = await fetch_everything(team)
        replies = fetched.replies
        currency = currency_of(team.business, replies)
        if fetched.snapshot:
            learned = await demand_for(team, fetched.snapshot)
            question = {"snapshot": fetched.snapshot, "top": top, "learned": learned}
            analyzed = await team.ask(DATA, "analyze", question)
            replies.append(analyzed)
            # Without an analysis there are still our own runs and the ledger to optimize.
            insights = {}
            if analyzed.ok:
                analysis = analyzed.result
                parts += business.analysis(analysis, currency, top)
                insights = {"stock_risk": analysis.stock, "patterns": analysis.patterns}
            planned = await team.ask(SRE, "optimize", {"insights": insights})
            replies.append(planned)
            if planned.ok:
                parts.insert(0, operations.proposals(planned.result, top))
        report = await team.report(
            "Analysis and proposals",
            _headline(replies, currency),
            sections=parts,
            findings=rank(findings_of(replies)),
            replies=replies,
        )
    return conclude(report)


def _headline(replies: list[Reply], currency: str) -> str:
    parts = []
    if analysis := result_of("analyze", replies):
        trend = analysis.patterns.trend
        year = trend and trend.year_on_year_percent
        against = "" if year is None else f", {year:+.0f}% against last year"
        parts.append(f"Revenue is {trend.direction}{against}." if trend else "")
        if analysis.stock:
            out, risk = len(analysis.stock.out_of_stock), len(analysis.stock.at_risk)
            parts.append(f"{count(out, 'item')} out of stock, {risk} may be soon.")
    if plan := result_of("optimize", replies):
        worth = money(plan.benefit_per_day, currency)
        parts.append(f"{count(len(plan.proposals), 'proposal')}, worth about {worth} per day.")
    return " ".join(filter(None, parts)) or "Nothing could be analyzed."
