"""Starting runs of deployments: once per key, in the queue that their urgency calls for."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx
from prefect import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from blocks.ledger import Ledger
from flows.queues import place_of

DEADLINE = 15.0
"""Seconds that the creation of a run may take."""


async def start_run(
    deployment: str,
    parameters: dict[str, Any],
    *,
    key: str,
    name: str | None = None,
    queue: str | None = None,
) -> str:
    """Create a run of a deployment, once per key.

    Args:
        deployment: ``flow/deployment``.
        parameters: The flow's.
        key: Of all runs with one key, one comes.
        name: The run's name; Prefect's choice when None.
        queue: The work queue; the deployment's own when None.

    Returns:
        Why there is none, in words; empty when there is.
    """
    if get_current_settings().api.url is None:
        return "no Prefect server runs"  # an ephemeral one has no worker that would take the run
    try:
        async with asyncio.timeout(DEADLINE), get_client() as client:
            found = await client.read_deployment_by_name(deployment)
            await client.create_flow_run_from_deployment(
                found.id,
                name=name,
                parameters=parameters,
                idempotency_key=f"{deployment} {key}",
                work_queue_name=queue,
            )
    except ObjectNotFound:
        return f"the Prefect server has no deployment {deployment}"
    except (httpx.HTTPError, RuntimeError, TimeoutError, ValueError) as error:
        return f"the Prefect server does not answer as it should ({type(error).__name__})"
    return ""


async def resume_abandoned(ledger: Ledger, now: datetime) -> list[str]:
    """Have tasks whose run died carried out by another one.

    Returns:
        What could not be started now, in words; the next call tries again.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    faults = []
    for task in await ledger.tasks.abandoned(now):
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
