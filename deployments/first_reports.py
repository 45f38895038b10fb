"""What ``./orchestrator up`` shows: the first reports, and where to look next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocks.prefect_env import RunningStack
from blocks.settings import Settings
from deployments.specs import prefect_url

if TYPE_CHECKING:
    from deployments.main_job import Finished
    from deployments.registration import Registration
    from deployments.stack import Progress


async def show_reports(progress: Progress, settings: Settings) -> bool:
    """Run the three workflows at once and print each report, in their order.

    Returns:
        Whether all of them completed.
    """
    from prefect import get_client

    from blocks.ledger import Ledger
    from deployments.main_job import WORKFLOWS, run_workflow

    with Ledger.open(settings.effective_ledger_url) as ledger:
        async with get_client() as client:

            async def run(workflow: str) -> Finished:
                with progress.step(f"Run of {workflow}"):
                    return await run_workflow(client, ledger, workflow)

            runs = [asyncio.create_task(run(workflow)) for workflow in WORKFLOWS]
            try:
                for finished in [await each for each in runs]:
                    _show(finished, progress.console, settings)
            finally:
                for each in runs:
                    each.cancel()
                await asyncio.gather(*runs, return_exceptions=True)
    return all(each.result().completed for each in runs)


def _show(finished: Finished, console: Console, settings: Settings) -> None:
    from deployments.terminal import print_report

    page = f"{prefect_url(settings)}/runs/flow-run/{finished.flow_run_id}"
    console.print()
    if finished.report is not None:
        print_report(finished.report, console)
    if not finished.completed:
        console.print(f"[red]{finished.workflow} did not complete:[/] {escape(finished.detail)}")
    console.print(f"[dim]{finished.workflow} in the Prefect UI: {page}[/]", soft_wrap=True)


def show_where(console: Console, settings: Settings, registration: Registration) -> None:
    """Where to look, and what to try."""
    table = Table.grid(padding=(0, 2))
    for what, where in (
        ("Prefect UI", prefect_url(settings)),
        ("Reports", f"{prefect_url(settings)}/artifacts"),
        ("Deployments", ", ".join(name.split("/")[1] for name in registration.deployments)),
        ("Logs", str(settings.state_dir / "logs")),
        ("Try", "./orchestrator status"),
        ("", "./orchestrator run parallel-workflow"),
        ("", "./orchestrator connect postgresql://user@host/shop"),
    ):
        table.add_row(f"[bold]{what}[/]", escape(where))
    stack = RunningStack.find(settings.state_dir)
    assert stack is not None
    console.print()
    console.print(table)
    console.print(f"\n{len(stack.processes)} processes are running. Ctrl-C stops them all.")
