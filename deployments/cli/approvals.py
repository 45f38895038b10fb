"""``./orchestrator approvals``, ``approve`` and ``reject``: questions to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from blocks.text.spans import span
from deployments.cli.app import (
    AsJson,
    command,
    current_user,
    existing_ledger,
    line,
    quiet_prefect,
    show,
)
from deployments.console.markup import escape

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.ledger.work.approvals import ApprovalRecord
    from flows.orchestrator.approvals.answering import Answered

ApprovalId = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or at least six characters of its beginning.")
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the record.")]


@command
async def approvals(
    everything: Annotated[
        bool, typer.Option("--all", help="Settled ones, too: the newest hundred.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits for a person's answer."""
    from blocks.ledger.work.approvals import ApprovalStatus
    from blocks.vocabulary.messages import utc_now

    found: list[ApprovalRecord] = []
    with existing_ledger() as ledger:
        if ledger is not None:
            await ledger.approvals.expire_due(utc_now())
            found = await ledger.approvals.list(*([] if everything else [ApprovalStatus.OPEN]))
    show(found, as_json, _print_approvals)


@command
async def approve(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say yes to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    await _answer(which, note, as_json, approve=True)


@command
async def reject(which: ApprovalId, note: Note = "", as_json: AsJson = False) -> None:
    """Say no to a question. Exit code 1 when it was settled before, 2 for a wrong id."""
    await _answer(which, note, as_json, approve=False)


async def _answer(which: str, note: str, as_json: bool, *, approve: bool) -> None:
    """Have an answer applied: by the stack, or here when none runs."""
    from blocks.prefect_api.env import use_embedded_prefect

    quiet_prefect()
    with existing_ledger() as ledger:
        if ledger is None:
            raise RequestError(f"There is no approval {which!r}: nothing has run yet.")
        use_embedded_prefect()
        from flows.internal.apply_approval import apply_approval
        from flows.orchestrator.approvals.answering import answer_question

        answered = await answer_question(
            ledger, which, approve, by=current_user(), via="cli", note=note, apply=apply_approval
        )
    show(answered, as_json, _print_answered)
    raise typer.Exit(0 if answered.counted else 1)


def _print_approvals(found: list[ApprovalRecord], console: Console) -> None:
    from blocks.vocabulary.messages import utc_now

    if not found:
        console.print("Nothing waits for an answer.")
        return
    now = utc_now()
    table = Table()
    for column in ("Id", "Question", "Asked", "Stands", "If nobody answers"):
        table.add_column(column, overflow="fold")
    for record in found:
        table.add_row(
            record.id[:8],
            escape(record.title),
            f"{span(now - record.asked_at)} ago",
            escape(_standing(record, now)),
            record.safe_choice,
        )
    console.print(table)
    if any(record.status == "open" for record in found):
        console.print(
            "./orchestrator approve ID or ./orchestrator reject ID [dim]\\[--note TEXT][/]",
            highlight=False,
        )


def _print_answered(answered: Answered, console: Console) -> None:
    from flows.orchestrator.approvals.texts import how_it_was_settled

    record = answered.approval
    if not answered.counted:
        console.print("[yellow]It was settled before.[/]", highlight=False)
    said = how_it_was_settled(record)
    if record.outcome is not None:
        said = record.outcome if record.outcome.startswith(said) else f"{said} {record.outcome}"
    elif answered.faults:
        said += " It counts, and is put into effect when ./orchestrator up runs."
    else:
        said += " It is being put into effect: see the run of apply-approval in the Prefect UI."
    for text in (record.title, said, *answered.faults):
        line(escape(text), console)


def _standing(record: ApprovalRecord, now: datetime) -> str:
    if record.status == "open":
        return f"open, expires in {span(record.expires_at - now)}"
    by = f" by {record.answered_by}" if record.answered_by else ""
    applied = "in effect" if record.applied_at else "not in effect yet"
    return f"{record.status}{by}, {applied}"
