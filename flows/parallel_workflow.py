"""Three looks at once: integrations, analysis and health, synthesized into one report."""

from __future__ import annotations

import asyncio
from typing import Annotated

from prefect import flow
from pydantic import Field

from agents.data_intelligence.pattern_recognition import Trend
from agents.tasks import Reply
from blocks.findings import Finding
from blocks.messages import Severity, utc_now
from flows import sections
from flows.orchestrator import (
    DATA,
    INTEGRATION,
    SRE,
    Orchestrator,
    conclude,
    findings_of,
    what_is_missing,
    workflow_run,
)
from flows.reports import Report, Section, count
from flows.triage import rank


@flow(
    name="parallel-workflow",
    description=(
        "Checks integrations, analyzes the data and assesses health at once, and puts the three "
        "together: what is wrong, ranked by severity and money at risk. One agent's failure does "
        "not sink the others."
    ),
    timeout_seconds=900,
)
async def parallel_workflow(
    top: Annotated[
        int, Field(title="Rows per table", ge=1, le=50, description="Longest table in the report.")
    ] = 10,
) -> Report:
    """Ask all three agents at once; report what they have, and what is missing.

    Args:
        top: Longest table in the report, in rows.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
    """
    async with workflow_run("parallel-workflow") as team:
        integrations, health, data = await asyncio.gather(
            team.ask(INTEGRATION, "check_integrations"),
            team.ask(SRE, "assess_health"),
            _analyze(team, top),
        )
        replies = [integrations, health, *data]
        currency = team.business.currency
        findings = rank(findings_of(*replies), _revenue_per_day(data))
        report = Report(
            workflow="parallel-workflow",
            title="Everything at once",
            run_id=team.run.id,
            started_at=team.run.started_at,
            finished_at=utc_now(),
            outcome=team.outcome,
            headline=_headline(integrations, health, data, findings),
            currency=currency,
            timezone=team.business.timezone,
            sections=_sections(integrations, health, data, currency, top),
            findings=findings,
            missing=what_is_missing(team.failures, *replies),
        )
        await team.report(report)
    return conclude(report)


async def _analyze(team: Orchestrator, top: int) -> list[Reply]:
    """Fetch, then analyze; the replies in that order, one if there was nothing to analyze."""
    fetched = await team.ask(INTEGRATION, "fetch_data")
    if not fetched.ok:
        return [fetched]
    return [fetched, await team.ask(DATA, "run_analysis", snapshot=fetched.result, top=top)]


def _revenue_per_day(data: list[Reply]) -> float | None:
    complete = data[-1].result
    daily = getattr(complete, "daily", None)
    return daily.typical_revenue_per_day if daily else None


def _sections(
    integrations: Reply, health: Reply, data: list[Reply], currency: str, top: int
) -> list[Section]:
    parts = []
    if len(data) == 2 and data[1].ok:
        complete = data[1].result
        parts += [sections.trade(complete.daily, currency)] if complete.daily else []
        parts += sections.analysis(complete.analysis, currency, top) if complete.analysis else []
        if complete.forecast:
            products = data[0].result.frames.get("products")
            names = (
                {}
                if products is None
                else dict(zip(products["sku"], products["name"], strict=True))
            )
            parts.append(sections.forecast(complete.forecast, names, top))
        parts.append(sections.data_quality(complete.validation))
    parts += [sections.systems(health.result)] if health.ok else []
    parts += [sections.connections(integrations.result)] if integrations.ok else []
    return parts


def _headline(
    integrations: Reply, health: Reply, data: list[Reply], findings: list[Finding]
) -> str:
    parts = []
    if health.ok:
        parts.append(f"Systems are {health.result.status}.")
    if integrations.ok:
        parts.append(sections.connections_headline(integrations.result))
    trend = _trend(data)
    if trend:
        parts.append(f"Revenue is {trend.direction}.")
    serious = [f for f in findings if f.severity.rank >= Severity.ERROR.rank]
    parts.append(
        f"{count(len(findings), 'thing')} to know, {len(serious) or 'none'} of them serious."
    )
    return " ".join(parts)


def _trend(data: list[Reply]) -> Trend | None:
    analysis = getattr(data[-1].result, "analysis", None)
    return analysis.patterns.trend if analysis else None
