"""The first reports: the three workflows, run through the stack's worker, and their reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from blocks.errors import StackError
from blocks.prefect_api.runs import new_run

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from blocks.ledger import Ledger
    from flows.reports.model import Report

WORKFLOWS = ("sequential-workflow", "parallel-workflow", "daily-health-check")
"""In the order of their reports: the last one stays on the screen."""


@dataclass(frozen=True)
class Finished:
    """How one run of a workflow ended.

    Attributes:
        workflow: Its name.
        flow_run_id: Prefect's id of the run.
        completed: Whether its final state is COMPLETED.
        detail: The message of any other final state.
        report: What it left in the ledger, if anything.
    """

    workflow: str
    flow_run_id: UUID
    completed: bool
    detail: str
    report: Report | None


async def run_workflow(
    client: PrefectClient, ledger: Ledger, workflow: str, *, timeout: float = 600
) -> Finished:
    """Have the worker run one workflow, as a click on "Run" does.

    Args:
        client: Speaks to the stack's Prefect server.
        ledger: Where the run leaves its report.
        workflow: Name of the flow and of its deployment.
        timeout: Seconds until a run that has not ended is given up.

    Raises:
        StackError: The run did not end in time.
    """
    deployment = await client.read_deployment_by_name(f"{workflow}/{workflow}")
    run = await new_run(client, deployment.id, tags=["first-report"])
    try:
        async with asyncio.timeout(timeout):
            while run.state is None or not run.state.is_final():
                await asyncio.sleep(0.5)
                run = await client.read_flow_run(run.id)
    except TimeoutError:
        state = run.state.name if run.state else "unknown"
        raise StackError(
            f"{workflow} did not end within {timeout:.0f} s; its state is {state}.",
            hint="Look at the run in the Prefect UI, and at the worker's log.",
        ) from None
    return Finished(
        workflow=workflow,
        flow_run_id=run.id,
        completed=run.state.is_completed(),
        detail=run.state.message or run.state.name or "",
        report=await _report_of(ledger, workflow, run.id),
    )


async def _report_of(ledger: Ledger, workflow: str, flow_run_id: UUID) -> Report | None:
    from flows.reports.model import Report

    for run in await ledger.runs(workflow=workflow, limit=20):
        if run.flow_run_id == str(flow_run_id):
            record = await ledger.report(run.id)
            return Report.model_validate(record.body) if record else None
    return None
