"""Recorded decisions, made again under another policy: what would have been different. Pure.

Everything that a decision rested on is in its receipt, the seed of its draws included. So the same
policy decides the same again, and a difference is the other policy's doing. One thing is not in
it: how a new instance would have done its work, so that it counts as one nothing is known of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ValidationError

from agents.registry import ActionSpec, Registry
from blocks.errors import NoAgentAvailable, UnknownAction
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.work.tasks import TaskRecord
from blocks.models import Frozen
from blocks.policy.policy import Instance, Policy
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.urgency import urgency
from flows.orchestrator.dispatch.routing import instances_of, plan_for
from flows.orchestrator.dispatch.selection import Candidate, select


class Question(StrEnum):
    """What is decided again."""

    ROUTING = "routing"
    PRIORITY = "priority"
    SELECTION = "selection"
    CORRELATION = "correlation"


class Difference(Frozen):
    """A decision that would have been another one.

    Attributes:
        receipt: Id of the receipt of the decision as it was made; empty for events, which are put
            together anew.
        subject: The task, message or resource that it was about.
        about: Its type or action.
        recorded, replayed: What was decided, and what would have been.
        why: What makes the difference.
    """

    question: Question
    receipt: str
    subject: str
    at: AwareDatetime
    about: str
    recorded: str
    replayed: str
    why: str


class Tally(Frozen):
    """How many decisions would have been the same."""

    question: Question
    same: int
    different: int


class Replay(Frozen):
    """What another policy would have decided.

    Attributes:
        policy_version: Version of the other policy.
        tallies: One per question.
        differences: In order of time.
        skipped: What could not be decided again: why, and how many.
    """

    policy_version: str
    tallies: list[Tally]
    differences: list[Difference]
    skipped: dict[str, int]


class _RouteInputs(BaseModel):
    task_type: str
    severity: Severity
    impact_per_hour: float | None = None
    deadline: AwareDatetime | None = None
    at: AwareDatetime


class _RouteDecision(BaseModel):
    roles: dict[str, str]
    priority: str


class _SelectInputs(BaseModel):
    agent: str
    action: str
    seed: str
    candidates: list[Candidate]


class _SelectDecision(BaseModel):
    instance: str | None


_Verdict = tuple[Question, Difference | None]


class _Gone(Exception):
    """The agent or action of a recorded decision is there no longer."""


def replay(
    receipts: Iterable[ReceiptRecord],
    policy: Policy,
    team: Registry,
    *,
    tasks: Iterable[TaskRecord] = (),
    policies: Mapping[str, Policy] | None = None,
) -> Replay:
    """Decide again what was decided about routing, priority and selection.

    Args:
        receipts: Of the decisions; those of other kinds are passed over.
        policy: The other policy.
        team: The agents that there are.
        tasks: Of the same time: those without a receipt are counted as skipped.
        policies: The policies of then, by version. They tell a severity that somebody gave from
            the usual one of the task's type, which the other policy may set anew.
    """
    counts: Counter[tuple[Question, bool]] = Counter()
    skipped: Counter[str] = Counter()
    differences: list[Difference] = []
    routed: set[str] = set()
    for receipt in sorted(receipts, key=lambda receipt: receipt.at):
        if receipt.kind is ReceiptKind.ROUTE:
            routed.add(receipt.subject)
        try:
            for question, difference in _again(receipt, policy, team, policies or {}):
                counts[question, difference is None] += 1
                differences += [difference] if difference else []
        except ValidationError:
            skipped["its receipt does not hold what it rested on"] += 1
        except _Gone as gone:
            skipped[str(gone)] += 1
    if lost := sum(task.id not in routed for task in tasks):
        skipped["a task without a receipt of its routing"] = lost
    return Replay(
        policy_version=policy.version,
        tallies=[
            Tally(question=q, same=counts[q, True], different=counts[q, False])
            for q in Question
            if q is not Question.CORRELATION  # flows.orchestrator.decisions.replay_events
        ],
        differences=differences,
        skipped=dict(skipped),
    )


def _again(
    receipt: ReceiptRecord, policy: Policy, team: Registry, policies: Mapping[str, Policy]
) -> Iterator[_Verdict]:
    if receipt.kind is ReceiptKind.ROUTE:
        yield from _route(receipt, policy, policies.get(receipt.policy_version))
    elif receipt.kind is ReceiptKind.SELECT:
        yield _select(receipt, policy, team)


def _route(receipt: ReceiptRecord, policy: Policy, then: Policy | None) -> list[_Verdict]:
    inputs = _RouteInputs.model_validate(receipt.body.get("inputs"))
    decided = _RouteDecision.model_validate(receipt.body.get("decision"))
    about = inputs.task_type
    try:
        plan = plan_for(policy, about)
    except NoAgentAvailable as refused:
        recorded = _roles(decided.roles, decided.roles)
        refusal = _difference(Question.ROUTING, receipt, about, recorded, "refused", str(refused))
        return [(Question.ROUTING, refusal)]
    roles = {role.value: f"{play.agent}.{play.action}" for role, play in plan.roles.items()}
    changed = [
        role for role in {**decided.roles, **roles} if roles.get(role) != decided.roles.get(role)
    ]
    routing = changed and _difference(
        Question.ROUTING,
        receipt,
        about,
        _roles(decided.roles, changed),
        _roles(roles, changed),
        f"The matrix gives another {' and '.join(changed)}.",
    )
    usual = then.task_types.get(about) if then else None
    given = usual is None or inputs.severity is not usual.severity
    urgent = urgency(
        inputs.severity if given else plan.severity,
        inputs.at,
        impact_per_hour=inputs.impact_per_hour,
        deadline=inputs.deadline,
        rules=policy.priorities,
    )
    name = urgent.priority.name.lower()
    priority = name != decided.priority and _difference(
        Question.PRIORITY, receipt, about, decided.priority, name, f"{', '.join(urgent.reasons)}."
    )
    return [(Question.ROUTING, routing or None), (Question.PRIORITY, priority or None)]


def _roles(roles: Mapping[str, str], which: Iterable[str]) -> str:
    return ", ".join(f"{role} {roles.get(role, 'nobody')}" for role in which)


def _select(receipt: ReceiptRecord, policy: Policy, team: Registry) -> _Verdict:
    inputs = _SelectInputs.model_validate(receipt.body.get("inputs"))
    decided = _SelectDecision.model_validate(receipt.body.get("decision")).instance
    try:
        spec = team.action(inputs.agent, inputs.action)
    except UnknownAction:
        raise _Gone(f"{inputs.agent}.{inputs.action} is there no longer") from None
    known = {candidate.instance: candidate for candidate in inputs.candidates}
    unable = _unable(receipt.body.get("candidates"), known)
    selection = select(
        [
            _candidate(instance, spec, known.get(instance.name))
            for instance in instances_of(policy, team, inputs.agent)
            if instance.name not in unable
        ],
        policy.selection,
        seed=inputs.seed,
    )
    chosen = selection.chosen.instance if selection.chosen else None
    if chosen == decided:
        return Question.SELECTION, None
    lost = {scored.instance: scored.reason for scored in selection.scores}
    if decided is None:
        why = f"{chosen} has room."
    elif decided in lost:
        why = f"{decided} is {lost[decided]}."
    else:
        why = f"The policy has no instance {decided}."
    recorded, replayed = decided or "nobody", chosen or "nobody"
    return Question.SELECTION, _difference(
        Question.SELECTION, receipt, spec.full_name, recorded, replayed, why
    )


def _unable(told: Any, known: Mapping[str, Candidate]) -> set[str]:
    """Who could not be asked at all, whatever the policy: told as a loser, but never scored."""
    names = {c.get("name") for c in told or () if isinstance(c, dict)}
    return {str(name) for name in names if name not in known}


def _candidate(instance: Instance, spec: ActionSpec, known: Candidate | None) -> Candidate:
    """An instance as the other policy has it, with what was known of it then."""
    configured = Candidate(
        instance=instance.name,
        agent=spec.agent,
        capacity=instance.capacity or 1,
        workload=0,
        expertise=instance.expertise_in(spec.name, spec.capability),
        successes=0.0,
        failures=0.0,
    )
    if known is None:
        return configured
    return replace(known, capacity=configured.capacity, expertise=configured.expertise)


def _difference(
    question: Question,
    receipt: ReceiptRecord,
    about: str,
    recorded: str,
    replayed: str,
    why: str,
) -> Difference:
    return Difference(
        question=question,
        receipt=receipt.id,
        subject=receipt.subject,
        at=receipt.at,
        about=about,
        recorded=recorded,
        replayed=replayed,
        why=why,
    )
