"""What rules would have done with events that came, or with one that somebody makes up. Pure.

Each event is judged at its own time, with the runs that the rehearsal itself has started: shares,
cooldowns and limits count. What a run leads to is not known, so no loop is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.ledger.firings.firings import FiringOutcome
from blocks.models import Frozen
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import Rule
from blocks.text import printable
from blocks.vocabulary.messages import SystemEvent
from flows.orchestrator.rules.judging import Past, judge, matches

MOST = 100_000
"""Stored events that are looked at, the newest."""


class WouldFire(Frozen):
    """What an event would have made a rule do."""

    rule: str
    event: str = Field(description="The event's id.")
    type: str
    subject: str
    at: AwareDatetime
    workflow: str
    parameters: dict[str, Any]
    outcome: str = Field(
        description="started, shared (with an event before), cooling-down, limit-reached, refused."
    )
    detail: str = ""


class Rehearsal(Frozen):
    """What rules would have done."""

    policy_version: str
    events: int = Field(description="Events that were looked at.")
    fitted: int = Field(description="Of these, those that a rule is about.")
    runs: int = Field(description="Runs that would have been started.")
    fired: list[WouldFire]
    only_now: list[str] = Field(
        default=[], description="Rule and event of what the rules in force would not do."
    )
    only_then: list[str] = Field(
        default=[], description="Rule and event of what only the rules in force would do."
    )


def rehearse(
    policy: Policy, events: Sequence[SystemEvent], in_force: Policy | None = None
) -> Rehearsal:
    """What the rules of a policy would have done.

    Args:
        policy: Has the rules.
        events: In any order.
        in_force: Another one to compare it with.
    """
    fired = _fired(policy.rules, events)
    ours = {_what(each) for each in fired}
    theirs = {_what(each) for each in _fired(in_force.rules, events)} if in_force else ours
    return Rehearsal(
        policy_version=policy.version,
        events=len(events),
        fitted=len({each.event for each in fired}),
        runs=sum(each.outcome == FiringOutcome.STARTED for each in fired),
        fired=fired,
        only_now=sorted(ours - theirs),
        only_then=sorted(theirs - ours),
    )


def _fired(rules: Mapping[str, Rule], events: Iterable[SystemEvent]) -> list[WouldFire]:
    past, started, shown = Past(), set[str](), list[WouldFire]()
    for event in sorted(events, key=lambda e: (e.time, e.source, e.id)):
        for firing in judge(list(matches(rules, event)), (), past, {}, event.time):
            outcome, key = firing.outcome.value, firing.run_key
            if key is not None:
                outcome = "shared" if key in started else FiringOutcome.STARTED.value
                started.add(key)
            shown.append(
                WouldFire(
                    rule=firing.rule,
                    event=event.id,
                    type=printable(event.type),
                    subject=printable(event.subject),
                    at=event.time,
                    workflow=firing.workflow,
                    parameters=firing.parameters,
                    outcome=outcome,
                    detail=firing.detail,
                )
            )
    return shown


def _what(each: WouldFire) -> str:
    return f"{each.rule}: {each.event}, {each.workflow} {each.outcome}"
