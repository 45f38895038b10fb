"""What Prefect and the ledger know of a run afterwards."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from prefect import Flow, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import Artifact, TaskRun
from prefect.states import State

from blocks.ledger import Ledger
from flows.critical_inventory import critical_inventory
from flows.daily_health_check import daily_health_check
from flows.parallel_workflow import parallel_workflow
from flows.reports.model import Report
from flows.sequential_workflow import sequential_workflow
from tests.waiting import until

WORKFLOWS: list[Flow[..., Report]] = [
    daily_health_check,
    parallel_workflow,
    sequential_workflow,
    critical_inventory,
]


async def ran(workflow: Callable[..., object], **parameters: object) -> tuple[State, Report]:
    """Run a workflow: its final state as Prefect has it, and its report."""
    state = await workflow(**parameters, return_state=True)
    return state, await state.aresult(raise_on_failure=False)


async def artifacts_of(flow_run_id: UUID) -> list[Artifact]:
    async with get_client() as client:
        return await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        )


async def task_runs_of(flow_run_id: UUID, count: int) -> list[TaskRun]:
    """The task runs of a flow run, once ``count`` of them have reached their final state."""
    async with get_client() as client:
        its = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))

        async def look() -> list[TaskRun] | None:
            runs = await client.read_task_runs(flow_run_filter=its)
            ended = [run for run in runs if run.state and run.state.is_final()]
            return runs if len(ended) >= count else None

        return await until(look, f"{count} task runs on the server") or []


async def assert_nothing_half_written(ledger: Ledger, *reports: Report) -> None:
    """Every run and call on record has an outcome, and every report is kept as it was given."""
    runs = {run.id: run for run in await ledger.runs(limit=100)}
    assert all(run.outcome and run.finished_at for run in runs.values()), runs
    calls = await ledger.calls(limit=500)
    assert all(call.outcome and call.duration_ms is not None for call in calls)
    assert all(r.finished_at for r in await ledger.effects.acts())
    for report in reports:
        assert runs[report.run_id].outcome == report.outcome
        kept = await ledger.report(report.run_id)
        assert kept is not None
        assert Report.model_validate(kept.body) == report
