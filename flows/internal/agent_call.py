"""One call of a remote agent instance, in a run of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import flow
from pydantic import TypeAdapter
from pydantic_core import from_json

from agents.calls import Envelope
from agents.capability import Asker
from agents.descriptions import describe
from agents.registry import ActionSpec
from agents.tasks import ask
from blocks.errors import NotAllowed
from blocks.ledger import Ledger
from flows.orchestrator.team.opening import workflow_run


@flow(
    name="agent-call",
    description=(
        "Does one call for a workflow that runs elsewhere, and leaves the reply in the ledger. "
        "Started by the orchestrator for remote agent instances."
    ),
    timeout_seconds=1800,
)
async def agent_call(
    agent: str = "",
    action: str = "",
    params: str = "{}",
    envelope: dict[str, Any] | None = None,
) -> None:
    """Do one call.

    Args:
        agent: Dashed id of the agent.
        action: Name of its action.
        params: The action's parameters as JSON: text is nothing to Prefect.
        envelope: What the message says beside its payload.

    Raises:
        UnknownAction: There is no such action in this installation.
        NotAllowed: No workflow may ask for it, or it acts on the world and no workflow has let it.
        InvalidMessage: The parameters do not fit it.
    """
    given: dict[str, Any] = from_json(params)
    # Whoever asked was checked where the question came in; here a workflow asks, and nobody else.
    sent = replace(TypeAdapter(Envelope).validate_python(envelope or {}), asker=Asker.WORKFLOW)
    async with workflow_run("agent-call") as team:
        spec = team.toolbox.registry.action(agent, action)
        if spec.policy.effect and not await _is_awaited(team.ledger, spec, given, sent):
            raise NotAllowed(
                f"{spec.full_name} acts on the world, and no workflow waits for this run to do so.",
                hint="Send a message, or route a task: there the rules for acting are applied.",
            )
        team.replies.append(await ask(team.toolbox, agent, action, given, sent))


async def _is_awaited(
    ledger: Ledger, spec: ActionSpec, params: dict[str, Any], envelope: Envelope
) -> bool:
    """Whether the orchestrator has asked for just this, and nobody has begun it yet."""
    call = await ledger.call(envelope.message_id or "")
    if call is None or call.outcome is not None or call.attempts:
        return False
    described = {name: describe(value) for name, value in params.items()}
    return (call.agent, call.action, call.payload) == (spec.agent, spec.name, described)
