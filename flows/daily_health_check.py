"""The daily health check: look at everything at once, mend what is safe to mend, report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from agents.calls import Reply
from agents.sre_reliability.objectives.reading import standings
from blocks.policy.policy import DATA, INTEGRATION, SRE
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.events import section as events
from flows.orchestrator.events.open_incidents import (
    OpenIncident,
    as_incidents,
    how_many,
    open_incidents,
)
from flows.orchestrator.incidents.costs import costs_of
from flows.orchestrator.remedies.remediation import remediate
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.demand import demand_for
from flows.orchestrator.team.fetching import fetch_everything
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, currency_of, findings_of, result_of
from flows.orchestrator.team.team import Orchestrator
from flows.reports import business, operations
from flows.reports.model import RemediationLine, Report, Section
from flows.reports.objectives import objectives
from flows.reports.ranking import rank, things_to_know
from flows.reports.stock import stock


@flow(
    name="daily-health-check",
    description=(
        "Three agents look at trade, systems and connections at once. Issues are ranked by "
        "severity and money at risk; those with a safe remedy are mended, and each remedy is "
        "verified. Ends with one report."
    ),
    timeout_seconds=1800,
)
@outlives_outages
async def daily_health_check(
    remediate_issues: bool = True,
    top: Annotated[int, Field(ge=1, le=50)] = 10,
) -> Report:
    """Look at trade, systems and connections; mend what is safe to mend; report.

    Args:
        remediate_issues: Try the safe remedies of the issues found; off: only report.
        top: Rows of the longest table in the report, 1 to 50.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Every call failed; the report is kept all the same.
    """
    async with workflow_run("daily-health-check", watched=True) as team:
        integrations, health, data = await asyncio.gather(
            team.ask(INTEGRATION, "validate_all_integrations"),
            team.ask(SRE, "comprehensive_health_check"),
            _look_at_data(team),
        )
        metrics = result_of("analyze_daily_metrics", data)
        findings = rank(
            findings_of([integrations, health, *data]),
            metrics.typical_revenue_per_day if metrics else None,
        )
        remedies = await remediate(team, findings) if remediate_issues else []
        mended = {line.action for line in remedies if line.status == EffectVerdict.VERIFIED}
        # The report tells what was found, and shows the state in which things are left.
        if "restart_service" in mended:
            health = await team.ask(SRE, "comprehensive_health_check")
        if "refetch_snapshot" in mended:
            data = await _look_at_data(team)
        replies = [*data, health, integrations]
        currency = currency_of(team.business, data)
        now = utc_now()
        incidents = await open_incidents(team.ledger, team.policy.events, now)
        costs = await costs_of((i.incident for i in incidents), team.business, team.ledger, now)
        findings = as_incidents(findings, incidents)
        report = await team.report(
            "Daily health check",
            _headline(findings, remedies, data, incidents, currency),
            sections=[
                *events.standing(incidents, costs, team.business.timezone, currency, top),
                *_sections(replies, currency, top),
                *await _objectives(team),
                *(
                    [operations.decisions(head)]
                    if (head := await team.ledger.receipts.head())
                    else []
                ),
            ],
            findings=findings,
            replies=replies,
            remediations=remedies,
        )
        await team.tell(report)
    return conclude(report)


async def _objectives(team: Orchestrator) -> list[Section]:
    found = await standings(team.business, team.ledger, team.policy.objectives, utc_now())
    return [objectives(found, team.business.timezone)] if found else []


async def _look_at_data(team: Orchestrator) -> list[Reply]:
    """Fetch, then ask three questions about what came."""
    fetched = await fetch_everything(team)
    replies = fetched.replies
    if fetched.snapshot:
        replies += await asyncio.gather(
            team.ask(DATA, "validate_data", {"snapshot": fetched.snapshot}),
            team.ask(DATA, "analyze_daily_metrics", {"snapshot": fetched.snapshot}),
            _look_at_stock(team, fetched.snapshot),
        )
    return replies


async def _look_at_stock(team: Orchestrator, snapshot: Snapshot) -> Reply:
    learned = await demand_for(team, snapshot)
    return await team.ask(DATA, "assess_stock_risk", {"snapshot": snapshot, "learned": learned})


def _sections(replies: list[Reply], currency: str, top: int) -> list[Section]:
    parts: dict[str, Callable[[Any], Section]] = {
        "analyze_daily_metrics": lambda result: business.trade(result, currency),
        "assess_stock_risk": lambda result: stock(result, currency, top),
        "validate_data": business.data_quality,
        "comprehensive_health_check": operations.systems,
        "validate_all_integrations": operations.connections,
    }
    return [
        build(result) for action, build in parts.items() if (result := result_of(action, replies))
    ]


def _headline(
    findings: list[Finding],
    remedies: list[RemediationLine],
    data: list[Reply],
    incidents: list[OpenIncident],
    currency: str,
) -> str:
    metrics = result_of("analyze_daily_metrics", data)
    parts = [business.trade_headline(metrics, currency)] if metrics else []
    parts.append(things_to_know(findings))
    if mended := sum(line.status == EffectVerdict.VERIFIED for line in remedies):
        parts.append(f"{mended} mended and verified.")
    if incidents:
        parts.append(f"{how_many(incidents)}.")
    return " ".join(parts)
