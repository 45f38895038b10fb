"""Effects that a message or a task asks for pass the door as the remedies of findings do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from time import perf_counter
from typing import Any

from agents.calls import Envelope, Reply, address, answer
from agents.registry import ActionSpec
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import ErrorInfo, Priority, new_id
from blocks.vocabulary.severity import Severity
from flows.orchestrator.dispatch.context import RunContext
from flows.orchestrator.effects.acting import act


async def act_as_asked(
    team: RunContext,
    spec: ActionSpec,
    params: dict[str, Any],
    envelope: Envelope,
    *,
    avoid: Collection[str] = (),
    approved: bool = False,
) -> Reply:
    """Have an effect that a message or a task asks for, unless there is a reason not to.

    Args:
        team: The run that asks.
        spec: The action.
        params: Its own parameters.
        envelope: What the message says beside its payload.
        avoid: Instances that are not asked.
        approved: Whether a person, who knows what was tried, said yes.

    Returns:
        The agent's reply, or one whose error names the rule that forbade it.

    Raises:
        NotAllowed, InvalidMessage, LedgerError: As ``dispatch``.
    """
    envelope = replace(envelope, message_id=envelope.message_id or new_id(), run_id=team.run.id)
    message = address(spec, envelope, params)
    finding = Finding(
        kind="asked-for",
        resource=spec.resource(params),
        severity=_severity_of(message.priority),
        title=f"{message.sender} asks for {spec.full_name}.",
    )
    remedy = Remedy(agent=spec.agent, action=spec.name, params=params)
    acted = await act(team, finding, remedy, envelope, avoid=avoid, approved=approved)
    if acted.refusal is None:
        assert acted.reply is not None, "asked, as nothing forbade it"
        return acted.reply
    error = ErrorInfo.of(acted.refusal)
    team.ledger.record(message)
    answer(team.toolbox, message, None, error, 0, perf_counter())
    return Reply(message, None, error)


def _severity_of(priority: Priority) -> Severity:
    return next(severity for severity in Severity if severity.priority is priority)
