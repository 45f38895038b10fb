"""What watches the runs of a worker: shared by all, where Prefect opens it anew for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import NoReturn, Self
from uuid import UUID

import anyio
from prefect import get_client
from prefect.logging import get_logger

from deployments.worker.prefect_internals import (
    CancellationManager,
    ControlChannel,
    EventEmitter,
    FlowRunCancellingObserver,
    FlowRunExecutorContext,
    HookRunner,
    ProcessManager,
    StateProposer,
    _placeholder_resolve_flow,
)

_LOOK = 5.0  # seconds between two looks at whether cancellations are still heard of


class Supervision:
    """Client, control channel and the two websockets by which runs are watched and cancelled."""

    def __init__(self) -> None:
        self.control_channel = ControlChannel()
        self.watched: dict[UUID, SupervisedRun] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect."""
        self.client = await self._stack.enter_async_context(get_client())
        self.event_emitter = await self._stack.enter_async_context(
            EventEmitter(runner_name="standalone", client=self.client)
        )
        await self._stack.enter_async_context(self.control_channel)
        self._observer = await self._observe()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Disconnect."""
        await self._observer.__aexit__(*exc_info)
        await self._stack.aclose()

    async def keep_listening(self) -> NoReturn:
        """Listen anew when the server was away for so long that the observer gave up."""
        while True:
            await asyncio.sleep(_LOOK)
            if self._observer._consumer_task is None or self._observer._consumer_task.done():
                lost, self._observer = self._observer, await self._observe()
                await lost.__aexit__(None, None, None)

    def watch(self, flow_run_id: UUID, run: SupervisedRun) -> None:
        """Tell a run when it is to be cancelled."""
        self.watched[flow_run_id] = run
        self._observer.add_in_flight_flow_run_id(flow_run_id)

    def leave(self, flow_run_id: UUID) -> None:
        """Forget a run."""
        self.watched.pop(flow_run_id, None)
        self._observer.remove_in_flight_flow_run_id(flow_run_id)
        self.control_channel.unregister(flow_run_id)

    async def _observe(self) -> FlowRunCancellingObserver:
        observer = FlowRunCancellingObserver(on_cancelling=self._cancel, on_failure=self._give_up)
        await observer.__aenter__()  # type: ignore[no-untyped-call]
        for flow_run_id in self.watched:
            observer.add_in_flight_flow_run_id(flow_run_id)
        return observer

    def _cancel(self, flow_run_id: UUID) -> None:
        if run := self.watched.get(flow_run_id):
            run.cancel(flow_run_id)

    def _give_up(self, flow_run_ids: set[UUID]) -> None:
        for flow_run_id in flow_run_ids:
            if run := self.watched.get(flow_run_id):
                run.give_up(flow_run_id)


class SupervisedRun(FlowRunExecutorContext):
    """Prefect's context of one run, on what its worker's runs share.

    Args:
        shared: What they share.
    """

    def __init__(self, shared: Supervision) -> None:
        self._shared = shared
        self._cancelled = False
        self.client = shared.client
        self.control_channel = shared.control_channel
        self._event_emitter = shared.event_emitter

    async def __aenter__(self) -> Self:
        """As in Prefect, less the connections."""
        self._stack = AsyncExitStack()
        self._after_exit_callbacks: list[Callable[[], object]] = []
        self._logger = get_logger("runner.executor_context")

        async def leave(flow_run_id: UUID) -> None:
            self._shared.leave(flow_run_id)

        async def watch(flow_run_id: UUID) -> None:
            self._shared.watch(flow_run_id, self)

        self.process_manager = await self._stack.enter_async_context(
            ProcessManager(on_add=watch, on_remove=leave)
        )
        self._state_proposer = StateProposer(client=self.client)
        self._hook_runner = HookRunner(resolve_flow=_placeholder_resolve_flow)
        self._cancellation_task_group = await self._stack.enter_async_context(
            anyio.create_task_group()
        )
        self._cancellation_manager = CancellationManager(
            process_manager=self.process_manager,
            hook_runner=self._hook_runner,
            state_proposer=self._state_proposer,
            event_emitter=self._event_emitter,
            client=self.client,
            control_channel=self.control_channel,
        )
        return self

    def cancel(self, flow_run_id: UUID) -> None:
        """Cancel the run: ask its process, end it, run hooks, write the state."""
        if self._cancelled:
            return  # a new observer hears of the last minute's events once more
        self._cancelled = True
        self._cancellation_task_group.start_soon(
            self._cancellation_manager.cancel_by_id, flow_run_id
        )

    def give_up(self, flow_run_id: UUID) -> None:
        """Nobody can be told of a cancellation any more."""
        self._handle_cancellation_observer_failure({flow_run_id})
