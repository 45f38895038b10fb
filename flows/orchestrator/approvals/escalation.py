"""Escalation: a question reaches a person, and whatever they answer takes effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
from prefect.logging import get_logger

from blocks.errors import OrchestratorError
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.ledger.work.effects import DELIVERIES
from flows.orchestrator.approvals.texts import notification
from flows.orchestrator.effects.notifications import notify
from flows.orchestrator.effects.perform import Doer
from flows.orchestrator.runs.starting import going_on, start_run

CLAIM = timedelta(seconds=120)
"""Whoever applies an answer says so this often, three times over; else somebody else may."""

Apply = Callable[..., Any]
"""The flow that puts an answer into effect, given the question's id."""

FORM = timedelta(seconds=60)
"""A question has one new form in so long at most: one that always dies does not do it at once."""


async def escalate(by: Doer, record: ApprovalRecord) -> ApprovalRecord:
    """Put a question to a person: in the ledger, as a notification, and as a form in Prefect.

    Only the ledger must work; what else failed is in the log and the receipt, and the question
    can be answered with ``./orchestrator approve`` all the same.

    Args:
        by: Who asks.
        record: The question.

    Returns:
        The question that stands for the need; it may be an earlier one, even an answered one.

    Raises:
        LedgerError: The question could not be kept.
    """
    asked = await by.ledger.approvals.ask(record)
    if asked.status is not ApprovalStatus.OPEN:
        return asked
    faults = []
    if asked.proposal.get("effect") not in DELIVERIES:  # who could not be told is not told so
        faults += await notify(by, f"approval {asked.id}", *notification(asked))
    if fault := await _show_form(asked, key=asked.id):
        faults.append(f"There is no form for it: {fault}.")
    for fault in faults:
        get_logger("approvals").warning("Approval %s: %s", asked.id, fault)
    by.receipt(
        ReceiptKind.ESCALATE,
        asked.task_id or asked.id,
        inputs={"proposal": asked.proposal, "resource": asked.resource, "faults": faults},
        decision={
            "approval": asked.id,
            "expires_at": asked.expires_at.isoformat(),
            "safe_choice": asked.safe_choice,
        },
        why=f"A person is asked: {asked.title}",
    )
    return asked


async def show_forms(ledger: Ledger, now: datetime) -> list[str]:
    """Give every open question whose form died, or never came, another one.

    Safe to call at any time, from several processes. With no open question it is one small query.

    Returns:
        Which questions have no form and why, in words.

    Raises:
        LedgerError: The ledger cannot be read.
        SourceUnavailable: The Prefect server does not answer as it should.
    """
    asked = await ledger.approvals.list(ApprovalStatus.OPEN)
    asked = [record for record in asked if now - record.asked_at > FORM]  # else it may be coming
    if not asked:
        return []
    forms = [str(run.parameters.get("approval_id", "")) for run in await going_on("approval-form")]
    window = int(now.timestamp() // FORM.total_seconds())
    faults = []
    for record in asked:
        if not any(form and record.id.startswith(form) for form in forms):
            fault = await _show_form(record, key=f"{record.id} {window}")
            faults += [f"Approval {record.id[:8]} has no form: {fault}."] if fault else []
    return faults


async def _show_form(record: ApprovalRecord, *, key: str) -> str:
    """Start the run that is the question's form; why there is none, if so."""
    return await start_run(
        "approval-form/approval-form", {"approval_id": record.id}, key=key, name=record.title
    )


async def settle_due(ledger: Ledger, now: datetime, *, apply: Apply | None = None) -> list[str]:
    """Expire the questions whose time is up, and have every answer applied that is not yet.

    Safe to call at any time, from several processes. With nothing to do it is one small query.

    Args:
        ledger: Where the questions are.
        now: The instant to judge at.
        apply: Applies an answer in this process when no run can be started for it; None leaves
            it to a later call.

    Returns:
        What could not be done now, in words; it is tried again by the next call.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    if not await ledger.approvals.unsettled(now):
        return []
    await ledger.approvals.expire_due(now)
    return [
        f"Approval {record.id[:8]} is not applied yet: {fault}."
        for record in await ledger.approvals.unapplied(now)
        if (fault := await _have_applied(record, now, apply))
    ]


async def _have_applied(record: ApprovalRecord, now: datetime, apply: Apply | None) -> str:
    """What went wrong; empty when a run was started for it, or it was applied here."""
    # One run per window: when it dies, its claim runs out, and the next window starts another.
    window = int(now.timestamp() // CLAIM.total_seconds())
    name = f"{'yes' if record.is_yes else 'no'}: {record.title}"
    fault = await start_run(
        "apply-approval/apply-approval",
        {"approval_id": record.id},
        key=f"{record.id} {window}",
        name=name,
    )
    if not fault or apply is None:
        return fault
    try:
        state = await apply(record.id, return_state=True)
    except (RuntimeError, httpx.HTTPError, OrchestratorError) as error:  # Prefect's own
        return f"{type(error).__name__}: {error}"
    return "" if state.is_completed() else str(state.message)
