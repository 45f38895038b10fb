"""Puts the answer to a question into effect, once, whoever asked and whoever answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from prefect import flow
from prefect.states import Completed

from blocks.errors import OrchestratorError, PolicyError, RequestError
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.events.incidents import CLOSE
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.ledger.work.effects import DELIVERIES
from blocks.settings import get_settings
from blocks.vocabulary.messages import ErrorInfo, new_id, utc_now
from flows.orchestrator.approvals.escalation import CLAIM
from flows.orchestrator.approvals.texts import how_it_was_settled
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.effects.answers import do_what_was_let, refuse
from flows.orchestrator.effects.perform import QUESTION
from flows.orchestrator.runs.heartbeat import beating
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import count

Applier = Callable[[Orchestrator, ApprovalRecord], Awaitable[str]]
"""Carries out a proposal and says what came of it; it may be called again after a crash."""


@flow(
    name="apply-approval",
    description=(
        "Puts the answer to a question into effect: carries out what was proposed, or gives up "
        "the task that waited for it. An answer that is in effect stays as it is."
    ),
)
async def apply_approval(approval_id: str = "") -> str:
    """Put an answer into effect.

    Args:
        approval_id: Id of the question, or at least six characters of its beginning.

    Returns:
        What came of it.

    Raises:
        RequestError: There is no such question.
        NoBusinessConfigured: The proposal needs a business, and there is none yet.
        LedgerError: What was done could not be recorded.
        OrchestratorError: It could not be carried out; what can be tried again will be.
    """
    ledger = shared_ledger(get_settings().effective_ledger_url)
    record = await ledger.approvals.get(approval_id)
    about = record.proposal
    needs_none = about.get("kind") == CLOSE or about.get("effect") in DELIVERIES
    with_business = record.is_yes and not needs_none
    async with workflow_run("apply-approval", with_business=with_business) as team:
        by = f"{team.run.id}/{new_id()[:8]}"  # unique even when Prefect starts a run twice
        now = utc_now()
        claimed = await ledger.approvals.claim_application(record.id, by, now, now + CLAIM)
        if claimed is None:
            return _end(_why_not(await ledger.approvals.get(record.id)), name="Nothing to do")

        async def still_at_it() -> bool:
            return await ledger.approvals.keep_claim(claimed.id, by, utc_now() + CLAIM)

        async with beating(CLAIM / 3, still_at_it):
            try:
                outcome = await _apply(team, claimed)
            except OrchestratorError as error:
                if _may_pass(error):
                    raise  # its claim runs out, and then it is tried again
                await _conclude(team, claimed, by, f"Failed: {error}")
                raise
        await _conclude(team, claimed, by, outcome)
    return _end(outcome)


async def _conclude(team: Orchestrator, record: ApprovalRecord, by: str, outcome: str) -> None:
    if not await team.ledger.approvals.applied(record.id, by, outcome, utc_now()):
        return  # somebody else has taken it on, and leaves the receipt
    team.receipt(
        ReceiptKind.APPROVE,
        record.task_id or record.id,
        inputs={"approval": record.id, "question": record.title, "proposal": record.proposal},
        decision={
            "answer": "yes" if record.is_yes else "no",
            "status": record.status,
            "by": record.answered_by,
            "via": record.via,
            "outcome": outcome,
        },
        why=how_it_was_settled(record),
    )


def _end(outcome: str, name: str | None = None) -> str:
    state: Any = Completed(name=name, message=outcome, data=outcome)
    return cast(str, state)  # a flow that returns a state returns, to its caller, the state's data


def _why_not(record: ApprovalRecord) -> str:
    if record.status is ApprovalStatus.OPEN:
        return "Nobody has answered yet."
    if record.applied_at is None:
        return f"{record.applying_by} is putting it into effect just now."
    return f"It is in effect since {record.applied_at:%d %b %H:%M:%S} UTC: {record.outcome}"


def _may_pass(error: OrchestratorError) -> bool:
    """Whether to try again later: a source is away, or another run still has the task."""
    taken = isinstance(error, PolicyError) and error.reason == "task-taken"
    return error.retryable or taken


async def _apply(team: Orchestrator, record: ApprovalRecord) -> str:
    said = how_it_was_settled(record)
    if not record.is_yes:
        return f"{said} {await _give_up(team, record, said)}"
    kind = str(record.proposal.get("kind"))
    if kind not in APPLIERS:
        raise RequestError(
            f"Nobody knows how to carry out a proposal of the kind {kind!r}.",
            hint=f"There are {', '.join(APPLIERS)}.",
        )
    return f"{said} {await APPLIERS[kind](team, record)}"


async def _give_up(team: Orchestrator, record: ApprovalRecord, said: str) -> str:
    """Close the task that waited; a question that no task waits for needs nothing more."""
    if record.proposal.get("kind") == CLOSE:
        return "What it is about stays open."
    if record.proposal.get("kind") == QUESTION:
        return await refuse(team, record, said)
    if record.task_id is None or await _asked_again(team, record):
        return "Nothing is done."
    code = "expired" if record.status is ApprovalStatus.EXPIRED else "rejected"
    if await team.ledger.tasks.close(record.task_id, ErrorInfo(code=code, what=said), utc_now()):
        return f"Task {record.task_id} is closed."
    task = await team.ledger.tasks.get(record.task_id)
    if task is not None and not task.status.is_final:
        raise _still_taken(record.task_id)
    return f"Task {record.task_id} was closed already."


async def _retry_task(team: Orchestrator, record: ApprovalRecord) -> str:
    """Have the task carried out again, from its beginning."""
    task_id = str(record.proposal.get("task_id"))
    if await _asked_again(team, record):  # by the run that was applying this, before it died
        return f"Task {task_id} was carried out again, and then led to another question."
    # Not reopened means: reopened before by a run that died, or never laid down by the one that
    # asked. Whether it can be carried out, the task itself knows.
    await team.ledger.tasks.reopen(task_id)
    task = await carry_out(team, task_id)
    return f"Task {task_id} was carried out again: {task.status}."


async def _close_incidents(team: Orchestrator, record: ApprovalRecord) -> str:
    """Have the incidents be over that the question is about."""
    closed = await team.ledger.incidents.answer(record.id, record.answered_by or "", utc_now())
    return f"{count(closed, 'incident')} closed." if closed else "Nothing was open any more."


async def _asked_again(team: Orchestrator, record: ApprovalRecord) -> bool:
    """Whether the task has come to a later question: this one is no longer what it waits for."""
    asked = await team.ledger.approvals.list(task_id=record.task_id) if record.task_id else []
    return any(other.asked_at > record.asked_at for other in asked)


def _still_taken(task_id: str) -> PolicyError:
    return PolicyError(
        "task-taken",
        f"Task {task_id} does not wait yet: the run that asked still has it.",
        hint="It is tried again in a few minutes.",
    )


APPLIERS: dict[str, Applier] = {
    "retry-task": _retry_task,
    CLOSE: _close_incidents,
    QUESTION: do_what_was_let,
}
"""What a yes to each kind of proposal does."""
