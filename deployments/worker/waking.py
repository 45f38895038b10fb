"""Wakes workers when the server says that a run is due, so that none waits for the next poll.

An event says only that it is worth looking: which runs start is decided by the worker's ordinary
query, so that priorities and limits keep holding, and an event that is lost or repeated does no
harm. Polling goes on beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NoReturn
from uuid import UUID

from prefect.events.clients import PrefectEventSubscriber
from prefect.events.filters import EventFilter, EventNameFilter
from prefect.events.schemas.events import Event
from prefect.logging import get_logger

from deployments.worker.warm_worker import WarmWorker

_AGAIN = 2.0  # seconds until a lost stream of events is looked for again

# Names of the states in which a run waits for a worker, and may be due.
_DUE = ("Scheduled", "AwaitingRetry", "Resuming", "Late")


async def wake_on_events(workers: Mapping[UUID, WarmWorker]) -> NoReturn:
    """Wake the worker of a pool when a run in the pool becomes due.

    Args:
        workers: By id of their pool.
    """
    logger = get_logger("waking")
    wanted = EventFilter(event=EventNameFilter(name=[f"prefect.flow-run.{name}" for name in _DUE]))
    while True:
        try:
            async with PrefectEventSubscriber(filter=wanted) as events:
                for worker in workers.values():
                    worker.wake()  # for what was missed meanwhile
                async for event in events:
                    _wake(event, workers)
        except Exception as error:  # whatever it was, polling goes on and this is tried again
            logger.warning("Events cannot be followed: %s. Workers poll.", error)
        await asyncio.sleep(_AGAIN)


def _wake(event: Event, workers: Mapping[UUID, WarmWorker]) -> None:
    for resource in event.related:
        kind, _, number = resource.id.rpartition(".")
        if kind == "prefect.work-pool" and (worker := workers.get(UUID(number))):
            worker.wake()
