"""Concurrency limits of a Prefect server, and who holds their slots.

Prefect counts the slots that are taken and does not say by whom. A deployment's are held by its
runs. Of any other limit the events tell that are written whenever a slot is taken and given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
    TaskRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse, GlobalConcurrencyLimitResponse
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

from blocks.prefect_api.answers import LimitInfo, RunInfo
from blocks.prefect_api.calls import PAGE, every, run_info

TAKEN, GIVEN_BACK = "prefect.concurrency-limit.acquired", "prefect.concurrency-limit.released"

_OF_TAG = "tag:"
"""A limit on the tasks that bear a tag is named so."""

_RUN = "prefect.flow-run."

_EVENTS, _PAGES = 50, 10  # the server's limit of one page, and how many are read


async def limits(
    client: PrefectClient,
    deployments: Mapping[str, DeploymentResponse],
    runs: Sequence[RunInfo],
    *,
    complete: bool = True,
) -> list[LimitInfo]:
    """Every limit in force, with the runs that hold its slots.

    Rate limits are left out: their slots come back by themselves.

    Args:
        client: Open.
        deployments: All of them, by name ``flow/deployment``.
        runs: Those that are pending, running or being cancelled.
        complete: Whether they are all of them.
    """
    names = {
        deployment.global_concurrency_limit.id: name
        for name, deployment in deployments.items()
        if deployment.global_concurrency_limit is not None
    }
    there = await every(
        lambda offset: client.read_global_concurrency_limits(limit=PAGE, offset=offset)
    )
    found = [limit for limit in there if limit.active and not limit.slot_decay_per_second]
    of_deployments = [
        _info(
            limit,
            name,
            [run for run in runs if run.deployment == str(deployments[name].id)],
            of_deployment=True,
            unexplained=0 if complete else limit.active_slots,
        )
        for limit in found
        if (name := names.get(limit.id))
    ]
    others = (_other(client, limit) for limit in found if limit.id not in names)
    return of_deployments + await asyncio.gather(*others)


async def _other(client: PrefectClient, limit: GlobalConcurrencyLimitResponse) -> LimitInfo:
    if not limit.active_slots:
        return _info(limit, limit.name, [])
    if limit.name.startswith(_OF_TAG):
        tasks = await _running_tasks(client, limit.name.removeprefix(_OF_TAG))
        return _info(limit, limit.name, [], unexplained=tasks)
    events, complete = await _takings(client, limit.id)
    held = _not_given_back(events)
    by_run = [run_id for event in held if (run_id := _run_of(event)) is not None]
    holders = await _unended(client, by_run)
    # What took a slot outside of any run may hold it still. So may one whose event was not read.
    unexplained = len(held) - len(by_run) if complete else limit.active_slots
    return _info(limit, limit.name, holders, unexplained=unexplained)


async def _takings(client: PrefectClient, limit: UUID) -> tuple[Sequence[Event], bool]:
    """The newest events of a limit, and whether they are all that are kept."""
    page = await client.read_events(
        EventFilter(
            event=EventNameFilter(name=[TAKEN, GIVEN_BACK]),
            resource=EventResourceFilter(id=[f"prefect.concurrency-limit.{limit}"]),
        ),
        limit=_EVENTS,
    )
    events = list(page.events)
    while page.next_page and len(events) < _PAGES * _EVENTS:
        page = await client.read_events_page(str(page.next_page))
        events += page.events
    return events, page.next_page is None


def _not_given_back(events: Sequence[Event]) -> list[Event]:
    """The takings that no giving back follows, one per slot taken."""
    back = {event.follows for event in events if event.event == GIVEN_BACK}
    return [
        event
        for event in events
        if event.event == TAKEN and event.id not in back
        for _ in range(_slots(event))
    ]


def _slots(event: Event) -> int:
    taken = event.resource.get("slots-acquired") or "1"
    return int(taken) if taken.isdecimal() else 1


def _run_of(event: Event) -> UUID | None:
    for related in event.related:
        if related.id.startswith(_RUN):
            try:
                return UUID(related.id.removeprefix(_RUN))
            except ValueError:
                continue
    return None


async def _unended(client: PrefectClient, ids: Sequence[UUID]) -> list[RunInfo]:
    """The runs of these that have not ended, each as often as it is named."""
    if not ids:
        return []
    runs = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(set(ids)))), limit=PAGE
    )
    alive = {run.id: run for run in runs if run.state is not None and not run.state.is_final()}
    return [run_info(alive[run_id], {}) for run_id in ids if run_id in alive]


async def _running_tasks(client: PrefectClient, tag: str) -> int:
    which = TaskRunFilter(
        tags=TaskRunFilterTags(all_=[tag]),
        state=TaskRunFilterState(
            type=TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])
        ),
    )
    body = {"task_runs": which.model_dump(mode="json", exclude_unset=True)}
    response = await client.request("POST", "/task_runs/count", json=body)
    return int(response.json())


def _info(
    limit: GlobalConcurrencyLimitResponse,
    name: str,
    holders: list[RunInfo],
    *,
    of_deployment: bool = False,
    unexplained: int = 0,
) -> LimitInfo:
    changed = limit.updated or limit.created
    if changed is None:
        raise ValueError(f"the limit {name} has no time")
    return LimitInfo(
        name=name,
        of_deployment=of_deployment,
        limit=limit.limit,
        slots=limit.active_slots,
        changed_at=changed,
        holders=holders,
        unexplained=unexplained,
    )
