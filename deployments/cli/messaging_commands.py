"""Commands about what comes in: events, messages, dead letters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from blocks.errors import RequestError
from deployments.cli.app import AsJson, app, out, perform, print_json
from deployments.console.markup import escape


@app.command()
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
    from deployments.cli import events as eventing

    async def work() -> eventing.Handed:
        if (kind is None) == (file is None):
            raise RequestError("Name the TYPE of one event, or a --file of events.")
        if file is not None:
            return await eventing.hand_in_file(file)
        found = eventing.one_event(str(kind), subject, severity, source, event_id, data)
        return await eventing.hand_in([found])

    handed = perform(work(), as_json)
    print_json(handed.model_dump()) if as_json else eventing.print_handed(handed, out)


@app.command()
def inbox(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="An event or a situation, to be shown in full."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many events wait, for how long, and the last situations; or one's events."""
    from deployments.cli.event_lookup import find_events, print_events
    from deployments.cli.events import print_inbox, read_inbox

    if name is not None:
        found = perform(find_events(name), as_json)
        as_plain = [event.model_dump(mode="json") for event in found]
        print_json(as_plain) if as_json else print_events(found, out)
        return
    state = perform(read_inbox(), as_json)
    print_json(state.model_dump(mode="json")) if as_json else print_inbox(state, out)


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
        from deployments.cli.messages import print_letters, waiting_letters

        found = perform(waiting_letters(all_of_them), as_json)
        if as_json:
            print_json([letter.model_dump(mode="json") for letter in found])
        else:
            print_letters(found, out)


@dead_letters.command("show")
def show_dead_letter(letter_id: LetterId, as_json: AsJson = False) -> None:
    """Show a dead letter: the document as it came, and why it was not delivered."""
    from deployments.cli.messages import find_letter, print_letter

    letter = perform(find_letter(letter_id), as_json)
    print_json(letter.model_dump(mode="json")) if as_json else print_letter(letter, out)


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
    from deployments.cli.messages import discard_letter

    letter = perform(discard_letter(letter_id), as_json)
    if as_json:
        print_json(letter.model_dump(mode="json"))
    else:
        out.print(f"Discarded {escape(letter.id)}.", highlight=False)


def _deliver(as_json: bool, what: dict[str, Any]) -> NoReturn:
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from deployments.cli.messages import exit_code, print_deliveries, send_document

    delivered = perform(send_document(**what), as_json)
    if as_json:
        print_json([one.model_dump(mode="json") for one in delivered])
    else:
        print_deliveries(delivered, out)
    raise typer.Exit(exit_code(delivered))
