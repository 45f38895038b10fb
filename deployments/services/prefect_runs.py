"""Runs as Prefect's server has them, for whoever looks after those of some work pools."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from flows.orchestrator.runs import deaths as run_deaths

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

WORKER = "prefect.worker.name"
"""The label by which Prefect tells which worker took a run."""

_ALIVE = timedelta(seconds=90)  # a worker that has not reported for so long is gone
_PAGE = 200  # Prefect gives no more at once


class PrefectRuns:
    """What the server says of the runs, and what it is told; httpx's errors pass through.

    Args:
        client: The connection to the server.
        pools: Names of the work pools.
    """

    def __init__(self, client: PrefectClient, pools: Sequence[str]) -> None:
        self._client, self._pools = client, list(pools)

    async def find(
        self, *types: Any, since: datetime | None = None, expected_by: datetime | None = None
    ) -> list[FlowRun]:
        """Runs in these states; those that ended since then only where they may be restarted."""
        from prefect.client.schemas import filters

        wanted = filters.FlowRunFilter(
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=list(types)),
                # Both are as they should be: nothing is done about them.
                name=filters.FlowRunFilterStateName(not_any_=["Suspended", run_deaths.GIVEN_UP]),
            ),
            end_time=since and filters.FlowRunFilterEndTime(after_=since),
            tags=since and filters.FlowRunFilterTags(all_=[run_deaths.TAG]),
            expected_start_time=expected_by
            and filters.FlowRunFilterExpectedStartTime(before_=expected_by),
        )
        pools = filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=self._pools))
        found: list[FlowRun] = []
        while True:
            page = await self._client.read_flow_runs(
                flow_run_filter=wanted, work_pool_filter=pools, limit=_PAGE, offset=len(found)
            )
            found += page
            if len(page) < _PAGE:
                return found

    async def named(self, ids: Collection[UUID]) -> dict[UUID, FlowRun]:
        """Those of these runs that the server knows, by id; of many, the next look has the rest."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        those = FlowRunFilter(id=FlowRunFilterId(any_=list(ids)))
        found = await self._client.read_flow_runs(flow_run_filter=those, limit=_PAGE)
        return {run.id: run for run in found}

    async def past(self, run: FlowRun) -> list[tuple[str, str]]:
        """Type and name of every state that a run was in, the first one first."""
        states = await self._client.read_flow_run_states(run.id)
        return [(state.type.value, state.name or "") for state in states]

    async def workers(self, now: datetime) -> set[Any]:
        """The names of the workers that report."""
        return {
            worker.name
            for pool in self._pools
            for worker in await self._client.read_workers_for_work_pool(pool)
            if worker.last_heartbeat_time and now - worker.last_heartbeat_time < _ALIVE
        }

    async def heartbeat(self, run: FlowRun) -> datetime | None:
        """When a run was last heard of; None when not since it came into its state."""
        from blocks.prefect_api.calls import last_heartbeat

        assert run.state is not None
        return await last_heartbeat(self._client, run, run.state.timestamp)

    async def propose(self, run: FlowRun, state: State[Any], *, force: bool = False) -> bool:
        """Bring a run into a state, unless it is no longer in the one that was seen.

        The transition's id follows from that state too: of two who want the same, the server
        refuses the second one.

        Returns:
            Whether this made the change.
        """
        from prefect.client.schemas import OrchestrationResult
        from prefect.client.schemas.responses import SetStateStatus
        from prefect.states import to_state_create

        if not await self._is_as_seen(run):
            return False
        assert run.state is not None
        wanted = to_state_create(state)
        wanted.state_details.flow_run_id = run.id
        wanted.state_details.transition_id = uuid5(run.state.id, state.name or state.type.value)
        response = await self._client.request(
            "POST",
            "/flow_runs/{id}/set_state",
            path_params={"id": run.id},
            json={"state": wanted.model_dump(mode="json", serialize_as_any=True), "force": force},
        )
        result: OrchestrationResult[Any] = OrchestrationResult.model_validate(response.json())
        return result.status is SetStateStatus.ACCEPT

    async def forget_process(self, run: FlowRun) -> None:
        """Number and machine of the dead process must not be taken for those of the next one."""
        if await self._is_as_seen(run):
            path = {"id": run.id}
            gone = {"infrastructure_pid": None}
            await self._client.request("PATCH", "/flow_runs/{id}", path_params=path, json=gone)
            await self._client.update_flow_run_labels(run.id, {WORKER: ""})

    async def _is_as_seen(self, run: FlowRun) -> bool:
        from prefect.exceptions import ObjectNotFound

        try:
            current = (await self._client.read_flow_run(run.id)).state
        except ObjectNotFound:  # deleted meanwhile
            return False
        return current is not None and run.state is not None and current.id == run.state.id
