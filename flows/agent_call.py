"""One call of a remote agent instance, in a run of its own."""

from __future__ import annotations

from typing import Any

from prefect import flow
from pydantic import TypeAdapter
from pydantic_core import from_json

from agents.calls import Envelope
from agents.tasks import ask
from flows.orchestrator import workflow_run


@flow(
    name="agent-call",
    description=(
        "Does one call for a workflow that runs elsewhere, and leaves the reply in the ledger. "
        "Started by the orchestrator for remote agent instances."
    ),
    timeout_seconds=900,
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
        InvalidMessage: The parameters do not fit it.
    """
    sent = TypeAdapter(Envelope).validate_python(envelope or {})
    async with workflow_run("agent-call") as team:
        team.replies.append(await ask(team.toolbox, agent, action, sent, **from_json(params)))
