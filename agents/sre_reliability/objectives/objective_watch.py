"""The objectives, judged all the time: one whose budget burns too fast is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from agents.sre_reliability.objectives.counters import AT_MOST, read_counters, total_series
from agents.sre_reliability.objectives.promises import objectives_in_force
from agents.sre_reliability.objectives.reading import (
    is_stale,
    longest_window,
    span,
    traffic_of,
)
from agents.sre_reliability.objectives.standing import (
    Burning,
    ObjectiveStanding,
    burning,
    loudest,
    stand,
)
from agents.sre_reliability.objectives.words import told
from blocks.business.business import Business
from blocks.errors import ConfigurationError, OrchestratorError
from blocks.ledger import Ledger
from blocks.policy.watching.objective_rules import Loudness, Objective, ObjectiveRules, Requests
from blocks.vocabulary.looks import Look, Sample, Signal
from blocks.vocabulary.severity import Severity

PART = "objectives"
KIND = "objective.burning"

BUDGET_EVERY = timedelta(minutes=15)
"""All of an objective's days are read so often, or while it burns; its rules need days only."""

_SEVERITY = {Loudness.PAGE: Severity.CRITICAL, Loudness.TICKET: Severity.WARNING}
_LEVEL = {None: 0.0, Loudness.TICKET: 1.0, Loudness.PAGE: 2.0}


async def look_at_objectives(
    business: Business, ledger: Ledger, rules: ObjectiveRules, now: datetime
) -> Look:
    """Judge every objective that is in force by what is in the ledger.

    It remembers nothing: a process that was killed and begins anew says the same.

    Args:
        business: Its services have objectives, and say where counters are read.
        ledger: Has what other looks measured.
        rules: Which objectives there are.
        now: The instant of the look.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    covered, unknown = set[str](), set[str]()
    signals, samples, missing = list[Signal](), list[Sample](), list[str]()
    for objective in objectives_in_force(business.services, rules):
        covered.add(objective.target)
        try:
            samples += await _read_counters(objective, business, ledger, now)
        except OrchestratorError as error:
            missing.append(f"{objective.name}: {error}")
            unknown.add(objective.target)
            continue
        traffic = await traffic_of(objective, ledger, _rules_need(objective), now)
        if is_stale(objective, traffic, now):
            unknown.add(objective.target)  # nobody looked: that nothing is wrong is not known
            continue
        burns = burning(objective, traffic, now)
        standing = None
        if loudest(burns) is not None or await _is_due(objective, ledger, now):
            all_days = await traffic_of(objective, ledger, span(objective), now)
            standing = stand(objective, all_days, now)
        samples += _samples(objective, burns, standing, now)
        if standing is not None:
            signals += _signals(objective, standing)
    return Look(
        part=PART,
        # What is told goes by the target: one that was not judged keeps what was said of it.
        covered=frozenset(covered - unknown),
        signals=tuple(signals),
        samples=tuple(samples),
        missing=tuple(missing),
    )


async def _read_counters(
    objective: Objective, business: Business, ledger: Ledger, now: datetime
) -> list[Sample]:
    source = objective.source
    if not isinstance(source, Requests):
        return []
    name = source.service or objective.target.removeprefix("service:")
    service = next((each for each in business.services if each.name == name), None)
    if service is None:
        raise ConfigurationError(
            f"no service {name!r} is configured, whose counters it goes by.",
            hint="Name it in the objective's source: service.",
        )
    kept = total_series(objective.name)
    known = (await ledger.samples.history([kept], now - AT_MOST, now))[kept]
    samples = await read_counters(
        service, objective.name, source, known[-1][0] if known else None, now
    )
    await ledger.samples.keep(samples)  # before it is judged: by them, too
    return samples


def _rules_need(objective: Objective) -> timedelta:
    return timedelta(seconds=longest_window(objective))


def _samples(
    objective: Objective,
    burns: tuple[Burning, ...],
    standing: ObjectiveStanding | None,
    now: datetime,
) -> list[Sample]:
    values = {"burning_level": _LEVEL[loudest(burns)], "burn_rate": burns[0].long_rate}
    if standing is not None and standing.budget_left is not None:
        values["budget_left_percent"] = 100 * standing.budget_left
    return [
        Sample(series=f"objective:{objective.name}/{what}", at=now, value=value)
        for what, value in values.items()
    ]


async def _is_due(objective: Objective, ledger: Ledger, now: datetime) -> bool:
    name = f"objective:{objective.name}/budget_left_percent"
    return not (await ledger.samples.history([name], now - BUDGET_EVERY, now))[name]


def _signals(objective: Objective, standing: ObjectiveStanding) -> list[Signal]:
    """A signal for a page, and one for a ticket: each ends by its own reset."""
    firing = [burn for burn in standing.burns if burn.fires]
    return [
        Signal(
            kind=KIND,
            subject=objective.target,
            key=f"{objective.name}/{loudness}",
            severity=severity,
            summary=told(standing),
            runbook=objective.runbook,
            evidence=_evidence(standing, [b for b in firing if b.rule.loudness is loudness]),
        )
        for loudness, severity in _SEVERITY.items()
        if any(burn.rule.loudness is loudness for burn in firing)
    ]


def _evidence(standing: ObjectiveStanding, firing: list[Burning]) -> dict[str, Any]:
    return {
        "objective": standing.name,
        "promised": standing.objective,
        "days": standing.days,
        "burning": [
            {
                "factor": burn.rule.factor,
                "long_window_s": burn.rule.long_seconds,
                "short_window_s": burn.rule.short_seconds,
                "long_burn_rate": round(burn.long_rate, 2),
                "short_burn_rate": round(burn.short_rate, 2),
            }
            for burn in firing
        ],
        "bad": standing.bad,
        "total": standing.total,
        "budget_left": standing.budget_left,
        "empty_at": standing.empty_at and standing.empty_at.isoformat(),
        "since": standing.since and standing.since.isoformat(),
    }
