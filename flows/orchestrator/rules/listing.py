"""The rules in force, what each did of late, and what came that no rule and no agent knew."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from blocks.ledger import Ledger
from blocks.ledger.firings.firings import FiringOutcome
from blocks.models import Frozen
from blocks.policy.policy import Policy
from blocks.policy.trigger_rules import Rule
from blocks.vocabulary.messages import Severity

WEEK = timedelta(days=7)


class RuleShown(Frozen):
    """A rule, and what it did of late."""

    name: str
    description: str
    types: list[str] = Field(description="Patterns of the types of events that it is about.")
    when: dict[str, Any] = Field(description="What else must be true of an event.")
    workflow: str
    parameters: dict[str, Any]
    enabled: bool
    stop: bool
    order: int
    share_seconds: float
    cooldown_seconds: float
    limit_per_hour: int
    fired: int = Field(description="Events that fitted it.")
    runs: int = Field(description="Runs that it started.")
    held_back: dict[str, int] = Field(
        description="How often it started nothing, by reason: cooling-down, limit-reached, loop, "
        "refused, failed."
    )
    last_fired: AwareDatetime | None


class Nobodys(Frozen):
    """Trouble of one type that no agent and no rule knew."""

    type: str
    source: str
    severity: Severity = Field(description="The worst of them.")
    events: int
    last: AwareDatetime


class RulesShown(Frozen):
    """The rules in force, in the order in which they see an event."""

    policy_version: str
    since: AwareDatetime
    rules: list[RuleShown]
    nobody_knows: list[Nobodys]


async def rules_in_force(
    ledger: Ledger | None, policy: Policy, now: datetime, window: timedelta = WEEK
) -> RulesShown:
    """The rules, with what they did in the time before ``now``, and what nobody knew.

    Without a ledger nothing happened yet.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    since = now - window
    tallies = await ledger.firings.tallies(since) if ledger else {}
    shown = []
    for name, rule in sorted(policy.rules.items(), key=lambda each: (each[1].order, each[0])):
        tally = tallies.get(name)
        counts = tally.counts if tally else {}
        held = {o.value: n for o, n in counts.items() if o.is_trouble or o is _COOLING}
        shown.append(
            RuleShown(
                name=name,
                types=rule.when.types,
                when=_beside_the_type(rule),
                fired=sum(counts.values()),
                runs=tally.runs if tally else 0,
                held_back=held,
                last_fired=tally.last if tally else None,
                **rule.model_dump(include=_SHOWN),
            )
        )
    unknown = [
        Nobodys(
            type=each.type,
            source=each.source,
            severity=each.severity,
            events=each.events,
            last=each.last,
        )
        for each in (await ledger.firings.unknown(since) if ledger else [])
    ]
    return RulesShown(policy_version=policy.version, since=since, rules=shown, nobody_knows=unknown)


_COOLING = FiringOutcome.COOLING
_SHOWN = {
    *("description", "workflow", "parameters", "enabled", "stop", "order"),
    *("share_seconds", "cooldown_seconds", "limit_per_hour"),
}


def _beside_the_type(rule: Rule) -> dict[str, Any]:
    """What a rule asks of an event beside its type, without what is usual."""
    return rule.when.model_dump(
        mode="json", exclude={"type"}, exclude_defaults=True, exclude_none=True
    )
