"""Starting runs of deployments: once per key, in the queue that their urgency calls for."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings

from blocks.errors import ConfigurationError, NotFound, SourceUnavailable
from blocks.ledger import Ledger
from blocks.prefect_api.runs import Runs
from flows.orchestrator.runs.deaths import life_of, may_be_restarted
from flows.orchestrator.runs.queues import place_of


def has_server() -> bool:
    """Whether there is a Prefect server whose workers take runs: an ephemeral one has none."""
    return get_current_settings().api.url is not None


async def start_run(
    deployment: str,
    parameters: dict[str, Any],
    *,
    key: str,
    name: str | None = None,
    queue: str | None = None,
    at: datetime | None = None,
) -> str:
    """Create a run of a deployment, once per key.

    Args:
        deployment: ``flow/deployment``.
        parameters: The flow's.
        key: Of all runs with one key, one comes.
        name: The run's name; Prefect's choice when None.
        queue: The work queue; the deployment's own when None.
        at: When it is to start; at once when None.

    Returns:
        Why there is none, in words; empty when there is.
    """
    if not has_server():
        return "no Prefect server runs"
    try:
        async with Runs.open() as runs:
            await runs.start(deployment, parameters, key=key, name=name, queue=queue, at=at)
    except (ConfigurationError, SourceUnavailable) as error:
        return error.what.rstrip(".")
    return ""


async def going_on(deployment: str) -> list[FlowRun]:
    """The runs of a deployment that are not over; none when no Prefect server runs.

    Raises:
        SourceUnavailable: The server does not answer as it should.
    """
    if not has_server():
        return []
    async with Runs.open() as runs:
        return await runs.going_on(deployment)


async def resume_abandoned(ledger: Ledger, now: datetime) -> list[str]:
    """Have tasks whose run died carried out by another one.

    A run that is restarted goes on with its task itself.

    Returns:
        What could not be started now, in words; the next call tries again.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    faults = []
    for task in await ledger.tasks.abandoned(now):
        if task.run_id and not await _is_left_alone(task.run_id, now):
            continue
        place = place_of("route-task", task.priority)
        fault = await start_run(
            place.deployment,
            {"task_id": task.id},
            # One run per death: whoever takes the task on sets another instant.
            key=f"{task.id} {task.alive_until}",
            name=f"{task.task_type}, taken up again",
            queue=place.queue,
        )
        faults += [f"Task {task.id[:12]} is not taken up again yet: {fault}."] if fault else []
    return faults


def is_over(run: FlowRun, now: datetime) -> bool:
    """Whether nothing more is to come of a run: it ended, and is not going to be restarted."""
    state = run.state
    if state is None or not state.is_final():
        return False
    name = state.name or ""
    return not may_be_restarted(name, run.tags, state.timestamp, run.auto_scheduled, now)


async def _is_left_alone(run_id: str, now: datetime) -> bool:
    """Whether nobody looks after a run that the ledger knows."""
    if not has_server():
        return True
    try:
        async with Runs.open() as runs:
            run = await runs.read(UUID(hex=life_of(run_id)[0]))
    except (NotFound, SourceUnavailable, ValueError):
        return True
    # The reconciler looks after those of deployments, not after those of the command line.
    return run.deployment_id is None or is_over(run, now)
