"""A process worker whose runs are forked from a process that has everything loaded.

It is Prefect's process worker in all but the way in which a run's process is made: states, limits,
priorities, logs, cancellation and hooks are Prefect's own code, and a run for which a forked
process is not the same thing (it asks for a command of its own, or for a variable that is read
while an interpreter starts) gets an interpreter as ever.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
import httpx
from prefect.settings import get_current_settings
from prefect.utilities.processutils import sanitize_subprocess_env
from prefect.workers.process import ProcessJobConfiguration, ProcessWorkerResult

from deployments.worker.forked_process import ForkedProcess
from deployments.worker.forked_run import Order
from deployments.worker.forking import Forks, NoForkServer
from deployments.worker.pool_worker import PoolWorker
from deployments.worker.prefect_internals import (
    FlowRunExecutionResult,
    ProcessHandle,
    StateProposer,
    WorkspaceResolvingEngineCommandStarter,
    create_isolated_termination_scope,
)
from deployments.worker.supervision import SupervisedRun, Supervision

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

# What interpreters, the loader and numerical libraries read when they start, not later.
_READ_AT_START = re.compile(
    r"PYTHON.*|LD_.*|LC_.*|LANG|TZ|MALLOC_.*|.*_NUM_THREADS|MPL.*|SSL_CERT_.*|OPENBLAS_.*|OMP_.*"
)
# How often a run is asked to end when its worker stops, and for how many seconds each time before
# it is killed. The stack kills a worker that has not stopped after 10 s.
_ASKED, _PATIENCE = 3, 2.0


class WarmJobConfiguration(ProcessJobConfiguration):
    """As Prefect's; what every run of this process gets is put together once (30 ms)."""

    @classmethod
    def _base_environment(cls) -> dict[str, str]:
        return dict(base_environment())


@cache
def base_environment() -> Mapping[str, str]:
    """The variables of Prefect's settings in this process, for runs and for what starts them."""
    return {
        # This process has checked already, and talks to the same server.
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        **get_current_settings().to_environment_variables(exclude_unset=True),
    }


class WarmWorker(PoolWorker, abc.ABC):  # ABC: see PoolWorker
    """Prefect's process worker, with forked processes, that can be woken to look for runs.

    Args:
        forks: Where processes come from.
        supervision: How they are watched.
        options: As for any Prefect worker.
    """

    job_configuration = WarmJobConfiguration

    def __init__(self, *, forks: Forks, supervision: Supervision, **options: Any) -> None:
        super().__init__(**options)
        self._forks = forks
        self._supervision = supervision
        self._submitting: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._one_query = asyncio.Lock()

    def wake(self) -> None:
        """Have it look for runs soon, beside looking every ``PREFECT_WORKER_QUERY_SECONDS``."""
        self._woken.set()

    async def work_when_woken(self) -> NoReturn:
        """Look for runs whenever woken; a failure is left to the ordinary loop to judge."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._limiter is not None and self._limiter.available_tokens < 1:
                continue  # whichever run ends next wakes it
            with contextlib.suppress(httpx.HTTPError):
                await self.get_and_submit_flow_runs()

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """As in Prefect; one query at a time, so that none submits on an outdated answer."""
        async with self._one_query:
            return await super().get_and_submit_flow_runs()

    def _record_work_pool_snapshot(self, work_pool: WorkPool) -> None:
        """As in Prefect; a limit of the pool takes the place of the worker's own while it is set.

        So there is one limit that holds, which a person, or a surge, can raise while runs go on.
        """
        super()._record_work_pool_snapshot(work_pool)
        limit = work_pool.concurrency_limit or self._limit
        if self._limiter is not None and limit is not None and limit != self._limiter.total_tokens:
            self._logger.info("Runs at once: %s, after %s.", limit, self._limiter.total_tokens)
            self._limiter.total_tokens = limit
            self.wake()

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """As in Prefect, but nothing waits for it (15 ms)."""
        assert self._runs_task_group is not None

        async def label() -> None:
            try:
                await super(WarmWorker, self)._give_worker_labels_to_flow_run(flow_run_id)
            except httpx.HTTPError:
                self._logger.warning("Run %s was not labelled.", flow_run_id, exc_info=True)

        self._runs_task_group.start_soon(label)

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """As in Prefect, while the process makes itself ready; the run does not begin before."""
        proposal = super()._propose_submitting_state(flow_run)
        self._submitting[flow_run.id] = asyncio.create_task(proposal)

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        super()._release_limit_slot(flow_run_id)
        self.wake()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run a flow run in a process of its own; returns when that has ended.

        Raises:
            RuntimeError: No process could be started.
        """
        submitting = self._submitting.pop(flow_run.id)
        deployment = (configuration._related_objects or {}).get("deployment")
        if configuration._command_configured or deployment is None or sys.platform != "linux":
            await submitting
            return await super().run(flow_run, configuration, task_status)
        task_status = task_status or anyio.TASK_STATUS_IGNORED
        execution: FlowRunExecutionResult | None = None
        with contextlib.ExitStack() as stack:
            folder = configuration.working_dir or stack.enter_context(
                tempfile.TemporaryDirectory(suffix="prefect")
            )
            directory = await asyncio.to_thread(os.path.realpath, folder)
            async with SupervisedRun(self._supervision) as supervised:
                starter = ForkingStarter(
                    forks=self._forks,
                    deployment=deployment,
                    submitting=submitting,
                    state_proposer=supervised._state_proposer,
                    workspace_root=Path(directory),
                    stream_output=configuration.stream_output,
                    control_channel=supervised.control_channel,
                    source_cwd=Path(directory),
                    environment=configuration.env,
                )
                supervised.call_after_exit(starter.close)
                executor = supervised.create_executor(
                    flow_run, starter, propose_submitting=False, hook_runner=starter.hook_runner
                )

                async def execute(*, task_status: anyio.abc.TaskStatus[ProcessHandle]) -> None:
                    nonlocal execution
                    execution = await executor.submit(task_status=task_status)

                async with anyio.create_task_group() as task_group:
                    handle = await task_group.start(execute)
                    task_status.started(handle.pid)
        if execution is None or execution.status_code is None:
            raise RuntimeError("Failed to start flow run process.")
        # Of a crash the executor has told: see PoolWorker.
        return ProcessWorkerResult(status_code=0, identifier=str(execution.handle.pid))


class ForkingStarter(WorkspaceResolvingEngineCommandStarter):
    """Starts a run's process by forking; where that is impossible, as Prefect does.

    Args:
        forks: Where processes come from.
        deployment: The run's deployment.
        submitting: Tells the server that the run is being started; it begins after that.
        state_proposer: Tells the server that the run crashed, when its worker stops.
        options: As for Prefect's starter.
    """

    def __init__(
        self,
        *,
        forks: Forks,
        deployment: DeploymentResponse,
        submitting: asyncio.Task[None],
        state_proposer: StateProposer,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._forks = forks
        self._deployment = deployment
        self._submitting = submitting
        self._state_proposer = state_proposer

    async def start(
        self,
        flow_run: FlowRun,
        task_status: anyio.abc.TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the process, tell its handle, and return when it has ended."""
        environment = self._whole_environment(flow_run)
        if needs_new_interpreter(environment):
            await self._submitting
            return await super().start(flow_run, task_status)
        order = Order(
            run=str(flow_run.id),
            flow_run=flow_run.model_dump_json(),
            deployment=self._deployment.model_dump_json(),
            environment={**environment, **self._control(flow_run)},
            directory=str(self._workspace_root),
            manifest=str(self._manifest_path),
            quiet=not self._stream_output,
        )
        try:
            process = await self._forks.fork(order)
        except NoForkServer:
            await self._submitting
            return await super().start(flow_run, task_status)
        try:
            handle = ProcessHandle(
                process,  # type: ignore[arg-type] # all that it is asked for is there
                create_isolated_termination_scope(process.pid),
            )
            task_status.started(handle)
            await self._submitting
            process.go()
            await process.wait()
        finally:
            if process.returncode is None:
                with anyio.CancelScope(shield=True):
                    await self._end(flow_run, process)
        return None

    async def _end(self, flow_run: FlowRun, process: ForkedProcess) -> None:
        """End a run whose worker stops, and leave none behind that seems to go on.

        It is asked more than once: Prefect's handler raises in whatever its main thread does just
        then, and asyncio drops what is raised while it writes.
        """
        for _ in range(_ASKED):
            process.signal(signal.SIGTERM)
            with anyio.move_on_after(_PATIENCE):
                await process.wait()
                break
        process.signal(signal.SIGKILL)
        await process.wait()
        if self._control_channel and self._control_channel.get_conclusion(flow_run.id) is None:
            with anyio.move_on_after(_PATIENCE):
                await self._state_proposer.propose_crashed(flow_run, "Its worker was stopped.")

    def _whole_environment(self, flow_run: FlowRun) -> dict[str, str]:
        """What Prefect's starter gives to the process; the settings are in it already."""
        return sanitize_subprocess_env(
            {
                **self._environment,
                "PREFECT__FLOW_RUN_ID": str(flow_run.id),
                "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",
            }
        )

    def _control(self, flow_run: FlowRun) -> dict[str, str]:
        if self._control_channel is None:
            return {}
        with contextlib.suppress(RuntimeError):  # without it, a cancelled run is killed
            port, token = self._control_channel.register(flow_run.id)
            return {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        return {}


def needs_new_interpreter(environment: Mapping[str, str]) -> bool:
    """Whether a variable differs that is only read while an interpreter starts."""
    names = environment.keys() | os.environ.keys()
    return any(
        _READ_AT_START.fullmatch(name) and environment.get(name) != os.environ.get(name)
        for name in names
    )
