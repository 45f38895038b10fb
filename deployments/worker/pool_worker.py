"""Prefect's worker for processes, which can bear a run that comes back to it after a crash."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import anyio.abc
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse


class PoolWorker(ProcessWorker, abc.ABC):  # ABC: Prefect's registry keeps its own for the type
    """The worker of one of our pools."""

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run a flow run's process to its end.

        Prefect says twice that a run crashed: here, and seconds later on a result that is not 0.
        The run may be restarted by then, and would crash of it.
        """
        result = await super().run(flow_run, configuration, task_status)
        return result.model_copy(update={"status_code": 0})

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        """Take runs on, but none that this worker still holds a slot for.

        Prefect's own worker ends itself over a crashed run that is scheduled again so soon.
        """
        held = self.limiter.statistics().borrowers
        fresh = [entry for entry in flow_run_response if entry.flow_run.id not in held]
        return await super()._submit_scheduled_flow_runs(fresh)
