"""Three looks at once: integrations, analysis and health, synthesized into one report."""

from __future__ import annotations

import asyncio
from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.calls import Reply
from agents.data_intelligence.business_intelligence.analysis import CompleteAnalysis
from blocks.policy.policy import DATA, INTEGRATION, SRE
from blocks.vocabulary.findings import Finding
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import demand_for
from flows.orchestrator.team.fetching import Fetched, fetch_everything
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, currency_of, findings_of
from flows.orchestrator.team.team import Orchestrator
from flows.reports import business, operations
from flows.reports.model import Report, Section
from flows.reports.ranking import rank, things_to_know


@flow(
    name="parallel-workflow",
    description=(
        "Checks integrations, analyzes the data and assesses health at once, and puts the three "
        "together: what is wrong, ranked by severity and money at risk. One agent's failure does "
        "not sink the others."
    ),
    timeout_seconds=900,
)
@outlives_outages
async def parallel_workflow(top: Annotated[int, Field(ge=1, le=50)] = 10) -> Report:
    """Ask all three agents at once; report what they have, and what is missing.

    Args:
        top: Rows of the longest table in the report, 1 to 50.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("parallel-workflow") as team:
        integrations, health, (fetched, analyzed) = await asyncio.gather(
            team.ask(INTEGRATION, "check_integrations"),
            team.ask(SRE, "assess_health"),
            _analyze(team, top),
        )
        complete = analyzed.result if analyzed else None
        currency = currency_of(team.business, fetched.replies)
        replies = [integrations, health, *fetched.replies, *([analyzed] if analyzed else [])]
        daily = complete.daily if complete else None
        findings = rank(findings_of(replies), daily.typical_revenue_per_day if daily else None)
        report = await team.report(
            "Everything at once",
            _headline(integrations, health, complete, findings),
            sections=[
                *(_data_sections(fetched, complete, currency, top) if complete else []),
                *([operations.systems(health.result)] if health.ok else []),
                *([operations.connections(integrations.result)] if integrations.ok else []),
            ],
            findings=findings,
            replies=replies,
        )
    return conclude(report)


async def _analyze(team: Orchestrator, top: int) -> tuple[Fetched, Reply | None]:
    """Fetch, then analyze if there is anything to analyze."""
    fetched = await fetch_everything(team)
    if fetched.snapshot is None:
        return fetched, None
    learned = await demand_for(team, fetched.snapshot)
    question = {"snapshot": fetched.snapshot, "top": top, "learned": learned}
    return fetched, await team.ask(DATA, "run_analysis", question)


def _data_sections(
    fetched: Fetched, complete: CompleteAnalysis, currency: str, top: int
) -> list[Section]:
    parts = [business.trade(complete.daily, currency)] if complete.daily else []
    if complete.analysis:
        parts += business.analysis(complete.analysis, currency, top, beside_trade=bool(parts))
    if complete.forecast and fetched.snapshot:
        parts.append(business.forecast(complete.forecast, fetched.snapshot.names(), top))
    return [*parts, business.data_quality(complete.validation)]


def _headline(
    integrations: Reply,
    health: Reply,
    complete: CompleteAnalysis | None,
    findings: list[Finding],
) -> str:
    parts = []
    if health.ok:
        parts.append(f"Systems are {health.result.status}.")
    if integrations.ok:
        parts.append(operations.connections_headline(integrations.result))
    if complete and complete.analysis and (trend := complete.analysis.patterns.trend):
        parts.append(f"Revenue is {trend.direction}.")
    return " ".join([*parts, things_to_know(findings)])
