"""The status of agents, workflows and operating targets as a report with charts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from prefect import flow
from pydantic import Field

from blocks.vocabulary.messages import utc_now
from flows.orchestrator.runs.endings import outlives_outages
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude
from flows.reports.model import Report
from flows.status import section as status_section
from flows.status.reading import read_system_status


@flow(
    name="system-status",
    description=(
        "Reports how agents and workflows did over the last hours, from the ledger: workload, "
        "response times, success, utilization, and the operating targets."
    ),
    timeout_seconds=300,
)
@outlives_outages
async def system_status(hours: Annotated[int, Field(ge=1, le=168)] = 24) -> Report:
    """Report how agents and workflows did.

    Args:
        hours: How far back to look, 1 to 168.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    async with workflow_run("system-status", with_business=False) as team:
        now = utc_now()
        status = await read_system_status(
            team.ledger, team.policy, team.toolbox.registry, now, timedelta(hours=hours)
        )
        report = await team.report(
            "System status",
            status_section.status_headline(status),
            sections=status_section.system_status(status),
            findings=[],
            replies=[],
        )
    return conclude(report)
