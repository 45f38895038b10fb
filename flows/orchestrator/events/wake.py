"""A run of the event-driven workflow soon after events were accepted, whoever accepted them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.errors import OrchestratorError
from blocks.prefect_api.runs import Runs
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.runs.starting import has_server

WORKFLOW = "event-driven-workflow"
DEPLOYMENT = f"{WORKFLOW}/{WORKFLOW}"

BUCKET = timedelta(seconds=2)
"""Events that are accepted within it share the run that is started for them."""


def bucket_end(now: datetime) -> datetime:
    """When the bucket that an instant falls into is over."""
    number = int(now.timestamp() // BUCKET.total_seconds()) + 1
    return datetime.fromtimestamp(number * BUCKET.total_seconds(), UTC)


async def run_for_events(runs: Runs, due: datetime, *, urgent: bool) -> str:
    """Have a run deal with what was accepted, unless one has not begun yet: that will see it.

    Args:
        runs: Starts it.
        due: When it begins: when the bucket is over, so that it finds everything that was accepted
            in it, and those who ask within one bucket share it; now if it is urgent.
        urgent: Whether it waits for nobody.

    Returns:
        The run's name.

    Raises:
        ConfigurationError: The workflow is not registered.
        SourceUnavailable: The Prefect server does not answer.
    """
    run = await runs.awaited(DEPLOYMENT, due)
    if run is None:
        key = f"inbox {new_id() if urgent else due.isoformat()}"
        name = f"events until {due:%H:%M:%S}"
        run = await runs.start(DEPLOYMENT, key=key, name=name, at=due, tags=["inbox"])
    return run.name


async def start_event_run(*, urgent: bool) -> str | None:
    """Have a run deal with what was accepted, as ``run_for_events`` does.

    The events are safe already: without a Prefect server, or when it does not answer, they wait
    for the next run.

    Returns:
        The run's name; None when there is none.
    """
    if not has_server():
        return None
    now = utc_now()
    try:
        async with Runs.open() as runs:
            due = now if urgent else bucket_end(now)
            return await run_for_events(runs, due, urgent=urgent)
    except OrchestratorError:
        return None
