"""Finds the agents and their actions in the folders, and says what each is doing."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

import agents
from agents.capability import ActionPolicy, Asker, policy_of
from blocks.errors import NotAllowed, UnknownAction
from blocks.text import did_you_mean


@dataclass(frozen=True)
class AgentSpec:
    """What an agent is; its folder's ``__init__`` holds one as ``AGENT``.

    Attributes:
        id: Dashed name, equal to the folder's name.
        title: Name for people.
        specialization: One sentence: what to ask it for.
        capacity: Calls it takes at once.
        event_action: Its action that takes events and alerts (parameter ``event``); "" when it
            takes none.
        alert_questions: What it is asked about an alert.
        events_action: Its action that takes many events at once (parameter ``events``) and gives
            ``EventResponses``; "" when it is asked about each alone.
        event_kinds: Kinds of subject (``service`` of ``service:web``; "" of what names none) that
            it may know something about; None: it is asked about all.
    """

    id: str
    title: str
    specialization: str
    capacity: int = 8
    event_action: str = ""
    alert_questions: tuple[str, ...] = ("Does it concern you, and what do you advise?",)
    events_action: str = ""
    event_kinds: frozenset[str] | None = None

    def may_know(self, kind: str) -> bool:
        """Whether it is worth asking about something of this kind."""
        return self.event_kinds is None or kind in self.event_kinds


_BY = {
    Asker.WORKFLOW: "a workflow",
    Asker.PERSON: "the command line",
    Asker.MESSAGE: "a message or a task",
}
_FOR = {
    Asker.WORKFLOW: "the workflows themselves",
    Asker.PERSON: "a person at the command line",
    Asker.MESSAGE: "messages and tasks",
}


@dataclass(frozen=True)
class ActionSpec:
    """One action as the registry knows it."""

    agent: str
    capability: str
    name: str
    function: Callable[..., Any]
    policy: ActionPolicy

    @property
    def full_name(self) -> str:
        """``agent.action``, as shown on flow run pages."""
        return f"{self.agent}.{self.name}"

    def check_asker(self, asker: Asker) -> None:
        """See that somebody may ask for it.

        Raises:
            NotAllowed: The action is not for them; says for whom it is.
        """
        if asker in self.policy.askers:
            return
        others = " and ".join(_FOR[each] for each in Asker if each in self.policy.askers)
        raise NotAllowed(
            f"{self.full_name} may not be asked for by {_BY[asker]}.",
            hint=f"It is for {others} only." if others else "It is for nobody.",
        )

    def resource(self, params: Mapping[str, Any]) -> str:
        """What it acts on when it is called with these parameters."""
        return self.policy.resource.format_map(params) or f"action:{self.full_name}"

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]


class Registry:
    """Agents and actions by name. Read-only once built."""

    def __init__(self, specs: Mapping[str, AgentSpec], actions: list[ActionSpec]) -> None:
        self.agents: Mapping[str, AgentSpec] = MappingProxyType(dict(specs))
        self._actions = {(a.agent, a.name): a for a in actions}

    def actions(self, agent: str | None = None) -> list[ActionSpec]:
        """All actions, or one agent's, sorted by agent, capability and name."""
        found = [a for a in self._actions.values() if agent in (None, a.agent)]
        return sorted(found, key=lambda a: (a.agent, a.capability, a.name))

    def capabilities(self, agent: str) -> list[str]:
        """The capability modules of an agent that have at least one action."""
        return sorted({a.capability for a in self.actions(agent)})

    def action(self, agent: str, name: str) -> ActionSpec:
        """One action.

        Raises:
            UnknownAction: No such agent or action; the message names the nearest match.
        """
        try:
            return self._actions[agent, name]
        except KeyError:
            known = [a.full_name for a in self.actions()]
            hint = did_you_mean(f"{agent}.{name}", known, "See ./orchestrator agents.")
            raise UnknownAction(f"No action {agent}.{name}.", hint=hint) from None


@cache
def registry() -> Registry:
    """The registry of this installation: every folder of ``agents/`` that holds an ``AGENT``."""
    specs: dict[str, AgentSpec] = {}
    actions: list[ActionSpec] = []
    for folder in pkgutil.iter_modules(agents.__path__, "agents."):
        if not folder.ispkg:
            continue
        package = importlib.import_module(folder.name)
        spec: AgentSpec = package.AGENT
        specs[spec.id] = spec
        for module in pkgutil.walk_packages(package.__path__, f"{folder.name}."):
            actions += _actions_in(importlib.import_module(module.name), spec.id)
    return Registry(specs, actions)


def _actions_in(module: ModuleType, agent: str) -> list[ActionSpec]:
    *_, capability = module.__name__.split(".")[:3]  # agents.<agent>.<capability>, and its parts
    return [
        ActionSpec(agent, capability, name, function, policy)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        # An action that is imported from another module is that one's.
        if function.__module__ == module.__name__ and (policy := policy_of(function))
    ]
