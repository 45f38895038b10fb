"""``./orchestrator send`` and ``./orchestrator dead-letters``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from deployments.cli.app import AsJson, command, line, open_ledger, quiet_prefect, show
from deployments.cli.workflows import run_with
from deployments.console.markup import escape

if TYPE_CHECKING:
    from blocks.ledger.calls.dead_letters import DeadLetter
    from flows.orchestrator.messages.delivery import Delivery

STDIN = Path("-")

dead_letters = typer.Typer(help="Messages that could not be delivered: list, fix, resend.")

LetterId = Annotated[str, typer.Argument(metavar="ID", help="Its first 6 characters are enough.")]


@command
async def send(
    file: Annotated[Path, typer.Argument(help="The document; - reads it from standard input.")],
    dialect: Annotated[
        str | None, typer.Option(help="What it is written in; detected when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message or event, in any dialect, and print what was delivered and answered.

    Exit code: 0 delivered, 1 answered by a failure, 3 kept as a dead letter.
    """
    await _deliver(as_json, file=file, dialect=dialect)


@dead_letters.callback(invoke_without_command=True)
@command
async def list_dead_letters(
    context: typer.Context,
    all_of_them: Annotated[
        bool, typer.Option("--all", help="Also those that were resent or discarded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Messages that could not be delivered, newest first, each with its reason."""
    if context.invoked_subcommand is None:
        from blocks.ledger.calls.dead_letters import LetterStatus

        with open_ledger() as ledger:
            found = await ledger.dead_letters.list(None if all_of_them else LetterStatus.WAITING)
        show(found, as_json, _print_letters)


@dead_letters.command("show")
@command
async def show_dead_letter(letter_id: LetterId, as_json: AsJson = False) -> None:
    """Show a dead letter: the document as it came, and why it was not delivered."""
    with open_ledger() as ledger:
        show(await ledger.dead_letters.get(letter_id), as_json, _print_letter)


@dead_letters.command("resend")
@command
async def resend_dead_letter(
    letter_id: LetterId,
    fix: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The corrected document; - reads it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Deliver a dead letter, corrected or as it came; once, whoever else tries."""
    await _deliver(as_json, file=fix, letter=letter_id)


@dead_letters.command("discard")
@command
async def discard_dead_letter(letter_id: LetterId, as_json: AsJson = False) -> None:
    """Settle a dead letter as one that is not to be sent; it stays on record."""
    from blocks.vocabulary.messages import utc_now

    with open_ledger() as ledger:
        letter = await ledger.dead_letters.get(letter_id)
        if not await ledger.dead_letters.discard(letter.id, utc_now()):
            raise RequestError(f"Dead letter {letter.id} does not wait: it is {letter.status}.")
        letter = await ledger.dead_letters.get(letter.id)
    show(letter, as_json, lambda letter, out: line(f"Discarded {escape(letter.id)}.", out))


async def _deliver(as_json: bool, **what: Any) -> NoReturn:
    quiet_prefect()
    delivered = await send_document(**what)
    show(delivered, as_json, print_deliveries)
    raise typer.Exit(exit_code(delivered))


async def send_document(
    file: Path | None, dialect: str | None = None, letter: str | None = None
) -> Sequence[Delivery]:
    """Deliver a document, or resend a dead letter, in this process.

    Args:
        file: The document, or the corrected one; None to resend a letter as it came.
        dialect: What it is written in; detected when None.
        letter: The dead letter.

    Raises:
        RequestError: The file cannot be read, or the letter cannot be resent.
        OrchestratorError: It could not be done.
    """
    from blocks.dialects import standalone

    given: dict[str, Any] = {"dialect": dialect, "letter": letter}
    if file is not None:
        given["message"] = standalone(_read(file))
    report = await run_with("deliver-message", given)
    from flows.deliver_message import DeliveryReport  # by now it is loaded

    assert isinstance(report, DeliveryReport), "what the workflow ends with"
    return report.deliveries


def _read(file: Path) -> bytes:
    """The document; of one that is too large, as much as shows that it is."""
    from blocks.dialects.strict_json import MAX_BYTES

    try:
        if file == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.") from None


def exit_code(delivered: Sequence[Delivery]) -> int:
    """0 when all was delivered, 3 when something is a dead letter, 1 when an agent failed."""
    if any(one.letter for one in delivered):
        return 3
    return 0 if all(one.ok for one in delivered) else 1


def print_deliveries(delivered: Sequence[Delivery], console: Console) -> None:
    """What was delivered, where to, and what came of it."""
    from flows.deliver_message import told

    for one in delivered:
        what, where, came = told(one)
        mark = "[green]✓[/]" if one.ok else "[red]✗[/]"
        line(f"{mark} {escape(what)} → {escape(where)}", console)
        line(f"  {escape(came)}", console)
        if one.letter:
            line(f"  ./orchestrator dead-letters resend {one.letter.id[:8]} --fix FILE", console)
        if one.answer is not None:
            console.print_json(data=one.answer)
    if not delivered:
        console.print("The document was empty.")


def _print_letters(letters: Sequence[DeadLetter], console: Console) -> None:
    if not letters:
        console.print("No dead letters wait.")
        return
    table = Table("Id", "Received", "Dialect", "Status", "Reason")
    for letter in letters:
        table.add_row(
            escape(letter.id[:8]),
            f"{letter.received_at:%Y-%m-%d %H:%M}",
            escape(letter.dialect) or "—",
            letter.status.value,
            escape(letter.reason),
        )
    console.print(table)


def _print_letter(letter: DeadLetter, console: Console) -> None:
    """One letter with its document, whose control characters are not obeyed."""
    facts = {
        "Id": letter.id,
        "Received": f"{letter.received_at:%Y-%m-%d %H:%M:%S} UTC",
        "From": letter.origin,
        "Dialect": letter.dialect or "—",
        "Status": letter.status.value,
        "Resent as": letter.message_id or "—",
        "Reason": letter.reason,
    }
    for name, value in facts.items():
        line(f"[bold]{name:10}[/]{escape(value)}", console)
    console.print()
    for text in letter.raw.splitlines():
        line(escape(text), console)
