"""One task of any type that the decision matrix knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from blocks.ledger.work.tasks import TaskRecord, TaskResult, TaskStatus
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.severity import Severity
from flows.orchestrator.runs.endings import outlives_outages, refusing
from flows.orchestrator.runs.identity import accepted_as
from flows.orchestrator.tasks.acceptance import accept
from flows.orchestrator.tasks.recovery import carry_out
from flows.orchestrator.team.opening import workflow_run
from flows.orchestrator.team.outcome import conclude, findings_of
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
