"""What schedules asked for, by Prefect's own reading of them, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterExpectedStartTime
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort

from blocks.prefect_api.answers import DeploymentInfo
from blocks.prefect_api.calls import PAGE, every, flow_names

GRACE = timedelta(minutes=5)
"""A run that is due may be written so late: Prefect's scheduler looks once a minute."""

CLOCK_CHANGE = timedelta(hours=1)

_PAGES = 25  # runs of a window that are read at most, in pages


async def deployments(client: PrefectClient) -> dict[str, DeploymentResponse]:
    """Every deployment by its name ``flow/deployment``."""
    found = await every(lambda offset: client.read_deployments(limit=PAGE, offset=offset))
    flows = await flow_names(client, {each.flow_id for each in found})
    return {f"{flows.get(each.flow_id, '?')}/{each.name}": each for each in found}


async def described(
    client: PrefectClient,
    found: Mapping[str, DeploymentResponse],
    since: datetime,
    now: datetime,
) -> list[DeploymentInfo]:
    """What each deployment's schedules asked for from ``since`` until now, and what was made.

    A schedule asks for nothing before it was made. When it was changed does not matter: each
    registration changes it, and takes away the runs that were due while nothing ran.
    """
    until = now - GRACE
    asked = {
        each.id: await asked_for(each.schedules, since, until)
        for each in found.values()
        if not each.paused and each.schedules
    }
    made = await _made(client, since, now) if any(asked.values()) else None
    return [
        _described(
            name,
            each,
            asked.get(each.id, []),
            made.get(each.id, _Made()) if made is not None else None,
        )
        for name, each in sorted(found.items())
    ]


async def asked_for(
    schedules: Iterable[DeploymentSchedule], since: datetime, until: datetime
) -> list[datetime]:
    """The instants in [since, until] at which active schedules ask for a run, each once.

    Prefect's own classes compute them, changes of the clock included, so that what is expected is
    what its scheduler makes. Of one schedule they give the first 1,000.
    """
    found: set[datetime] = set()
    for each in schedules:
        begun = max(since, each.created or since)
        if each.active and begun <= until:
            found.update(await _dates(each, begun, until))
    return sorted(found)


async def _dates(each: DeploymentSchedule, start: datetime, end: datetime) -> list[datetime]:
    from prefect.server.schemas import schedules as server

    kind = getattr(server, type(each.schedule).__name__, None)
    if kind is None:  # NoSchedule
        return []
    schedule = kind.model_validate(each.schedule.model_dump())
    dates = await schedule.get_dates(start=start, end=end)
    # By UTC: two times of the hour that clocks repeat are the same to Python in their own zone.
    found = (datetime.fromtimestamp(date.timestamp(), UTC) for date in dates)
    return [date for date in found if start <= date <= end]


@dataclass(frozen=True)
class _Made:
    """When the runs of a deployment were expected: those of its schedules, and all of them."""

    scheduled: set[datetime] = field(default_factory=set)
    any: set[datetime] = field(default_factory=set)


async def _made(client: PrefectClient, since: datetime, now: datetime) -> dict[UUID, _Made] | None:
    """What was made of each deployment; None when there are too many runs to read."""
    which = FlowRunFilter(
        expected_start_time=FlowRunFilterExpectedStartTime(after_=since - CLOCK_CHANGE, before_=now)
    )
    made: dict[UUID, _Made] = {}
    for page in range(_PAGES):
        runs = await client.read_flow_runs(
            flow_run_filter=which,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=PAGE,
            offset=page * PAGE,
        )
        for run in runs:
            if run.deployment_id and run.expected_start_time:
                at = datetime.fromtimestamp(run.expected_start_time.timestamp(), UTC)
                own = made.setdefault(run.deployment_id, _Made())
                own.any.add(at)
                if run.auto_scheduled:
                    own.scheduled.add(at)
        if len(runs) < PAGE:
            return made
    return None


def _described(
    name: str, each: DeploymentResponse, asked: Sequence[datetime], made: _Made | None
) -> DeploymentInfo:
    missed = missed_of(asked, made.scheduled) if made else []
    later = made.any if made else set()
    return DeploymentInfo(
        id=str(each.id),
        name=name,
        pool=each.work_pool_name,
        paused=each.paused or bool(each.schedules and not any(s.active for s in each.schedules)),
        scheduled=bool(each.schedules),
        missed=missed,
        ran_since=bool(missed) and any(at > missed[-1] for at in later),
    )


def missed_of(asked: Sequence[datetime], made: Set[datetime]) -> list[datetime]:
    """Which of the instants have no run.

    On the day that clocks go forward Prefect's reading of an hour that does not exist depends on
    the server's Python, by the hour of the change. A run that nothing else asked for, within an
    hour, is the one that was asked for.
    """
    spare = set(made) - set(asked)
    missed = []
    for at in asked:
        if at in made:
            continue
        near = next((other for other in sorted(spare) if abs(other - at) <= CLOCK_CHANGE), None)
        if near is None:
            missed.append(at)
        else:
            spare.remove(near)
    return missed
