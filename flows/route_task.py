"""One task of any type that the decision matrix knows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from agents.capability import Asker
from agents.registry import Registry
from blocks.errors import RequestError
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.work.tasks import TaskRecord, TaskResult, TaskStatus
from blocks.policy.policy import Plan, Policy, Role
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.urgency import Urgency, urgency
from flows.orchestrator.dispatch.routing import params_for, plan_for
from flows.orchestrator.runs.cut_off import outlives_outages
from flows.orchestrator.runs.identity import accepted_as
from flows.orchestrator.runs.refusals import refusing
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of
from flows.orchestrator.team.team import Orchestrator
from flows.reports.model import Report, Section, Table
from flows.reports.ranking import rank

_HEADLINES = {
    TaskStatus.DONE: "{task} is done.",
    TaskStatus.DEGRADED: "{task} is done in a degraded way.",
    TaskStatus.FAILED: "{task} failed.",
    TaskStatus.AWAITING_APPROVAL: "{task} failed, and a person is asked what to do.",
}


@flow(
    name="route-task",
    description=(
        "Has the agents that the decision matrix names do a task: the primary does it, the others "
        "prepare, watch, check or explain it; when the primary fails, another takes over, and in "
        "the end a person is asked."
    ),
    timeout_seconds=3600,
)
@outlives_outages
@refusing
async def route_task(
    task_type: str = "",
    params: dict[str, Any] | None = None,
    severity: Severity | None = None,
    impact_per_hour: Annotated[float | None, Field(ge=0, le=1e12)] = None,
    resource: Annotated[str, Field(max_length=500)] = "",
    deadline_minutes: Annotated[float | None, Field(gt=0, le=525_600)] = None,
    need_key: Annotated[str | None, Field(min_length=1, max_length=200)] = None,
    task_id: str | None = None,
) -> Report:
    """Route a task, and see it through.

    Args:
        task_type: What is to be done, for instance inventory_sync; ./orchestrator policy lists all.
        params: What the task is about, for instance {"connection": "acme"} for api_failure.
        severity: How bad it is; the task type's own when empty.
        impact_per_hour: Money at risk per hour; raises the priority.
        resource: The thing concerned as type:name, for instance supplier:acme.
        deadline_minutes: After so long the result is of no use; raises the priority as it nears.
        need_key: Of all tasks with one need key, a single one is carried out.
        task_id: Go on with a task that was accepted before; everything else is then ignored.

    Raises:
        NoAgentAvailable: No agent is there for the task type; names the near misses.
        InvalidMessage: The primary takes no such parameters.
        PolicyError: ``task-taken``: another run carries this task out.
        NoBusinessConfigured: There is nothing to look after yet.
        LedgerError: What was done could not be recorded.
    """
    async with workflow_run("route-task") as team:
        if task_id is None:
            deadline = deadline_minutes and utc_now() + timedelta(minutes=deadline_minutes)
            task = await accept(
                team,
                task_type,
                params or {},
                severity=severity,
                impact_per_hour=impact_per_hour,
                resource=resource,
                deadline=deadline or None,
                # A restarted run goes on with its task, and accepts no second one.
                need_key=need_key or await accepted_as(),
            )
            task_id = task.id
        task = await carry_out(team, task_id)
        report = await team.report(
            f"Task {task.task_type}",
            _headline(task),
            sections=[_section(task)],
            findings=rank(findings_of(team.replies)),
            replies=team.replies,
        )
    return conclude(report)


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
        NoAgentAvailable, InvalidMessage, LedgerError: As for the flow.
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
        NoAgentAvailable, InvalidMessage: As for the flow.
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


def _headline(task: TaskRecord) -> str:
    said = _HEADLINES[task.status].format(task=task.task_type)
    result = task.result and task.result.result
    summary = result.get("summary", "") if isinstance(result, dict) else ""
    cause = f"Cause: {task.error.what}" if task.error else ""
    return " ".join(filter(None, (said, summary, cause)))


def _section(task: TaskRecord) -> Section:
    told = task.result or TaskResult()
    doubts = " ".join(told.doubts)
    return Section(
        title="How it was done",
        text=f"Task {task.id}. {doubts}".strip(),
        tables=[
            Table(
                columns=["Role", "Who", "What came of it"],
                rows=[[step.role, step.who, step.came] for step in told.steps],
            )
        ],
    )
