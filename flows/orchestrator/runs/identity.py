"""What a run of a deployment is known by, so that a restarted one does nothing a second time."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from prefect.context import FlowRunContext

from blocks.ledger.calls.dead_letters import DeadLetter
from blocks.prefect_api.runs import Runs
from blocks.vocabulary.messages import AgentMessage, SystemEvent
from flows.orchestrator.runs.deaths import repeats_in

Kept = TypeVar("Kept", AgentMessage, SystemEvent, DeadLetter)


async def accepted_as() -> str | None:
    """The identity of what this run was accepted to do.

    A run that is restarted after a crash has the same one; when a person has a finished run done
    again, that is another one.

    Raises:
        SourceUnavailable: Prefect's server does not answer.

    Returns:
        None in a run that no deployment was asked for: it is never restarted.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    if run.run_count <= 1:
        return run.id.hex
    async with Runs.open() as runs:
        repeats = repeats_in(await runs.past(run.id))
    return f"{run.id.hex}/{repeats}" if repeats else run.id.hex


def current_run() -> str:
    """The id of the run that this is part of, 32 hex digits; empty outside of runs."""
    context = FlowRunContext.get()
    return context.flow_run.id.hex if context and context.flow_run else ""


def id_from(identity: str, part: str) -> str:
    """The id of one part of what a run does: the same whenever it is done."""
    return hashlib.sha256(f"{identity}/{part}".encode()).hexdigest()[:32]


async def with_lasting_id(kept: Kept, place: int = 0) -> Kept:
    """What came without an id of its own, under one that it has in every life of this run.

    Args:
        kept: What the ledger keeps once per id.
        place: Which one, of those that the run was handed.
    """
    if "id" in kept.model_fields_set or (identity := await accepted_as()) is None:
        return kept
    return kept.model_copy(update={"id": id_from(identity, f"{type(kept).__name__} {place}")})
