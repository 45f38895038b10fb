"""Answering a question: the first answer counts, whoever gives it, and is put into effect."""

from __future__ import annotations

from pydantic import BaseModel

from blocks.ledger import Ledger
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.approvals.escalation import Apply, settle_due


class Answered(BaseModel):
    """What came of an answer.

    Attributes:
        counted: Whether it did; else the question was settled before.
        faults: Why it is not in effect yet; the stack tries again.
    """

    approval: ApprovalRecord
    counted: bool
    faults: list[str] = []


async def answer_question(
    ledger: Ledger,
    which: str,
    approve: bool,
    *,
    by: str,
    via: str,
    note: str = "",
    apply: Apply | None = None,
) -> Answered:
    """Answer a question, and have the answer put into effect.

    Args:
        ledger: Where the question is.
        which: Its id, or at least six characters of its beginning.
        approve: Yes or no.
        by: Who answers.
        via: By which way.
        note: What else there is to say.
        apply: As for ``settle_due``.

    Raises:
        NotFound: There is no such question.
        LedgerError: The ledger cannot be read or written.
    """
    question = await ledger.approvals.get(which)
    _, counted = await ledger.approvals.answer(
        question.id,
        approve,
        by=by.strip() or "somebody",
        via=via,
        note=note.strip(),
        now=utc_now(),
    )
    return await settled(ledger, question.id, counted=counted, apply=apply)


async def settled(
    ledger: Ledger, approval_id: str, *, counted: bool, apply: Apply | None
) -> Answered:
    """A question that was answered or has expired, with whatever is due put into effect.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    faults = await settle_due(ledger, utc_now(), apply=apply)
    record = await ledger.approvals.get(approval_id)
    return Answered(approval=record, counted=counted, faults=faults)
