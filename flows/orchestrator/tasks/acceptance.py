"""Accepting a task: judged by the policy, routed, and kept before anything is done about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from agents.capability import Asker
from agents.registry import Registry
from blocks.errors import RequestError
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.tasks import TaskRecord
from blocks.policy.policy import Plan, Policy, Role
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.urgency import Urgency, urgency
from flows.orchestrator.dispatch.routing import params_for, plan_for
from flows.orchestrator.team.team import Orchestrator


async def accept(
    team: Orchestrator,
    task_type: str,
    params: dict[str, Any],
    *,
    severity: Severity | None = None,
    impact_per_hour: float | None = None,
    resource: str = "",
    deadline: datetime | None = None,
    need_key: str | None = None,
) -> TaskRecord:
    """Route a task and keep it in the ledger, before anything is done about it.

    Returns:
        The task; an earlier one when its need key is known.

    Raises:
        NoAgentAvailable: No agent is there for the task type; names the near misses.
        InvalidMessage: The primary takes no such parameters.
        LedgerError: It could not be kept.
    """
    now = utc_now()
    plan, urgent = judge(
        team.policy,
        team.toolbox.registry,
        now,
        task_type,
        params,
        severity=severity,
        impact_per_hour=impact_per_hour,
        deadline=deadline,
    )
    task = TaskRecord(
        need_key=need_key,
        task_type=task_type,
        params=params,
        resource=resource,
        priority=urgent.priority,
        requested_by=team.run.id,
        requested_at=now,
        deadline=deadline,
        policy_version=team.policy.version,
    )
    kept = await team.ledger.tasks.accept(task)
    if kept.id == task.id:
        _record_route(team, task, plan, severity or plan.severity, impact_per_hour, urgent.reasons)
    return kept


def judge(
    policy: Policy,
    agents: Registry,
    now: datetime,
    task_type: str,
    params: dict[str, Any],
    *,
    severity: Severity | None = None,
    impact_per_hour: float | None = None,
    deadline: datetime | None = None,
) -> tuple[Plan, Urgency]:
    """The plan of a task and how urgent it is; changes nothing.

    Raises:
        RequestError: No task type is given, or its primary is not for who routes tasks.
        NoAgentAvailable, InvalidMessage: As for ``accept``.
    """
    if not task_type:
        raise RequestError("No task type is given.", hint="For instance task_type=inventory_sync.")
    plan = plan_for(policy, task_type)
    play = plan.roles[Role.PRIMARY]
    spec = agents.action(play.agent, play.action)
    spec.check_asker(Asker.MESSAGE)
    params_for(spec, Role.PRIMARY, params)  # refuses what does not fit
    urgent = urgency(
        severity or plan.severity,
        now,
        impact_per_hour=impact_per_hour,
        deadline=deadline,
        rules=policy.priorities,
    )
    return plan, urgent


def judge_parameters(
    policy: Policy, agents: Registry, now: datetime, given: dict[str, Any]
) -> Urgency:
    """How urgent a run with these parameters finds its task; raises what it would raise.

    For whoever asks for a run, to refuse what it would refuse before there is one.

    Args:
        policy: The policy in force.
        agents: The team.
        now: The instant of the request.
        given: The flow's parameters, in the types that it takes.

    Raises:
        RequestError, NoAgentAvailable, InvalidMessage: As for ``judge``.
    """
    minutes = given.get("deadline_minutes")
    _, urgent = judge(
        policy,
        agents,
        now,
        given.get("task_type") or "",
        given.get("params") or {},
        severity=given.get("severity"),
        impact_per_hour=given.get("impact_per_hour"),
        deadline=now + timedelta(minutes=minutes) if minutes else None,
    )
    return urgent


def _record_route(
    team: Orchestrator,
    task: TaskRecord,
    plan: Plan,
    severity: Severity,
    impact_per_hour: float | None,
    reasons: tuple[str, ...],
) -> None:
    roles = {role.value: f"{play.agent}.{play.action}" for role, play in plan.roles.items()}
    team.receipt(
        ReceiptKind.ROUTE,
        task.id,
        inputs={
            "task_type": task.task_type,
            "params": task.params,
            "resource": task.resource,
            "severity": severity.value,
            "impact_per_hour": impact_per_hour,
            "deadline": task.deadline and task.deadline.isoformat(),
            "at": task.requested_at.isoformat(),
        },
        decision={"roles": roles, "priority": task.priority.name.lower()},
        why=f"The matrix gives {task.task_type} to {roles['primary']}; "
        f"its priority is {task.priority.name.lower()} ({', '.join(reasons) or 'nothing urgent'}).",
    )
