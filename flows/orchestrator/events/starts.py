"""Events that start a workflow: one run for a burst of them, and one more for what comes later."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from blocks.errors import OrchestratorError
from blocks.ledger.events.records import IncidentRecord
from blocks.prefect_api.runs import Runs
from flows.orchestrator.runs.starting import has_server
from flows.orchestrator.team.team import Orchestrator


async def start_for(team: Orchestrator, types: Collection[str], now: datetime) -> None:
    """Have the workflows run that events of these types call for.

    A run begins when its bucket is over, so that one sees all that a burst tells of. While one
    waits to begin there is no other; for what comes when it has begun there is one after it, since
    a workflow's deployment runs one at a time. What cannot be started is told in the report.

    Args:
        team: The run that took the events.
        types: Of the events.
        now: When.
    """
    rules = team.policy.events
    for workflow in sorted({rules.starts[name] for name in types if name in rules.starts}):
        if fault := await _start(workflow, timedelta(seconds=rules.starts_wait_seconds), now):
            note = f"{workflow} was not started for what happened: {fault}."
            team.notes += [note] if note not in team.notes else []


def types_of(summaries: Iterable[IncidentRecord]) -> set[str]:
    """Of which types the events are that were summarised."""
    told = (each.response.summary for each in summaries if each.response)
    return {summary.type for summary in told if summary}


async def _start(workflow: str, bucket: timedelta, now: datetime) -> str:
    """Why there is no run that is still to begin; empty when there is."""
    if not has_server():
        return "no Prefect server runs"
    deployment, due = f"{workflow}/{workflow}", _end_of(bucket, now)
    try:
        async with Runs.open() as runs:
            if not await runs.waits(deployment, due + bucket):
                # Of those who ask at once, with the same key, one run comes.
                key, name = f"events until {due.isoformat()}", f"after events until {due:%H:%M:%S}"
                await runs.start(deployment, key=key, name=name, at=due, tags=["events"])
    except OrchestratorError as error:
        return error.what.rstrip(".")
    return ""


def _end_of(bucket: timedelta, now: datetime) -> datetime:
    number = int(now.timestamp() // bucket.total_seconds()) + 1
    return datetime.fromtimestamp(number * bucket.total_seconds(), UTC)
