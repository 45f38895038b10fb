"""What happened to an objective's target, read from the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.sre_reliability.objectives.counters import bad_series, total_series
from agents.sre_reliability.objectives.counting import Points, counted, looks, second_of
from agents.sre_reliability.objectives.promises import objectives_in_force
from agents.sre_reliability.objectives.standing import DAY, Standing, stand
from agents.sre_reliability.objectives.traffic import Bucket, Traffic
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.policy.objective_rules import (
    Availability,
    Latency,
    Objective,
    ObjectiveRules,
    Requests,
    Tasks,
)


async def standings(
    business: Business, ledger: Ledger, rules: ObjectiveRules, now: datetime
) -> list[Standing]:
    """How all objectives stand, those that burn first, then by the budget that is left.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found = []
    for objective in objectives_in_force(business.services, rules):
        traffic = await traffic_of(objective, ledger, span(objective), now)
        found.append(stand(objective, traffic, now))
    return sorted(found, key=_worst_first)


async def traffic_of(
    objective: Objective, ledger: Ledger, back: timedelta, now: datetime
) -> Traffic:
    """What happened within some time before ``now``.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    source = objective.source
    buckets = await _buckets(objective, ledger, now - back, now)
    return Traffic(buckets, holds=None if isinstance(source, Tasks) else source.holds_seconds)


def is_stale(objective: Objective, traffic: Traffic, now: datetime) -> bool:
    """Whether what is looked at was not, for longer than a look speaks for; or never."""
    source = objective.source
    if traffic.last is None:
        return True
    return not isinstance(source, Tasks) and second_of(now) - traffic.last > source.holds_seconds


def span(objective: Objective) -> timedelta:
    """How far back must be known for all that is asked of an objective."""
    return timedelta(seconds=max(objective.days * DAY, longest_window(objective)))


def longest_window(objective: Objective) -> int:
    """Seconds of the longest window of its rules."""
    return max(rule.long_seconds for rule in objective.rules)


async def _buckets(
    objective: Objective, ledger: Ledger, since: datetime, until: datetime
) -> list[Bucket]:
    source, target = objective.source, objective.target

    async def history(*names: str) -> list[Points]:
        found = await ledger.samples.history(names, since, until + timedelta(microseconds=1))
        return [found[name] for name in names]

    match source:
        case Availability():
            [points] = await history(source.series or f"{target}/up")
            return looks(points, lambda value: value < 1)
        case Latency():
            [points] = await history(source.series or f"{target}/latency_ms")
            return looks(points, lambda value: value > source.under_ms)
        case Requests():
            return counted(*await history(total_series(objective.name), bad_series(objective.name)))
        case Tasks():
            ended = await ledger.tasks.ended(since, until, source.task_type)
            return looks(ended, bool)


def _worst_first(standing: Standing) -> tuple[bool, bool, float, str]:
    loud = standing.calls
    left = 1.0 if standing.budget_left is None else standing.budget_left
    return loud != "page", loud is None, left, standing.name
