"""What the agents know of incidents: each is asked whom it may concern, about many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.calls import Envelope, Reply
from agents.registry import AgentSpec
from blocks.vocabulary.messages import MessageType
from blocks.vocabulary.responses import EventResponse, EventResponses, subject_of
from flows.orchestrator.events.incident import Correlated
from flows.orchestrator.team.team import Orchestrator


@dataclass
class Answers:
    """What is known of one incident.

    Attributes:
        said: Agent to its answer.
        failed: Agents that did not answer, with the reason.
        unasked: Agents that take events, but none of this kind.
    """

    said: dict[str, EventResponse] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)


async def ask_agents(team: Orchestrator, batch: Sequence[Correlated]) -> list[Answers]:
    """Ask every agent that may know something, once about all that may concern it.

    What an agent cannot answer in passing, or fails at, it is asked about alone.

    Args:
        team: The run that asks.
        batch: The incidents, the most urgent first.

    Returns:
        The answers to each, in their order.
    """
    answers = [Answers() for _ in batch]
    agents = [agent for agent in team.toolbox.registry.agents.values() if agent.event_action]
    kinds = [subject_of(one.lead)[0] for one in batch]
    told = [[n for n, kind in enumerate(kinds) if agent.may_know(kind)] for agent in agents]
    heard = await asyncio.gather(
        *(
            _ask(team, agent, [batch[n] for n in numbers])
            for agent, numbers in zip(agents, told, strict=True)
        )
    )
    for agent, numbers, found in zip(agents, told, heard, strict=True):
        for n, said in zip(numbers, found, strict=True):
            if isinstance(said, EventResponse):
                answers[n].said[agent.id] = said
            else:
                answers[n].failed[agent.id] = said
        for n in set(range(len(batch))).difference(numbers):
            answers[n].unasked.append(agent.id)
    return answers


async def _ask(
    team: Orchestrator, agent: AgentSpec, batch: Sequence[Correlated]
) -> list[EventResponse | str]:
    """The agent's answer to each, or why there is none."""
    found: list[EventResponse | None] = [None] * len(batch)
    if agent.events_action and len(batch) > 1:
        events = [_told(one) for one in batch]
        reply = await _call(team, agent, agent.events_action, batch[0], events=events)
        if isinstance(reply.result, EventResponses) and len(reply.result.responses) == len(batch):
            found = reply.result.responses
    return await asyncio.gather(
        *(_answer(team, agent, one, said) for one, said in zip(batch, found, strict=True))
    )


async def _answer(
    team: Orchestrator, agent: AgentSpec, one: Correlated, said: EventResponse | None
) -> EventResponse | str:
    if said is not None:
        return said
    reply = await _call(team, agent, agent.event_action, one, event=_told(one))
    return reply.error.what if reply.error else reply.result


async def _call(
    team: Orchestrator, agent: AgentSpec, action: str, first: Correlated, **params: Any
) -> Reply:
    envelope = Envelope(type=MessageType.EVENT, priority=first.urgency.priority)
    return await team.ask(agent.id, action, params, envelope)


def _told(one: Correlated) -> dict[str, Any]:
    lead = one.lead.model_copy(update={"severity": one.severity})
    return lead.model_dump(mode="json")
