"""``./orchestrator send`` and ``./orchestrator dead-letters``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from blocks.dialects import MAX_BYTES, standalone
from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.calls.dead_letters import DeadLetter, LetterStatus
from blocks.settings import get_settings
from deployments.cli.workflows import run_with
from deployments.console.markup import escape

if TYPE_CHECKING:
    from flows.orchestrator.messages.delivery import Delivery

STDIN = Path("-")


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
    given: dict[str, Any] = {"dialect": dialect, "letter": letter}
    if file is not None:
        given["message"] = standalone(_read(file))
    report = await run_with("deliver-message", given)
    from flows.deliver_message import DeliveryReport  # by now it is loaded

    assert isinstance(report, DeliveryReport), "what the workflow ends with"
    return report.deliveries


def _read(file: Path) -> bytes:
    """The document; of one that is too large, as much as shows that it is."""
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


async def waiting_letters(all_of_them: bool) -> list[DeadLetter]:
    """Dead letters, newest first: those that wait, or all."""
    with _ledger() as ledger:
        return await ledger.dead_letters.list(None if all_of_them else LetterStatus.WAITING)


async def find_letter(letter_id: str) -> DeadLetter:
    """One dead letter.

    Raises:
        RequestError: There is none of that id.
    """
    with _ledger() as ledger:
        return await ledger.dead_letters.get(letter_id)


async def discard_letter(letter_id: str) -> DeadLetter:
    """Settle a dead letter as not to be sent.

    Raises:
        RequestError: There is none of that id, or it is settled.
    """
    with _ledger() as ledger:
        letter = await ledger.dead_letters.get(letter_id)
        if not await ledger.dead_letters.discard(letter.id, datetime.now(UTC)):
            raise RequestError(f"Dead letter {letter.id} does not wait: it is {letter.status}.")
        return await ledger.dead_letters.get(letter.id)


def _ledger() -> Ledger:
    return Ledger.open(get_settings().effective_ledger_url)


def print_deliveries(delivered: Sequence[Delivery], console: Console) -> None:
    """What was delivered, where to, and what came of it."""
    from flows.deliver_message import told

    for one in delivered:
        what, where, came = told(one)
        mark = "[green]✓[/]" if one.ok else "[red]✗[/]"
        console.print(f"{mark} {escape(what)} → {escape(where)}", highlight=False, soft_wrap=True)
        console.print(f"  {escape(came)}", highlight=False, soft_wrap=True)
        if one.letter:
            console.print(
                f"  ./orchestrator dead-letters resend {one.letter.id[:8]} --fix FILE",
                highlight=False,
                soft_wrap=True,
            )
        if one.answer is not None:
            console.print_json(data=one.answer)
    if not delivered:
        console.print("The document was empty.")


def print_letters(letters: Sequence[DeadLetter], console: Console) -> None:
    """The letters as a table."""
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


def print_letter(letter: DeadLetter, console: Console) -> None:
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
        console.print(f"[bold]{name:10}[/]{escape(value)}", highlight=False, soft_wrap=True)
    console.print()
    for line in letter.raw.splitlines():
        console.print(escape(line), highlight=False, soft_wrap=True)
