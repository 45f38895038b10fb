"""``./orchestrator up``, ``api``, ``register`` and ``env``: the stack and its parts."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import OrchestratorError
from deployments.cli.app import AsJson, command, fail, line, out, show
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.settings import Settings
    from deployments.console.progress import Progress
    from deployments.registration.registration import Registration

INTERRUPTED = 130  # the shell's exit code for Ctrl-C


@command
async def up(
    once: Annotated[
        bool, typer.Option("--once", help="Show the first reports, then stop everything.")
    ] = False,
) -> None:
    """Start Prefect, a worker and (if none is configured) a sample business; show reports.

    Then keep serving until Ctrl-C. With --once the exit code is 0 when all workflows completed.
    """
    raise typer.Exit(await _run_stack(out, once=once))


async def _run_stack(console: Console, *, once: bool) -> int:
    """Start the stack, show the first reports, and serve until Ctrl-C or SIGTERM.

    Returns:
        Exit code: 0 when all workflows completed (or, serving, when asked to stop), 1 when one
        did not, 130 when interrupted before that.

    Raises:
        OrchestratorError: The stack cannot start; says what to do.
    """
    from blocks.settings import get_settings
    from deployments.console.progress import Progress
    from deployments.processes.listening import check_exposure, check_port
    from deployments.stack.first_reports import show_first_reports
    from deployments.stack.preflight import check_prefect_database, state_folder
    from deployments.stack.stack import Stack

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
                    completed = await show_first_reports(progress, settings)
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


def _show_where(console: Console, settings: Settings, registration: Registration) -> None:
    """Where to look, and what to try."""
    from blocks.prefect_api.env import RunningStack
    from deployments.processes.specs import api_url, prefect_url

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


def api() -> None:
    """Serve the REST API alone, on the Prefect server and the ledger of the settings.

    A running stack serves it already. The process ends with Ctrl-C.
    """
    from blocks.prefect_api.env import use_embedded_prefect

    try:
        use_embedded_prefect()
        from deployments.api.serving import serve

        serve()
    except OrchestratorError as error:
        fail(error)


@command
async def register(as_json: AsJson = False) -> None:
    """Write pools, queues, blocks and deployments to a Prefect server; safe to repeat.

    The server is PREFECT_API_URL, else the stack that runs on our state folder.
    """
    from blocks.prefect_api.env import use_embedded_prefect
    from deployments.registration.registration import register

    use_embedded_prefect()
    show(await register(), as_json, _print_registration)


def _print_registration(done: Registration, console: Console) -> None:
    line(f"Registered at {done.api_url}:", console)
    for what in ("pools", "blocks", "deployments", "automations"):
        line(f"  {what:12}{escape(', '.join(getattr(done, what))) or '(none)'}", console)
    line("[dim]prefect worker start --pool operations runs them.[/]", console)


@command
async def env() -> None:
    """Print the variables for plain prefect commands: eval "$(./orchestrator env)"."""
    import shlex

    from blocks.prefect_api.env import RunningStack, common_environment
    from blocks.settings import get_settings

    settings = get_settings()
    stack = RunningStack.find(settings.state_dir)
    variables = common_environment(settings)
    for name, value in (variables | ({"PREFECT_API_URL": stack.api_url} if stack else {})).items():
        print(f"export {name}={shlex.quote(value)}")
