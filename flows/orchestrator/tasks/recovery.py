"""Carrying out a task: the primary first, and when it fails the ladder of recovery.

    primary -> (retries, where the error says that they help: agents.tasks)
            -> another instance of the primary's agent
            -> the secondary, in a degraded but useful way that says so
            -> a person, by an approval in the ledger

Every step has an id of its own that follows from the task, so that a run which takes over after a
crash finds what was answered and does not do it again. A step that changes the world outside and
was begun but never answered is not repeated either: nobody knows whether it happened, so a person
is asked.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from agents.descriptions import describe
from blocks.crash_points import reach
from blocks.errors import InvalidMessage, PolicyError, RequestError
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.ledger.work.tasks import TaskRecord, TaskResult, TaskStatus
from blocks.policy.policy import Plan, Role
from blocks.vocabulary.messages import ErrorInfo, utc_now
from flows.orchestrator.approvals.escalation import escalate
from flows.orchestrator.dispatch.routing import plan_for
from flows.orchestrator.runs.deaths import are_lives_of_one
from flows.orchestrator.runs.heartbeat import beating
from flows.orchestrator.tasks.steps import NO_HELP, Step, Steps
from flows.orchestrator.team.team import Orchestrator

ALIVE = timedelta(seconds=30)
"""A run that carries out a task says so this often, three times over; else it counts as dead."""

LOOK = 1.0
"""Seconds between two looks at a task that another run has in hand."""

_OURS = frozenset({InvalidMessage("").code, "unknown-action"})
"""Errors of the request itself: no other agent could do better with it."""


async def carry_out(team: Orchestrator, task_id: str) -> TaskRecord:
    """Carry out an accepted task, or go on with one whose run died.

    Args:
        team: The run that does it.
        task_id: Which task.

    Returns:
        The task as it stands then: done, degraded, failed, or waiting for an approval.
        A finished one is returned as it is.

    Raises:
        RequestError: There is no such task.
        PolicyError: ``task-taken``: another run is at it, or it waits for an approval.
        NoAgentAvailable: The matrix has no such type of task any more.
        LedgerError: What was done could not be recorded.
    """
    task = await team.ledger.tasks.get(task_id)
    if task is None:
        raise RequestError(
            f"There is no task {task_id!r}.", hint="See ./orchestrator status for the newest."
        )
    if task.status.is_final:
        return task
    plan = plan_for(team.policy, task.task_type)
    begun_before = task.run_id is not None
    if (elsewhere := await _take_on(team, task)) is not None:
        return elsewhere
    task = task.model_copy(
        update={
            "run_id": team.run.id,
            "status": TaskStatus.RUNNING,
            "policy_version": team.policy.version,
        }
    )
    reach("recovery.started")

    async def still_at_it() -> bool:
        return await team.ledger.tasks.keep_alive(task.id, team.run.id, utc_now() + ALIVE)

    async with beating(ALIVE / 3, still_at_it):
        steps = Steps(team, task, plan, begun_before, await _round(team, task))
        settled = await _climb(team, task, plan, steps)
    await team.ledger.tasks.settle(settled)
    reach("recovery.settled")
    return settled


async def _take_on(team: Orchestrator, task: TaskRecord) -> TaskRecord | None:
    """Take a task on; a restarted run waits until its earlier life lets go of it.

    That life may be dead: then it is not heard of for a while, and this one goes on. Or it was
    taken to be dead and is not: then it finishes the task, and this one tells what came of it.

    Returns:
        None when this run has it; else what another one made of it.
    """
    while True:
        now = utc_now()
        if await team.ledger.tasks.start(task.id, team.run.id, now, now + ALIVE):
            return None
        task = await team.ledger.tasks.get(task.id) or task
        if task.status.is_final:
            return task
        own = (task.run_id, task.requested_by)
        if not any(are_lives_of_one(run_id, team.run.id) for run_id in own):
            raise PolicyError(
                "task-taken",
                f"Task {task.id} ({task.task_type}) is {task.status}, by run {task.run_id}.",
                hint=f"See ./orchestrator explain {task.id[:12]}.",
            )
        if task.status is TaskStatus.AWAITING_APPROVAL:
            return task
        await asyncio.sleep(LOOK)


async def _climb(team: Orchestrator, task: TaskRecord, plan: Plan, steps: Steps) -> TaskRecord:
    """Go up the ladder until a step holds."""
    context = await steps.support()
    step = await steps.primary(context)
    await team.ledger.flush()
    reach("recovery.primary-answered")
    tried = [step.reply.instance]
    while step.error and _another_may_do_better(step) and steps.others(tried):
        _note(team, task, step, "another instance")
        step = await steps.primary(context, avoid=tried)
        tried.append(step.reply.instance)
    if step.error is None:
        step = await steps.validated(step)
    explanation = await steps.analysis()
    if step.error is None:
        return _finished(task, step, steps, explanation)
    if step.error.code in _OURS:
        return _failed(task, step, steps, explanation)
    if step.unknown_effect:
        return await _ask_a_person(team, task, step, steps)
    if Role.SECONDARY in plan.roles:
        _note(team, task, step, "the secondary, degraded")
        reach("recovery.before-secondary")
        second = await steps.secondary()
        await team.ledger.flush()
        reach("recovery.secondary-answered")
        if second.error is None:
            return _finished(task, second, steps, explanation, because=step.error)
        step = second
    return await _ask_a_person(team, task, step, steps)


def _another_may_do_better(step: Step) -> bool:
    assert step.error is not None
    if not step.reply.instance or step.error.code == NO_HELP:
        return False  # all were busy, a rule forbade it, or it was done in vain: whoever does it
    return not step.unknown_effect and not step.stopped and step.error.code not in _OURS


def _finished(
    task: TaskRecord,
    step: Step,
    steps: Steps,
    explanation: Any,
    *,
    because: ErrorInfo | None = None,
) -> TaskRecord:
    degraded = because is not None or steps.doubts
    return task.model_copy(
        update={
            "status": TaskStatus.DEGRADED if degraded else TaskStatus.DONE,
            "played_by": f"{step.role}/{step.reply.instance}",
            "finished_at": utc_now(),
            "result": _told(step, steps, explanation),
            "error": because,
        }
    )


def _failed(task: TaskRecord, step: Step, steps: Steps, explanation: Any) -> TaskRecord:
    return task.model_copy(
        update={
            "status": TaskStatus.FAILED,
            "finished_at": utc_now(),
            "result": _told(step, steps, explanation),
            "error": step.error,
        }
    )


def _told(
    step: Step, steps: Steps, explanation: Any = None, approval: str | None = None
) -> TaskResult:
    return TaskResult(
        result=describe(step.reply.result),
        steps=steps.told,
        doubts=steps.doubts,
        explanation=describe(explanation),
        approval=approval,
    )


async def _ask_a_person(
    team: Orchestrator, task: TaskRecord, step: Step, steps: Steps
) -> TaskRecord:
    """Put the question durably, then let the task wait; the answer starts a run of its own."""
    assert step.error is not None
    now = utc_now()
    await team.ledger.flush()
    reach("recovery.before-escalation")
    unknown = " Whether it took effect is not known: look before you have it repeated."
    approval = await escalate(
        team,
        ApprovalRecord(
            need_key=f"task {task.id} round {steps.round}",
            run_id=team.run.id,
            task_id=task.id,
            title=f"{task.task_type} failed: try it again?",
            detail=_question(task, step, steps) + (unknown if step.unknown_effect else ""),
            resource=task.resource,
            priority=task.priority,
            proposal={"kind": "retry-task", "task_id": task.id},
            asked_at=now,
            expires_at=now + timedelta(hours=team.policy.recovery.approval_hours),
        ),
    )
    reach("recovery.escalated")
    return task.model_copy(
        update={
            "status": TaskStatus.AWAITING_APPROVAL,
            "result": _told(step, steps, approval=approval.id),
            "error": step.error,
        }
    )


def _question(task: TaskRecord, step: Step, steps: Steps) -> str:
    tried = "\n".join(f"- {line.role}, {line.who}: {line.came}" for line in steps.told)
    about = f" ({task.resource})" if task.resource else ""
    return (
        f"The task {task.task_type}{about} could not be done. What was tried:\n\n{tried}\n\n"
        "Yes has it done again from the beginning. No closes it as failed."
    )


def _note(team: Orchestrator, task: TaskRecord, failed: Step, instead: str) -> None:
    assert failed.error is not None
    team.receipt(
        ReceiptKind.RECOVER,
        task.id,
        inputs={
            "failed": f"{failed.role}/{failed.reply.instance or failed.reply.called}",
            "error": failed.error.model_dump(),
        },
        decision={"instead": instead},
        why=f"{failed.reply.called} failed ({failed.error.what}); {instead} takes over.",
    )


async def _round(team: Orchestrator, task: TaskRecord) -> int:
    """How often a person had the task done again: each time its steps are new ones."""
    asked = await team.ledger.approvals.list(task_id=task.id)
    return 1 + sum(approval.is_yes for approval in asked)
