"""Routing: which plan a task follows, and whether the agents can play it. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from agents.capability import TOOLS, Asker
from agents.registry import ActionSpec, Registry
from blocks.errors import ConfigurationError, NoAgentAvailable, NotAllowed, UnknownAction
from blocks.ledger.work.effects import DELIVERIES, ORDER
from blocks.policy.policy import DEFAULT_MATRIX, Instance, Plan, Policy, Role
from blocks.text import did_you_mean
from blocks.vocabulary.effects import Approval
from flows.orchestrator.dispatch.parameters import fitting


def plan_for(policy: Policy, task_type: str) -> Plan:
    """The plan for a type of task.

    Raises:
        NoAgentAvailable: The decision matrix has no such type; names the near misses.
    """
    plan = policy.task_types.get(task_type)
    if plan is None:
        raise NoAgentAvailable(task_type, hint=did_you_mean(task_type, sorted(policy.task_types)))
    return plan


def check_policy(policy: Policy, team: Registry) -> None:
    """See that every role can be played and every instance is one of an agent that is there.

    A task's parameters come from outside, so a role is played by no action that messages may not
    ask for.

    The plans of the default matrix are left out: a test sees that ours can be played, and teams
    of other agents are free to do without them.

    Raises:
        ConfigurationError: Names each fault and the near miss.
    """
    faults = list(_faults(policy, team))
    if faults:
        raise ConfigurationError(
            f"The policy cannot be used: {' '.join(faults)}",
            hint="./orchestrator agents lists the agents and their actions.",
        )


def _faults(policy: Policy, team: Registry) -> Iterable[str]:
    for task_type, plan in policy.task_types.items():
        if plan == DEFAULT_MATRIX.get(task_type):
            continue
        for role, play in plan.roles.items():
            try:
                team.action(play.agent, play.action).check_asker(Asker.MESSAGE)
            except (UnknownAction, NotAllowed) as error:
                yield f"{task_type}, {role}: {error}"
    for instance in policy.instances:
        if instance.agent not in team.agents:
            yield f"Instance {instance.name}: there is no agent {instance.agent!r}."
    acts = (spec.full_name for spec in team.actions() if spec.policy.effect)
    kinds = [*DELIVERIES, ORDER, *acts]
    for kind, approval in policy.effects.approval.items():
        if kind not in kinds:
            yield f"There is no kind of effect {kind!r}. {did_you_mean(kind, kinds)}"
        elif kind in DELIVERIES and approval is Approval.ASK:
            yield f"Nobody can be asked whether to be told: {kind} is automatic or shadow."
    lasting = [
        spec.full_name
        for spec in team.actions()
        if spec.policy.effect and spec.policy.effect.lasts is not None
    ]
    for kind in policy.effects.lasts_minutes:
        if kind not in lasting:
            hint = did_you_mean(kind, lasting)
            yield f"No kind of effect {kind!r} is wanted for a while only. {hint}"


def instances_of(policy: Policy, team: Registry, agent: str) -> list[Instance]:
    """The instances of an agent: those that are configured, and the local one of its own name."""
    own = Instance(name=agent, agent=agent)
    configured = [instance for instance in policy.instances if instance.agent == agent]
    named = {instance.name for instance in configured}
    everyone = configured if agent in named else [own, *configured]
    usual = team.agents[agent].capacity
    return [
        instance if instance.capacity else instance.model_copy(update={"capacity": usual})
        for instance in everyone
    ]


def params_for(spec: ActionSpec, role: Role, given: dict[str, Any]) -> dict[str, Any]:
    """What of a task's parameters a role's action is handed.

    The primary gets all of them, so that a misspelt one is refused, or one of another type, or a
    tool of ours; the others get what they know.

    Raises:
        InvalidMessage: They do not fit the primary.
    """
    if role is Role.PRIMARY:
        return fitting(spec, given)
    known = set(inspect.signature(spec.function).parameters) - TOOLS
    return {name: value for name, value in given.items() if name in known}
