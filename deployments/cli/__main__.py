"""The command line: ``./orchestrator``.

What a command needs is imported when it runs, so that help comes at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blocks.errors import OrchestratorError
from blocks.state_folder import files_for_us_alone
from deployments.cli.app import AsJson, app, err, fail, out, perform, print_json
from deployments.console.markup import escape

if TYPE_CHECKING:
    from deployments.cli.drill import Scorecard
    from deployments.registration.registration import Registration


@app.command()
def up(
    once: Annotated[
        bool, typer.Option("--once", help="Show the first reports, then stop everything.")
    ] = False,
) -> None:
    """Start Prefect, a worker and (if none is configured) a sample business; show reports.

    Then keep serving until Ctrl-C. With --once the exit code is 0 when all workflows completed.
    """
    from deployments.cli.up import up as run_stack

    raise typer.Exit(perform(run_stack(out, once=once)))


@app.command()
def api() -> None:
    """Serve the REST API alone, on the Prefect server and the ledger of the settings.

    A running stack serves it already. The process ends with Ctrl-C.
    """
    from blocks.prefect_api.env import use_embedded_prefect

    async def prepare() -> None:
        use_embedded_prefect()

    perform(prepare())
    from deployments.api.serving import serve

    try:
        serve()
    except OrchestratorError as error:
        fail(error, as_json=False)


@app.command()
def register(as_json: AsJson = False) -> None:
    """Write pools, queues, blocks and deployments to a Prefect server; safe to repeat.

    The server is PREFECT_API_URL, else the stack that runs on our state folder.
    """
    from blocks.prefect_api.env import use_embedded_prefect
    from deployments.registration.registration import register as register_all

    async def work() -> Registration:
        use_embedded_prefect()
        return await register_all()

    done = perform(work(), as_json)
    if as_json:
        print_json(done.model_dump(mode="json"))
        return
    out.print(f"Registered at {done.api_url}:", highlight=False)
    for what in ("pools", "blocks", "deployments", "automations"):
        names = getattr(done, what)
        out.print(f"  {what:12}{escape(', '.join(names)) or '(none)'}", highlight=False)
    out.print("[dim]prefect worker start --pool operations runs them.[/]", highlight=False)


@app.command()
def run(
    workflow: Annotated[str, typer.Argument(help="For instance daily-health-check.")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="JSON, or else text."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow in this process and print its report.

    A running stack shows the run; without one, Prefect's ephemeral server is used.
    Exit code: 0 succeeded, 3 in part, 1 failed.
    """
    # The console shows the report or one error; the run's log is kept by Prefect.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from deployments.cli.workflows import EXIT_CODES, run_here

    report = perform(run_here(workflow, param or []), as_json)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        from deployments.console.report import print_report

        print_report(report, out)
    raise typer.Exit(EXIT_CODES[report.outcome])


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show whether the stack is up, the last runs, what the agents do, the last report."""
    from deployments.cli.status import print_status, read_status

    found = perform(read_status(), as_json)
    print_json(found.model_dump(mode="json")) if as_json else print_status(found, out)


@app.command()
def agents(as_json: AsJson = False) -> None:
    """Show the agents: capabilities, actions, capacity and live workload."""
    from deployments.cli.status import print_agents, read_agents

    found = perform(read_agents(), as_json)
    if as_json:
        print_json([agent.model_dump(mode="json") for agent in found])
    else:
        print_agents(found, out)


@app.command()
def connect(
    url: Annotated[str, typer.Argument(help="For instance postgresql://reader@host/shop.")],
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Save it as a business file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at your SQL database and propose how the workflows read it; writes nothing to it.

    Exit code 3 when something that the workflows need was not found.
    """
    from deployments.cli.connect import print_proposal, propose

    proposal = perform(propose(url, write), as_json)
    if as_json:
        print_json(proposal.model_dump(mode="json"))
    else:
        print_proposal(proposal, write, out)
    raise typer.Exit(0 if proposal.complete else 3)


@app.command()
def drill(
    name: Annotated[str, typer.Argument(help="TARGET-FAULT, for instance checkout-down.")],
    as_json: AsJson = False,
) -> None:
    """Break a part of the sample business, and time its detection and its verified fix.

    Faults: down, slow, errors, garbage. Exit code 1 when the drill was not passed.
    """
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from blocks.settings import get_settings

    async def work() -> Scorecard:
        from deployments.cli.drill import run_drill  # finds the running stack

        folder = get_settings().state_dir
        return await run_drill(name, folder, say=lambda text: err.print(f"[dim]{escape(text)}[/]"))

    card = perform(work(), as_json)
    from deployments.cli.drill import print_scorecard

    print_json(card.model_dump(mode="json")) if as_json else print_scorecard(card, out)
    raise typer.Exit(0 if card.passed else 1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything that is needed, and say what to do where it is not there.

    Exit code 1 when something has to be done.
    """
    from deployments.cli.doctor import examine, print_checks

    checks = perform(examine(), as_json)
    if as_json:
        print_json([check.model_dump(mode="json") for check in checks])
    else:
        print_checks(checks, out)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


@app.command()
def env() -> None:
    """Print the variables for plain prefect commands: eval "$(./orchestrator env)"."""
    import shlex

    from blocks.prefect_api.env import RunningStack, common_environment
    from blocks.settings import get_settings

    async def variables() -> dict[str, str]:
        settings = get_settings()
        stack = RunningStack.find(settings.state_dir)
        return common_environment(settings) | ({"PREFECT_API_URL": stack.api_url} if stack else {})

    for name, value in perform(variables()).items():
        print(f"export {name}={shlex.quote(value)}")


# Here, so that help lists their commands after those above.
from deployments.cli import judging_commands, messaging_commands, token_commands  # noqa: E402, F401

if __name__ == "__main__":
    files_for_us_alone()
    app(prog_name="orchestrator")
