"""A remote instance of an agent: its work is a run of the deployment ``agent-call``."""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from agents.calls import Envelope, Reply, answer
from agents.registry import ActionSpec
from blocks.errors import OrchestratorError, SourceTimeout, SourceUnavailable
from blocks.ledger.calls.records import CallRecord
from blocks.policy.policy import Instance
from blocks.prefect_api.runs import Runs
from blocks.vocabulary.messages import AgentMessage, ErrorInfo
from flows.orchestrator.dispatch.resume import result_of_call

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

    from flows.orchestrator.dispatch.context import RunContext

REMOTE_MARGIN = 120.0
"""Seconds that a remote run has until it starts: a worker polls, and an interpreter loads."""

_LOOK = 0.25
_LOOKS_PER_RUN_CHECK = 8


async def ask_remote(
    team: RunContext,
    spec: ActionSpec,
    instance: Instance,
    message: AgentMessage,
    envelope: Envelope,
    params: dict[str, Any],
) -> Reply:
    """Have a remote instance do something, and wait for its reply in the ledger.

    The remote run writes the same entries as a local call. One that ends without a reply, or
    never starts, is answered here.
    """
    began = perf_counter()
    limit = team.toolbox.time_limit(spec, params)
    patience = limit * (spec.policy.retries + 1) + REMOTE_MARGIN
    team.ledger.record(message)
    await team.ledger.flush()
    try:
        async with Runs.open() as runs:
            run = await _start(runs, spec, instance, envelope, params)
            call = await _reply(team, runs, run, message.id, patience)
    except OrchestratorError as problem:
        error = ErrorInfo.of(problem)
        answer(team.toolbox, message, None, error, 1, began)
        return Reply(message, None, error, instance.name)
    return Reply(message, result_of_call(spec, call), call.error, instance.name)


async def _start(
    runs: Runs,
    spec: ActionSpec,
    instance: Instance,
    envelope: Envelope,
    params: dict[str, Any],
) -> FlowRun:
    return await runs.start(
        str(instance.deployment),
        {
            "agent": spec.agent,
            "action": spec.name,
            # As text: what came in an event may say what it likes, and Prefect renders none of it.
            "params": to_json(params).decode(),
            "envelope": TypeAdapter(Envelope).dump_python(envelope, mode="json"),
        },
        name=f"{instance.name}: {spec.name}",
        # However often the run is asked for, one comes.
        key=str(envelope.message_id),
    )


async def _reply(
    team: RunContext, runs: Runs, run: FlowRun, message_id: str, patience: float
) -> CallRecord:
    give_up = monotonic() + patience
    looks = 0
    while monotonic() < give_up:
        call = await team.ledger.call(message_id)
        if call is not None and call.outcome is not None:
            return call
        looks += 1
        if looks % _LOOKS_PER_RUN_CHECK == 0:
            state = (await runs.read(run.id)).state
            if state is not None and state.is_final():
                if (call := await team.ledger.call(message_id)) and call.outcome is not None:
                    return call
                raise SourceUnavailable(
                    f"The remote run {run.name!r} ended as {state.name} without a reply."
                )
        await asyncio.sleep(_LOOK)
    raise SourceTimeout(
        f"The remote run {run.name!r} gave no reply within {patience:.0f} s.",
        hint="See whether a worker serves its work pool.",
    )
