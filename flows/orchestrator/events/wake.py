"""A run of the event-driven workflow soon after events were accepted, whoever accepted them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.vocabulary.messages import utc_now
from flows.orchestrator.runs.starting import start_run

WORKFLOW = "event-driven-workflow"
DEPLOYMENT = f"{WORKFLOW}/{WORKFLOW}"

BUCKET = timedelta(seconds=2)
"""Events that are accepted within it share the run that is started for them."""


def bucket_end(now: datetime) -> datetime:
    """When the bucket that an instant falls into is over."""
    number = int(now.timestamp() // BUCKET.total_seconds()) + 1
    return datetime.fromtimestamp(number * BUCKET.total_seconds(), UTC)


async def start_event_run() -> str | None:
    """Have a run deal with what was accepted; those who ask within one bucket share it.

    It starts when the bucket is over, so that it finds everything that was accepted in it. The
    events are safe already: without a Prefect server, or when it does not answer, they wait for
    the next run.

    Returns:
        The run's name; None when there is none.
    """
    over = bucket_end(utc_now())
    name = f"events until {over:%H:%M:%S}"
    fault = await start_run(DEPLOYMENT, {}, key=f"inbox {over.isoformat()}", name=name, at=over)
    return None if fault else name
