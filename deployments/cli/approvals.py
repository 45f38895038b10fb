"""What the command line says of approvals, and how one is answered there."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.prefect_api.env import use_embedded_prefect
from blocks.settings import get_settings
from blocks.text import printable
from blocks.vocabulary.messages import utc_now
from deployments.cli.current_user import current_user
from deployments.cli.status import has_ledger
from deployments.console.markup import escape


class Answered(BaseModel):
    """What came of an answer.

    Attributes:
        counted: Whether it did; else the question was settled before.
        faults: Why it is not in effect yet; the stack tries again.
    """

    approval: ApprovalRecord
    counted: bool
    faults: list[str] = []


async def read_approvals(*, everything: bool) -> list[ApprovalRecord]:
    """The open questions, or all of them, newest first; none before the first run.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    settings = get_settings()
    if not has_ledger(settings):
        return []
    with Ledger.open(settings.effective_ledger_url) as ledger:
        if everything:
            return await ledger.approvals.list()
        await ledger.approvals.expire_due(utc_now())
        return await ledger.approvals.list(ApprovalStatus.OPEN)


async def answer(which: str, *, approve: bool, note: str) -> Answered:
    """Answer a question, and have the answer applied: by the stack, or here when none runs.

    Args:
        which: The question's id, or at least six characters of its beginning.
        approve: Yes or no.
        note: What else there is to say.

    Raises:
        RequestError: There is no such question.
        LedgerError: The ledger cannot be read or written.
    """
    settings = get_settings()
    if not has_ledger(settings):
        raise RequestError(f"There is no approval {which!r}: nothing has run yet.")
    use_embedded_prefect()
    from flows.internal.apply_approval import apply_approval
    from flows.orchestrator.approvals.escalation import settle_due

    with Ledger.open(settings.effective_ledger_url) as ledger:
        question = await ledger.approvals.get(which)
        _, counted = await ledger.approvals.answer(
            question.id, approve, by=current_user(), via="cli", note=note, now=utc_now()
        )
        faults = await settle_due(ledger, utc_now(), apply=apply_approval)
        return Answered(
            approval=await ledger.approvals.get(question.id), counted=counted, faults=faults
        )


def print_approvals(found: list[ApprovalRecord], console: Console) -> None:
    """The questions as a person reads them."""
    if not found:
        console.print("Nothing waits for an answer.")
        return
    now = utc_now()
    table = Table("Id", "Question", "Asked", "Stands", "If nobody answers")
    for record in found:
        table.add_row(
            record.id[:8],
            escape(printable(record.title)),
            f"{_span(record.asked_at, now)} ago",
            escape(_standing(record, now)),
            record.safe_choice,
        )
    console.print(table)
    if any(record.status is ApprovalStatus.OPEN for record in found):
        console.print(
            "./orchestrator approve ID or ./orchestrator reject ID [dim]\\[--note TEXT][/]",
            highlight=False,
        )


def print_answered(answered: Answered, console: Console) -> None:
    """What came of an answer, as a person reads it."""
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
    for line in (record.title, said, *answered.faults):
        console.print(escape(printable(line)), highlight=False, soft_wrap=True)


def _standing(record: ApprovalRecord, now: datetime) -> str:
    if record.status is ApprovalStatus.OPEN:
        return f"open, expires in {_span(now, record.expires_at)}"
    by = f" by {record.answered_by}" if record.answered_by else ""
    applied = "in effect" if record.applied_at else "not in effect yet"
    return printable(f"{record.status}{by}, {applied}")


def _span(begin: datetime, end: datetime) -> str:
    seconds = max(0, int((end - begin).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds + 30 >= size:  # four hours are four hours a moment later, too
            return f"{(seconds + 30) // size} {unit}"
    return f"{seconds} s"
