"""A question to a person as a form: a paused run on a page of the Prefect UI."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

from prefect import flow, get_client
from prefect.context import FlowRunContext
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.states import Completed
from pydantic import Field

from blocks.business.business import local_timezone
from blocks.errors import LedgerUnavailable
from blocks.ledger import Ledger
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.settings import get_settings
from blocks.vocabulary.messages import utc_now
from flows.internal.apply_approval import apply_approval
from flows.orchestrator.approvals.answering import Answered, answer_question, settled
from flows.orchestrator.approvals.texts import form_text, how_it_was_settled
from flows.orchestrator.dispatch.context import shared_ledger

LOOK = 2
"""Seconds between looks at whether the form was sent, or the question answered elsewhere."""

_GRACE = 86_400  # seconds that Prefect lets the pause outlive the question: the ledger expires it


class Answer(RunInput):
    """The fields of the form."""

    approve: bool = Field(
        title="Yes, do it",
        description=(
            "**On** means yes, **off** means no. Your answer counts when you press Submit; "
            "Close leaves the question open."
        ),
    )
    your_name: str = Field(
        default="", title="Your name", description="Who decided, for the record."
    )
    note: str = Field(default="", title="Note", description="Why, for the record.")


@flow(
    name="approval-form",
    description=(
        "Shows a question to a person as a form, and waits. To answer, press Resume on the page "
        "of the paused run. It ends when the question is answered, here or elsewhere, or expires."
    ),
)
async def approval_form(approval_id: str = "") -> str:
    """Wait for the answer to a question.

    Args:
        approval_id: Id of the question, or at least six characters of its beginning.

    Returns:
        Who answered what; or that nobody did.

    Raises:
        RequestError: There is no such question.
        LedgerError: The ledger cannot be read or written.
    """
    ledger = shared_ledger(get_settings().effective_ledger_url)
    record = await ledger.approvals.get(approval_id)
    await _name_run(record.title)
    too_late = ""
    if record.status is ApprovalStatus.OPEN:
        answered = await _wait(ledger, record)
        record = answered.approval
        too_late = "" if answered.counted else "This answer came too late. "
        for fault in answered.faults:
            get_run_logger().warning("%s It is tried again.", fault)
    said = f"{too_late}{how_it_was_settled(record)}"
    state: Any = Completed(
        name="Expired" if record.status is ApprovalStatus.EXPIRED else None,
        message=said,
        data=said,
    )
    return cast(str, state)  # a flow that returns a state returns, to its caller, the state's data


async def _name_run(title: str) -> None:
    """A run that was started by hand is named after its question, too."""
    context = FlowRunContext.get()
    if context and context.flow_run and context.flow_run.name != title:
        async with get_client() as client:
            await client.update_flow_run(context.flow_run.id, name=title)


async def _wait(ledger: Ledger, record: ApprovalRecord) -> Answered:
    """Until the form is sent, or the question is settled without it."""
    form = asyncio.create_task(_show(record))
    elsewhere = asyncio.create_task(_settled_elsewhere(ledger, record))
    try:
        await asyncio.wait({form, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
        if not form.done():  # whoever sent it at the same moment is to hear that it was too late
            await asyncio.wait({form}, timeout=2 * LOOK)
        if not form.done():
            await elsewhere
            return await settled(ledger, record.id, counted=True, apply=apply_approval)
        answer = await form
        return await answer_question(
            ledger,
            record.id,
            answer.approve,
            by=answer.your_name,
            via="prefect-ui",
            note=answer.note,
            apply=apply_approval,
        )
    finally:
        form.cancel()
        elsewhere.cancel()
        await asyncio.gather(form, elsewhere, return_exceptions=True)


async def _show(record: ApprovalRecord) -> Answer:
    left = (record.expires_at - utc_now()).total_seconds()
    text = form_text(record, await local_timezone())
    return await apause_flow_run(
        Answer.with_initial_data(description=text),
        timeout=max(0, int(left)) + _GRACE,
        poll_interval=LOOK,
    )


async def _settled_elsewhere(ledger: Ledger, record: ApprovalRecord) -> None:
    while record.status is ApprovalStatus.OPEN:
        await asyncio.sleep(LOOK)
        with suppress(LedgerUnavailable):  # the next look tries again
            if utc_now() >= record.expires_at:
                await ledger.approvals.expire_due(utc_now())
            record = await ledger.approvals.get(record.id)
