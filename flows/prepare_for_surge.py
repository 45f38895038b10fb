"""Prepare for a surge: what gives way first, and limits raised for as long as the policy says."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.orchestrator.remedies.surge import prepare
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of
from flows.reports.model import Report
from flows.reports.ranking import rank
from flows.reports.surge import surge


@flow(
    name="prepare-for-surge",
    description=(
        "Says whether the services, the work pools and the agents can take a surge of orders, and "
        "what would give way first. Raises limits where that is safe; they are put back after two "
        "hours, unless somebody does so before. Ends with one report."
    ),
    timeout_seconds=600,
)
@outlives_outages
async def prepare_for_surge(
    items: Annotated[int, Field(ge=1, le=1_000_000)] = 100,
    factor: Annotated[float, Field(ge=1, le=100)] = 1.5,
    raise_limits: bool = True,
) -> Report:
    """Say what a surge would break, and raise the limits that can be raised safely.

    Args:
        items: Items that are to be ordered.
        factor: Expected units of work per item.
        raise_limits: Raise limits; off: only report.

    Raises:
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
        NothingAchieved: Nothing could be assessed; the report is kept all the same.
    """
    async with workflow_run("prepare-for-surge") as team:
        ready = await prepare(team, items, factor, raise_limits=raise_limits)
        assessment = ready.reply.result
        report = await team.report(
            "Preparation for a surge",
            assessment.summary if ready.reply.ok else "Nothing could be assessed.",
            sections=[surge(assessment, ready.raised)] if ready.reply.ok else [],
            findings=rank(findings_of([ready.reply])),
            replies=[ready.reply],
            remediations=ready.raised,
        )
    return conclude(report)
