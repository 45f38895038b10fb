"""The agents as people and programs are told of them: what each can do, and what it is doing."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from agents.capability import Asker
from agents.registry import Registry
from blocks.ledger.calls.records import AgentActivity


class AgentStatus(BaseModel):
    """One agent: what it can do and what it is doing.

    Attributes:
        actions: Capability to its actions, each with what it does.
        askers: Action to who may ask for it: workflows, a person at the command line, messages
            (and tasks of the decision matrix).
    """

    id: str
    title: str
    specialization: str
    status: str
    capacity: int
    workload: int
    actions: dict[str, dict[str, str]]
    askers: dict[str, list[str]]


def describe_agents(team: Registry, activity: Mapping[str, AgentActivity]) -> list[AgentStatus]:
    """Each agent of a team, with what it is doing; one without activity is idle."""
    found = []
    for agent, spec in sorted(team.agents.items()):
        workload = activity[agent].workload if agent in activity else 0
        actions: dict[str, dict[str, str]] = {}
        for action in team.actions(agent):
            actions.setdefault(action.capability, {})[action.name] = action.summary
        found.append(
            AgentStatus(
                id=agent,
                title=spec.title,
                specialization=spec.specialization,
                status="busy" if workload >= spec.capacity else "working" if workload else "idle",
                capacity=spec.capacity,
                workload=workload,
                actions=actions,
                askers={
                    action.name: [asker for asker in Asker if asker in action.policy.askers]
                    for action in team.actions(agent)
                },
            )
        )
    return found
