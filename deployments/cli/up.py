"""``./orchestrator up``: the stack, the first reports, and then serving until asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings, get_settings
from deployments.console.markup import escape
from deployments.console.progress import Progress
from deployments.processes.specs import api_url, prefect_url
from deployments.stack.preflight import (
    check_exposure,
    check_port,
    check_prefect_database,
    state_folder,
)
from deployments.stack.stack import Stack

if TYPE_CHECKING:
    from deployments.cli.first_reports import Finished
    from deployments.registration.registration import Registration

INTERRUPTED = 130  # the shell's exit code for Ctrl-C


async def up(console: Console, *, once: bool = False) -> int:
    """Start the stack, show the first reports, and serve until Ctrl-C or SIGTERM.

    Args:
        console: Where progress and reports go.
        once: End after the reports.

    Returns:
        Exit code: 0 when all workflows completed (or, serving, when asked to stop), 1 when one
        did not, 130 when interrupted before that.

    Raises:
        OrchestratorError: The stack cannot start; says what to do.
    """
    settings = get_settings()
    progress = Progress(console)
    begun = time.monotonic()
    with state_folder(settings):
        check_port(settings.host, settings.prefect_port, "Prefect", "ORCHESTRATOR_PREFECT_PORT")
        check_port(
            settings.effective_api_host, settings.api_port, "the API", "ORCHESTRATOR_API_PORT"
        )
        await check_exposure(settings)
        stack = Stack(settings, progress, migrates=check_prefect_database(settings))
        serving = False
        with _stop_signals(progress):
            try:
                registration = await stack.start()
                console.print(f"Ready in {time.monotonic() - begun:.0f} s.\n")
                # Already beside the first reports: what an earlier stack left may hold their slots.
                tending = asyncio.create_task(stack.serve())
                try:
                    completed = await _show_reports(progress, settings)
                    if once:
                        return 0 if completed else 1
                    _show_where(console, settings, registration)
                    serving = True
                    await tending
                finally:
                    tending.cancel()
                    await asyncio.gather(tending, return_exceptions=True)
            except asyncio.CancelledError:
                return 0 if serving else INTERRUPTED
            finally:
                await stack.stop()
    return 0


@contextmanager
def _stop_signals(progress: Progress) -> Iterator[None]:
    """The first signal cancels the current task; the second one ends this process at once.

    The watchdog then ends the others.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked = False

    def stop(number: signal.Signals) -> None:
        nonlocal asked
        if asked:
            os._exit(INTERRUPTED)
        asked = True
        progress.say(f"Asked to stop ({number.name}); once more ends it the hard way.")
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _show_reports(progress: Progress, settings: Settings) -> bool:
    """Run the three workflows at once and print each report, in their order.

    Returns:
        Whether all of them completed.
    """
    from prefect import get_client

    from blocks.ledger import Ledger
    from deployments.cli.first_reports import WORKFLOWS, run_workflow

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
    from deployments.console.report import print_report

    page = f"{prefect_url(settings)}/runs/flow-run/{finished.flow_run_id}"
    console.print()
    if finished.report is not None:
        print_report(finished.report, console)
    if not finished.completed:
        console.print(f"[red]{finished.workflow} did not complete:[/] {escape(finished.detail)}")
    console.print(f"[dim]{finished.workflow} in the Prefect UI: {page}[/]", soft_wrap=True)


def _show_where(console: Console, settings: Settings, registration: Registration) -> None:
    """Where to look, and what to try."""
    table = Table.grid(padding=(0, 2))
    stack = RunningStack.find(settings.state_dir)
    assert stack is not None
    for what, where in (
        ("Prefect UI", prefect_url(settings)),
        ("Status page", api_url(settings)),
        ("REST API", f"{api_url(settings)}/openapi.json"),
        ("Reports", f"{prefect_url(settings)}/artifacts"),
        ("Deployments", ", ".join(name.split("/")[1] for name in registration.deployments)),
        ("Logs", str(settings.state_dir / "logs")),
        ("Try", "./orchestrator status"),
        ("", "./orchestrator run parallel-workflow"),
        ("", "./orchestrator connect postgresql://user@host/shop"),
    ):
        table.add_row(f"[bold]{what}[/]", escape(where))
    if "checkout" in stack.processes:  # the sample business, which may be broken at will
        table.add_row("", "./orchestrator drill checkout-down")
    console.print()
    console.print(table)
    console.print(f"\n{len(stack.processes)} processes are running. Ctrl-C stops them all.")
