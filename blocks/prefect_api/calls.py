"""The single calls to Prefect's API, and how their answers read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count
from time import perf_counter
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterNextScheduledStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkPool
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)

from blocks.prefect_api.answers import PoolInfo, QueueDepth, RunInfo, WorkerInfo, WorkQueueInfo

HEARTBEATS_MISSED = 3
"""After so many intervals without a heartbeat a run or worker is taken to be dead: Prefect's own
multiple for workers."""

REFUSED = "Refused"
"""Name of the state FAILED of a run that was asked for what cannot be done: no failure of ours."""

WORKER_LIMITS = "orchestrator_worker_limits"
"""The Prefect variable that says how many runs at once the worker of each pool takes of itself."""

PAGE = 200  # the server's default limit of one answer

T = TypeVar("T")


async def every(read: Callable[[int], Awaitable[list[T]]]) -> list[T]:
    """All that there is, page by page; ``read`` is given the offset of each."""
    found: list[T] = []
    for page in count():
        more = await read(page * PAGE)
        found += more
        if len(more) < PAGE:
            break
    return found


async def hello(client: PrefectClient, now: datetime) -> tuple[str, float, float | None]:
    """Server version, round trip in ms, and its clock minus ours in seconds (±0.5)."""
    began = perf_counter()
    response = await client.request("GET", "/admin/version")
    elapsed = perf_counter() - began
    skew = None
    if date := response.headers.get("date"):
        # A Date header is cut to whole seconds: its instant lies half a second later on average.
        server = parsedate_to_datetime(date) + timedelta(seconds=0.5)
        skew = (server - now).total_seconds() - elapsed
    return str(response.json()), elapsed * 1000, skew


async def history(client: PrefectClient, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """One row per state of the runs expected in [start, end): count, run time, lateness."""
    response = await client.request(
        "POST",
        "/flow_runs/history",
        json={
            "history_start": start.isoformat(),
            "history_end": end.isoformat(),
            "history_interval_seconds": (end - start).total_seconds(),
        },
    )
    return [state for interval in response.json() for state in interval["states"]]


async def due_runs(client: PrefectClient, now: datetime) -> list[FlowRun]:
    """Scheduled runs that should have started by now, oldest first."""
    which = FlowRunFilter(
        state=_state(StateType.SCHEDULED),
        next_scheduled_start_time=FlowRunFilterNextScheduledStartTime(before_=now),
    )
    return await client.read_flow_runs(
        flow_run_filter=which, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=PAGE
    )


async def runs_in(client: PrefectClient, state: StateType) -> list[FlowRun]:
    """Runs that are in a state now, oldest first."""
    return await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=_state(state)),
        sort=FlowRunSort.START_TIME_ASC,
        limit=PAGE,
    )


async def awaiting_slot(client: PrefectClient) -> list[FlowRun]:
    """Runs that were refused a slot of their deployment's limit, and ask again and again."""
    state = FlowRunFilterState(name=FlowRunFilterStateName(any_=["AwaitingConcurrencySlot"]))
    return await client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state), limit=PAGE)


async def work_queues(client: PrefectClient) -> list[WorkQueueInfo]:
    """Every work queue of a pool, as it is set."""
    found = await every(lambda offset: client.read_work_queues(limit=PAGE, offset=offset))
    return [
        WorkQueueInfo(
            pool=queue.work_pool_name,
            name=queue.name,
            paused=queue.is_paused,
            limit=queue.concurrency_limit,
        )
        for queue in found
        if queue.work_pool_name
    ]


async def slots_in_use(client: PrefectClient) -> Counter[str]:
    """By work pool, the runs that hold a slot of its worker: a run that is paused keeps it."""
    state = _state(StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED)
    state.name = FlowRunFilterStateName(not_any_=["Suspended"])  # its process has ended
    which = FlowRunFilter(state=state)
    runs = await every(
        lambda offset: client.read_flow_runs(flow_run_filter=which, limit=PAGE, offset=offset)
    )
    return Counter(run.work_pool_name for run in runs if run.work_pool_name)


async def ended_runs(
    client: PrefectClient, since: datetime, *states: StateType, limit: int = PAGE
) -> list[FlowRun]:
    """Runs that ended after ``since`` in one of the states (any, when none is named)."""
    which = FlowRunFilter(end_time=FlowRunFilterEndTime(after_=since))
    if states:
        which.state = _state(*states)
    return await client.read_flow_runs(
        flow_run_filter=which, sort=FlowRunSort.END_TIME_DESC, limit=limit
    )


async def pools(client: PrefectClient, now: datetime) -> list[PoolInfo]:
    """All work pools with their workers."""
    found, limits = await asyncio.gather(
        client.read_work_pools(), client.read_variable_by_name(WORKER_LIMITS)
    )
    known = limits.value if limits is not None and isinstance(limits.value, dict) else {}
    return list(
        await asyncio.gather(*(_pool(client, pool, now, known.get(pool.name)) for pool in found))
    )


async def flow_names(client: PrefectClient, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Names of the flows of these ids."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    which = FlowFilter(id=FlowFilterId(any_=wanted))
    flows = await every(
        lambda offset: client.read_flows(flow_filter=which, limit=PAGE, offset=offset)
    )
    return {flow.id: flow.name for flow in flows}


async def last_heartbeats(client: PrefectClient, runs: list[FlowRun]) -> dict[UUID, datetime]:
    """When each run was last heard of; runs that never were are absent."""
    beats = await asyncio.gather(*(last_heartbeat(client, run) for run in runs))
    return {run.id: beat for run, beat in zip(runs, beats, strict=True) if beat}


async def save_variable(client: PrefectClient, name: str, value: Any) -> None:
    """Give a variable a value; one that has it already is left alone."""
    existing = await client.read_variable_by_name(name)
    if existing is None:
        await client.create_variable(VariableCreate(name=name, value=value))
    elif existing.value != value:
        await client.update_variable(VariableUpdate(name=name, value=value))


def run_info(run: FlowRun, flows: dict[UUID, str], beat: datetime | None = None) -> RunInfo:
    """A flow run in our own words."""
    # A run that waits to be retried is expected at the retry, not at its first start.
    waits = run.state is not None and run.state.type == StateType.SCHEDULED
    return RunInfo(
        id=str(run.id),
        name=run.name,
        flow=flows.get(run.flow_id, ""),
        state=run.state_name or "",
        pool=run.work_pool_name,
        queue=run.work_queue_name,
        deployment=str(run.deployment_id) if run.deployment_id else None,
        since=run.state.timestamp if run.state else None,
        expected_at=(run.next_scheduled_start_time if waits else None) or run.expected_start_time,
        started_at=run.start_time,
        ended_at=run.end_time,
        last_heartbeat_at=beat,
        message=((run.state.message if run.state else None) or "")[:300],
    )


def waited_s(run: RunInfo, now: datetime) -> float:
    """How long a run that has not started waits already, in seconds."""
    return (now - run.expected_at).total_seconds() if run.expected_at else 0.0


def count_states(rows: list[dict[str, Any]]) -> dict[str, int]:
    """State name to number of runs, most frequent first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["state_name"]] += row["count_runs"]
    return dict(counts.most_common())


def mean_wait_s(rows: list[dict[str, Any]]) -> float | None:
    """Mean lateness of the runs that have started, in seconds."""
    started = [row for row in rows if row["state_type"] in ("RUNNING", "COMPLETED", "FAILED")]
    runs = sum(row["count_runs"] for row in started)
    return sum(row["sum_estimated_lateness"] for row in started) / runs if runs else None


def queue_depths(waiting: list[RunInfo], late: list[RunInfo], now: datetime) -> list[QueueDepth]:
    """The waiting runs by work queue, deepest first."""
    late_ids = {run.id for run in late}
    by_queue: dict[tuple[str, str], list[RunInfo]] = {}
    for run in waiting:
        if run.pool and run.queue:  # the runs of a served deployment have no pool
            by_queue.setdefault((run.pool, run.queue), []).append(run)
    depths = [
        QueueDepth(
            pool=pool,
            queue=queue,
            due=len(runs),
            late=sum(run.id in late_ids for run in runs),
            oldest_wait_s=max(waited_s(run, now) for run in runs),
        )
        for (pool, queue), runs in by_queue.items()
    ]
    return sorted(depths, key=lambda depth: -depth.due)


def _state(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


async def _pool(
    client: PrefectClient, pool: WorkPool, now: datetime, worker_limit: Any
) -> PoolInfo:
    workers = await client.read_workers_for_work_pool(pool.name)
    return PoolInfo(
        name=pool.name,
        type=pool.type,
        paused=pool.is_paused,
        concurrency_limit=pool.concurrency_limit,
        worker_limit=worker_limit if isinstance(worker_limit, int) else None,
        workers=[
            WorkerInfo(
                name=worker.name,
                last_heartbeat_at=worker.last_heartbeat_time,
                online=worker.last_heartbeat_time is not None
                and (now - worker.last_heartbeat_time).total_seconds()
                < (worker.heartbeat_interval_seconds or 30) * HEARTBEATS_MISSED,
            )
            for worker in workers
        ],
    )


async def last_heartbeat(
    client: PrefectClient, run: FlowRun, since: datetime | None = None
) -> datetime | None:
    """When a run was last heard of; None when it was not, or not since then."""
    which = EventFilter(
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
    )
    if since is not None:
        which.occurred = EventOccurredFilter(since=since)
    newest = await client.read_events(which, limit=1)
    return newest.events[0].occurred if newest.events else None
