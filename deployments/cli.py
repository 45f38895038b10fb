"""The command line: ``./orchestrator``.

Exit codes: 0 done, 1 failed, 2 asked for something that cannot be done, 3 done in part,
130 interrupted. What a command needs is imported when it runs, so that help comes at once.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from blocks.errors import OrchestratorError, RequestError
from deployments.markup import escape

if TYPE_CHECKING:
    from deployments.drill import Scorecard
    from deployments.registration import Registration

app = typer.Typer(
    name="orchestrator",
    help="An operations team for your online business: agents on Prefect that watch, analyse "
    "and mend.",
    epilog="Exit codes: 0 done, 1 failed, 2 cannot be asked, 3 done in part, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _stream in (sys.stdout, sys.stderr):  # a locale without ✓ or — gets a ? and no traceback
    if isinstance(_stream, io.TextIOWrapper):
        _stream.reconfigure(errors="replace")
out, err = Console(), Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ApprovalId = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or at least six characters of its beginning.")
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the record.")]


@app.command()
def up(
    once: Annotated[
        bool, typer.Option("--once", help="Show the first reports, then stop everything.")
    ] = False,
) -> None:
    """Start Prefect, a worker and (if none is configured) a sample business; show reports.

    Then keep serving until Ctrl-C. With --once the exit code is 0 when all workflows completed.
    """
    from deployments.up import up as run_stack

    raise typer.Exit(_run(run_stack(out, once=once)))


@app.command()
def register(as_json: AsJson = False) -> None:
    """Write pools, queues, blocks and deployments to a Prefect server; safe to repeat.

    The server is PREFECT_API_URL, else the stack that runs on our state folder.
    """
    from blocks.prefect_env import use_embedded_prefect
    from deployments.registration import register as register_all

    async def work() -> Registration:
        use_embedded_prefect()
        return await register_all()

    done = _run(work(), as_json)
    if as_json:
        _print_json(done.model_dump(mode="json"))
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
    from deployments.running import EXIT_CODES, run_here

    report = _run(run_here(workflow, param or []), as_json)
    if as_json:
        _print_json(report.model_dump(mode="json"))
    else:
        from deployments.terminal import print_report

        print_report(report, out)
    raise typer.Exit(EXIT_CODES[report.outcome])


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show whether the stack is up, the last runs, what the agents do, the last report."""
    from deployments.overview import print_status, read_status

    found = _run(read_status(), as_json)
    _print_json(found.model_dump(mode="json")) if as_json else print_status(found, out)


@app.command()
def agents(as_json: AsJson = False) -> None:
    """Show the agents: capabilities, actions, capacity and live workload."""
    from deployments.overview import print_agents, read_agents

    found = _run(read_agents(), as_json)
    if as_json:
        _print_json([agent.model_dump(mode="json") for agent in found])
    else:
        print_agents(found, out)


@app.command()
def approvals(
    everything: Annotated[
        bool, typer.Option("--all", help="Settled ones, too: the newest hundred.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits for a person's answer."""
    from deployments.approving import print_approvals, read_approvals

    found = _run(read_approvals(everything=everything), as_json)
    if as_json:
        _print_json([record.model_dump(mode="json") for record in found])
    else:
        print_approvals(found, out)


@app.command()
def approve(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say yes to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    _answer(which, note, as_json, approve=True)


@app.command()
def reject(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say no to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    _answer(which, note, as_json, approve=False)


def _answer(which: str, note: str, as_json: bool, *, approve: bool) -> None:
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from deployments.approving import answer, print_answered

    answered = _run(answer(which, approve=approve, note=note), as_json)
    _print_json(answered.model_dump(mode="json")) if as_json else print_answered(answered, out)
    raise typer.Exit(0 if answered.counted else 1)


@app.command()
def policy(
    file: Annotated[
        Path | None, typer.Argument(help="TOML or JSON with changes: checked, not put in force.")
    ] = None,
    put: Annotated[bool, typer.Option("--set", help="Put the file's changes in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the decision matrix and its version; check a change, or put it in force."""
    from deployments.policies import print_policy, read_policy_shown

    if put and file is None:
        _fail(RequestError("--set needs a file.", hint="policy changes.toml --set"), as_json)
    shown = _run(read_policy_shown(file, put=put), as_json)
    _print_json(shown.model_dump(mode="json")) if as_json else print_policy(shown, out)
def event(
    kind: Annotated[str | None, typer.Argument(metavar="TYPE", help="What happened.")] = None,
    subject: Annotated[str, typer.Option(help="What it is about, type:name.")] = "",
    severity: Annotated[str, typer.Option(help="info, warning, error or critical.")] = "warning",
    source: Annotated[str, typer.Option(help="Who says so.")] = "command-line",
    event_id: Annotated[str | None, typer.Option("--id", help="Sent twice, it is one.")] = None,
    data: Annotated[str | None, typer.Option(help="Anything more, a JSON object.")] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Events as JSON, JSON lines or an array; - for stdin."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand in an event, or a file of them; the event-driven workflow deals with it.

    It is safe on disk when the command returns.
    """
    from deployments import eventing

    async def work() -> eventing.Handed:
        if (kind is None) == (file is None):
            raise RequestError("Name the TYPE of one event, or a --file of events.")
        if file is not None:
            return await eventing.hand_in(eventing.read_file(file))
        found = eventing.one_event(str(kind), subject, severity, source, event_id, data)
        return await eventing.hand_in([found])

    handed = _run(work(), as_json)
    _print_json(handed.model_dump()) if as_json else eventing.print_handed(handed, out)


@app.command()
def inbox(as_json: AsJson = False) -> None:
    """Show how many events wait, for how long, and the last situations."""
    from deployments.eventing import print_inbox, read_inbox

    state = _run(read_inbox(), as_json)
    _print_json(state.model_dump(mode="json")) if as_json else print_inbox(state, out)


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
    from deployments.connecting import print_proposal, propose

    proposal = _run(propose(url, write), as_json)
    if as_json:
        _print_json(proposal.model_dump(mode="json"))
    else:
        print_proposal(proposal, write, out)
    raise typer.Exit(0 if proposal.complete else 3)


@app.command()
def send(
    file: Annotated[Path, typer.Argument(help="The document; - reads it from standard input.")],
    dialect: Annotated[
        str | None, typer.Option(help="What it is written in; detected when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message or event, in any dialect, and print what was delivered and answered.

    Exit code: 0 delivered, 1 answered by a failure, 3 kept as a dead letter.
    """
    _deliver(as_json, {"file": file, "dialect": dialect})


dead_letters = typer.Typer(help="Messages that could not be delivered: list, fix, resend.")
app.add_typer(dead_letters, name="dead-letters")
LetterId = Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters are enough.")]


@dead_letters.callback(invoke_without_command=True)
def list_dead_letters(
    context: typer.Context,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Also those that were resent or discarded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Messages that could not be delivered, newest first, each with its reason."""
    if context.invoked_subcommand is None:
        from deployments.messaging import print_letters, waiting_letters

        found = _run(waiting_letters(all_of_them), as_json)
        if as_json:
            _print_json([letter.model_dump(mode="json") for letter in found])
        else:
            print_letters(found, out)


@dead_letters.command("show")
def show_dead_letter(letter_id: LetterId, as_json: AsJson = False) -> None:
    """Show a dead letter: the document as it came, and why it was not delivered."""
    from deployments.messaging import find_letter, print_letter

    letter = _run(find_letter(letter_id), as_json)
    _print_json(letter.model_dump(mode="json")) if as_json else print_letter(letter, out)


@dead_letters.command("resend")
def resend_dead_letter(
    letter_id: LetterId,
    fix: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The corrected document; - reads it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver a dead letter, corrected or as it came; once, whoever else tries."""
    _deliver(as_json, {"file": fix, "letter": letter_id})


@dead_letters.command("discard")
def discard_dead_letter(letter_id: LetterId, as_json: AsJson = False) -> None:
    """Settle a dead letter as one that is not to be sent; it stays on record."""
    from deployments.messaging import discard_letter

    letter = _run(discard_letter(letter_id), as_json)
    if as_json:
        _print_json(letter.model_dump(mode="json"))
    else:
        out.print(f"Discarded {escape(letter.id)}.", highlight=False)


def _deliver(as_json: bool, what: dict[str, Any]) -> NoReturn:
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from deployments.messaging import exit_code, print_deliveries, send_document

    delivered = _run(send_document(**what), as_json)
    if as_json:
        _print_json([one.model_dump(mode="json") for one in delivered])
    else:
        print_deliveries(delivered, out)
    raise typer.Exit(exit_code(delivered))


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
        from deployments.drill import run_drill  # finds the running stack

        folder = get_settings().state_dir
        return await run_drill(name, folder, say=lambda text: err.print(f"[dim]{escape(text)}[/]"))

    card = _run(work(), as_json)
    from deployments.drill import print_scorecard

    _print_json(card.model_dump(mode="json")) if as_json else print_scorecard(card, out)
    raise typer.Exit(0 if card.passed else 1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check everything that is needed, and say what to do where it is not there.

    Exit code 1 when something has to be done.
    """
    from deployments.doctor import examine, print_checks

    checks = _run(examine(), as_json)
    if as_json:
        _print_json([check.model_dump(mode="json") for check in checks])
    else:
        print_checks(checks, out)
    raise typer.Exit(0 if all(check.ok for check in checks) else 1)


@app.command()
def explain(
    of: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a receipt, task, message, run, situation or approval; six characters do.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell what was decided about something: from what, by which policy, why, and what came of it.

    Exit code 2 when the id names nothing, or more than one thing.
    """
    from deployments.explaining import print_explanation, read_explanation

    told = _run(read_explanation(of), as_json)
    _print_json(told.model_dump(mode="json")) if as_json else print_explanation(told, out)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Check that no record of a decision was changed, removed, added or cut off.

    Exit code 1 when one was.
    """
    from deployments.explaining import print_verification, run_verification

    found = _run(run_verification(None if as_json else err), as_json)
    if as_json:
        _print_json({"sound": found.sound, **found.model_dump(mode="json")})
    else:
        print_verification(found, out)
    raise typer.Exit(0 if found.sound else 1)


@app.command()
def replay(
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="Changes of the policy, TOML or JSON.")
    ],
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="7d, 12h, 30m, or an ISO 8601 date.")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Decide again what was decided, under another policy, and show what would have been different.

    Reads the ledger and touches nothing.
    """
    from deployments.replaying import print_replay, run_replay

    told = _run(run_replay(policy, since), as_json)
    _print_json(told.model_dump(mode="json")) if as_json else print_replay(told, out)


@app.command()
def env() -> None:
    """Print the variables for plain prefect commands: eval "$(./orchestrator env)"."""
    import shlex

    from blocks.prefect_env import RunningStack, common_environment
    from blocks.settings import get_settings

    async def variables() -> dict[str, str]:
        settings = get_settings()
        stack = RunningStack.find(settings.state_dir)
        return common_environment(settings) | ({"PREFECT_API_URL": stack.api_url} if stack else {})

    for name, value in _run(variables()).items():
        print(f"export {name}={shlex.quote(value)}")


def _run(work: Coroutine[Any, Any, Any], as_json: bool = False) -> Any:
    """Run a command's work; a deliberate error becomes one line and an exit code."""
    try:
        return asyncio.run(work)
    except OrchestratorError as error:
        _fail(error, as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _fail(error: OrchestratorError, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"error": {"code": error.code, "what": error.what, "hint": error.hint}})
    else:
        err.print(f"[red]{escape(error.what)}[/]", highlight=False, soft_wrap=True)
        if error.hint:
            err.print(escape(error.hint), highlight=False, soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, RequestError) else 1)


def _print_json(value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    print(text)


if __name__ == "__main__":
    app(prog_name="orchestrator")
