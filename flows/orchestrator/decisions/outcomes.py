"""What became of decisions: the judgement. Pure.

A call is judged by its reply. A task is judged by how it ended, and then by whether its issue came
back: the same type of task about the same thing, asked for again soon after it was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from blocks.ledger.calls.records import CallRecord, ReceiptRecord
from blocks.ledger.receipts.outcomes import OutcomeRecord, Verdict
from blocks.ledger.work.tasks import TaskRecord, TaskStatus
from blocks.vocabulary.messages import Outcome

CALL_GRACE = timedelta(minutes=5)
"""Decisions about calls are judged when they are so old."""
GIVEN_UP = timedelta(hours=48)
"""What has no outcome after so long never gets one."""
COMES_BACK = timedelta(hours=6)
"""An issue that is there again within so long was not solved."""

_ENDED = {
    TaskStatus.DONE: Verdict.SUCCEEDED,
    TaskStatus.DEGRADED: Verdict.DEGRADED,
    TaskStatus.FAILED: Verdict.FAILED,
}


def judge_call(
    receipt: ReceiptRecord, call: CallRecord | None, now: datetime
) -> OutcomeRecord | None:
    """What became of a selection; None when that is too early to say."""
    answered = call is not None and call.outcome is not None
    if not answered and now - receipt.at < GIVEN_UP:
        return None
    verdict = Verdict.UNKNOWN
    if call is not None and answered:
        verdict = Verdict.FAILED if call.outcome is Outcome.FAILED else Verdict.SUCCEEDED
    error = call.error if call is not None else None
    return OutcomeRecord(
        receipt_id=receipt.id,
        kind=receipt.kind,
        subject=receipt.subject,
        instance=receipt.body["decision"].get("instance"),
        decided_at=receipt.at,
        settled_at=now,
        verdict=verdict,
        cost_ms=call.duration_ms if call is not None else None,
        detail={"error": error.code} if error else {},
    )


def judge_task(
    receipt: ReceiptRecord,
    task: TaskRecord | None,
    others: Sequence[TaskRecord],
    now: datetime,
) -> OutcomeRecord | None:
    """What became of a routed task; None when that is too early to say.

    Args:
        receipt: Of the routing.
        task: The task as it stands.
        others: Tasks that were asked for since, in any order.
        now: The instant to judge at.
    """
    if task is None or task.finished_at is None:
        if now - receipt.at < GIVEN_UP:
            return None
        verdict, again = Verdict.UNKNOWN, None
    else:
        verdict, again = _ENDED[task.status], _came_back(task, others)
        if again is None and verdict is not Verdict.FAILED and now - task.finished_at < COMES_BACK:
            return None
        if again is not None and verdict is Verdict.SUCCEEDED:
            verdict = Verdict.RECURRED
    finished = task.finished_at if task else None
    return OutcomeRecord(
        receipt_id=receipt.id,
        kind=receipt.kind,
        subject=receipt.subject,
        task_type=task.task_type if task else None,
        instance=_player(task),
        decided_at=receipt.at,
        settled_at=now,
        verdict=verdict,
        cost_ms=(finished - receipt.at) / timedelta(milliseconds=1) if finished else None,
        detail={"again": again.id} if again else {},
    )


def _came_back(task: TaskRecord, others: Sequence[TaskRecord]) -> TaskRecord | None:
    """The task in which its issue is there again; None for what is about nothing in particular."""
    if not task.resource or task.finished_at is None:
        return None
    end = task.finished_at + COMES_BACK
    same = (
        other
        for other in others
        if other.id != task.id
        and (other.task_type, other.resource) == (task.task_type, task.resource)
        and task.finished_at <= other.requested_at <= end
    )
    return min(same, key=lambda other: other.requested_at, default=None)


def _player(task: TaskRecord | None) -> str | None:
    """The instance whose result stands: ``played_by`` is ``role/instance``."""
    return task.played_by.partition("/")[2] if task and task.played_by else None
