"""The first reports: the three workflows, run through the stack's worker, and their reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from blocks.errors import StackError
from deployments.console.markup import escape

if TYPE_CHECKING:
    from rich.console import Console

    from blocks.ledger import Ledger
    from blocks.prefect_api.runs import Runs
    from blocks.settings import Settings
    from deployments.console.progress import Progress
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


async def show_first_reports(progress: Progress, settings: Settings) -> bool:
    """Run the three workflows at once and print each report, in their order.

    Returns:
        Whether all of them completed.

    Raises:
        StackError: A run did not end in time.
    """
    from blocks.ledger import Ledger
    from blocks.prefect_api.runs import Runs

    with Ledger.open(settings.effective_ledger_url) as ledger:
        async with Runs.open(look=0.5) as runs:

            async def run(workflow: str) -> Finished:
                with progress.step(f"Run of {workflow}"):
                    return await run_workflow(runs, ledger, workflow)

            going_on = [asyncio.create_task(run(workflow)) for workflow in WORKFLOWS]
            try:
                for finished in [await each for each in going_on]:
                    _show(finished, progress.console, settings)
            finally:
                for each in going_on:
                    each.cancel()
                await asyncio.gather(*going_on, return_exceptions=True)
    return all(each.result().completed for each in going_on)


async def run_workflow(
    runs: Runs, ledger: Ledger, workflow: str, *, timeout: float = 600
) -> Finished:
    """Have the worker run one workflow, as a click on "Run" does.

    Args:
        runs: Of the stack's Prefect server.
        ledger: Where the run leaves its report.
        workflow: Name of the flow and of its deployment.
        timeout: Seconds until a run that has not ended is given up.

    Raises:
        StackError: The run did not end in time.
    """
    started = await runs.start(f"{workflow}/{workflow}", tags=["first-report"])
    run = await runs.wait(started.id, timeout)
    if run is None or run.state is None:
        state = (await runs.read(started.id)).state_name or "unknown"
        raise StackError(
            f"{workflow} did not end within {timeout:.0f} s; its state is {state}.",
            hint="Look at the run in the Prefect UI, and at the worker's log.",
        )
    from flows.orchestrator.team.opening import ledger_id
    from flows.reports.model import Report

    record = await ledger.report(ledger_id(run))
    return Finished(
        workflow=workflow,
        flow_run_id=run.id,
        completed=run.state.is_completed(),
        detail=run.state.message or run.state.name or "",
        report=Report.model_validate(record.body) if record else None,
    )


def _show(finished: Finished, console: Console, settings: Settings) -> None:
    from deployments.console.report import print_report
    from deployments.processes.specs import prefect_url

    page = f"{prefect_url(settings)}/runs/flow-run/{finished.flow_run_id}"
    console.print()
    if finished.report is not None:
        print_report(finished.report, console)
    if not finished.completed:
        console.print(f"[red]{finished.workflow} did not complete:[/] {escape(finished.detail)}")
    console.print(f"[dim]{finished.workflow} in the Prefect UI: {page}[/]", soft_wrap=True)
