"""What happened to an objective's target, read from the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.sre_reliability.objectives.counters import bad_series, total_series
from agents.sre_reliability.objectives.counting import Points, counted, looks, second_of
from agents.sre_reliability.objectives.promises import objectives_in_force
from agents.sre_reliability.objectives.standing import DAY, ObjectiveStanding, stand
from agents.sre_reliability.objectives.traffic import Columns, Traffic
from blocks.business.business import Business
from blocks.ledger import Ledger
from blocks.policy.watching.objective_rules import (
    Availability,
    Latency,
    Objective,
    ObjectiveRules,
    Requests,
    Tasks,
)

PREFIX = "objective:"
FIGURES = ("budget_left_percent", "burn_rate", "burning_level")
"""What a look at an objective measures: the level is 0, 1 for a ticket, 2 for a page."""

_HOUR = timedelta(hours=1)


async def standings(
    business: Business, ledger: Ledger, rules: ObjectiveRules, now: datetime
) -> list[ObjectiveStanding]:
    """How all objectives stand, those that burn first, then by the budget that is left.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found = []
    for objective in objectives_in_force(business.services, rules):
        traffic = await traffic_of(objective, ledger, span(objective), now)
        found.append(stand(objective, traffic, now))
    return sorted(found, key=_worst_first)


async def last_figures(ledger: Ledger, now: datetime) -> dict[str, dict[str, float]]:
    """What the last looks at objectives measured: by objective, then by what it is.

    Objectives that were not looked at within an hour are absent.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    names = [name for name in await ledger.samples.names(PREFIX) if name.split("/")[-1] in FIGURES]
    found: dict[str, dict[str, float]] = {}
    for name, points in (await ledger.samples.history(names, now - _HOUR, now)).items():
        if points:
            objective, _, what = name.removeprefix(PREFIX).partition("/")
            found.setdefault(objective, {})[what] = points[-1][1]
    return found


async def traffic_of(
    objective: Objective, ledger: Ledger, back: timedelta, now: datetime
) -> Traffic:
    """What happened within some time before ``now``.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    source = objective.source
    columns = await _columns(objective, ledger, now - back, now)
    return Traffic.of(columns, holds=None if isinstance(source, Tasks) else source.holds_seconds)


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


async def _columns(
    objective: Objective, ledger: Ledger, since: datetime, until: datetime
) -> Columns:
    source, target = objective.source, objective.target

    async def history(*names: str) -> list[Points]:
        found = await ledger.samples.history(names, since, until + timedelta(microseconds=1))
        return [found[name] for name in names]

    match source:
        case Availability():
            [points] = await history(source.series or f"{target}/up")
            return looks(points, lambda up: up < 1)
        case Latency():
            [points] = await history(source.series or f"{target}/latency_ms")
            return looks(points, lambda ms: ms > source.under_ms)
        case Requests():
            return counted(*await history(total_series(objective.name), bad_series(objective.name)))
        case Tasks():
            ended = await ledger.tasks.ended(since, until, source.task_type)
            return looks(ended, lambda failed: failed > 0)


def _worst_first(standing: ObjectiveStanding) -> tuple[bool, bool, float, str]:
    loud = standing.calls
    left = 1.0 if standing.budget_left is None else standing.budget_left
    return loud != "page", loud is None, left, standing.name
