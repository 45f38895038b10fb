"""Which service is slow, since when, by how much, and whether the slowness is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import AwareDatetime, Field

from agents.capability import ANYBODY, action
from agents.durations import RECENT, USUAL, CallDurations, compare_durations
from agents.sre_reliability.system_monitoring.metric_history import Unusual, find_unusual
from agents.sre_reliability.system_monitoring.own_history import History
from agents.sre_reliability.system_monitoring.services import watched_history
from blocks.business.business import Business
from blocks.business.services import MonitoredService, ServiceProbe
from blocks.errors import InvalidMessage
from blocks.formats.sample_times import has_stopped
from blocks.ledger import Ledger
from blocks.models import Frozen, Strict, read_as
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

PROBES = 7
GAP = 0.2  # seconds between probes of one service
UNANSWERED = 2
"""After so many probes without an answer a service is down, not slow: it is asked no further."""

HISTORY_HOURS = 7 * 24.0
MOST_CALLS = 2000
SLOW_CALL = 3.0  # robust standard deviations over the usual duration

Whose = Literal["service", "ours", "unclear", "nothing"]


class ServicePerformance(Strict):
    """One service, probed several times now.

    Attributes:
        name: Its name.
        probes: How often it was asked.
        answered: How often it answered.
        median_ms: Median latency of the answers.
        p95_ms: Their 95th percentile; of so few, near the slowest.
        budget_ms: What an answer may take.
        over_budget: Whether the median is over the budget, or no answer came.
        since: When a watched metric left its usual range, if it is still out of it.
        metrics: Watched metrics that are unusual, in words.
    """

    name: str
    probes: int
    answered: int
    median_ms: float | None
    p95_ms: float | None
    budget_ms: float
    over_budget: bool
    since: AwareDatetime | None = None
    metrics: list[str] = Field(default_factory=list)


class SlowCall(Strict):
    """One of our own actions that takes longer than usual, in ms."""

    called: str
    recent_ms: float
    usual_ms: float
    since: AwareDatetime | None


class PerformanceDiagnosis(Strict):
    """Where the slowness is.

    Attributes:
        summary: The diagnosis in one or two sentences.
        checked_at: When.
        whose: ``service``: the service itself is slow, others are not; ``ours``: most connections
            or our own calls are slow too, so rather our network or machine; ``unclear``: nothing
            to compare with; ``nothing``: nothing is slow.
        services: Those that were probed, most over budget first.
        own_calls: Our own actions that slowed down in the last hour.
        missing: What could not be had, and why.
        findings: What is wrong.
    """

    summary: str
    checked_at: AwareDatetime
    whose: Whose
    services: list[ServicePerformance]
    own_calls: list[SlowCall] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)


class _Connection(Frozen):
    name: str
    kind: str
    reached: bool
    latency_ms: float | None = None
    budget_ms: float

    @property
    def slow(self) -> bool:
        return not self.reached or (self.latency_ms or 0.0) > self.budget_ms


class _Context(Frozen):
    """What is read of integration-specialist.prepare_performance_context's result."""

    connections: list[_Connection] = Field(default_factory=list)


@action(timeout=90, retries=0, askers=ANYBODY)
async def analyze_performance(
    business: Business,
    ledger: Ledger,
    now: datetime,
    service: str | None = None,
    context: dict[str, Any] | None = None,
) -> PerformanceDiagnosis:
    """Say which service is slow now, since when, by how much, and whether the slowness is ours.

    Args:
        business: Whose services are probed.
        ledger: Knows how long our own calls take.
        now: The instant of the diagnosis.
        service: The service to look at; all when None.
        context: The result of integration-specialist.prepare_performance_context as JSON; without
            it nobody can tell whose fault it is.

    Raises:
        InvalidMessage: There is no such service, or ``context`` is something else.
        ConfigurationError: A service's address is unusable.
        LedgerUnavailable: The ledger cannot be read.
    """
    chosen = [s for s in business.services if service in (None, s.name)]
    if service is not None and not chosen:
        known = ", ".join(s.name for s in business.services) or "none"
        raise InvalidMessage(f"There is no service {service!r}.", hint=f"Configured: {known}.")
    others = [c for c in _read(context) if f"{c.kind}:{c.name}" not in _resources(chosen)]
    looks = await asyncio.gather(
        *(_look(each, now, business.timezone, ledger.samples.history) for each in chosen)
    )
    calls = await ledger.calls(since=now - RECENT - USUAL, limit=MOST_CALLS)
    durations = compare_durations(calls, now)
    missing = [note for _, notes in looks for note in notes]
    return judge([seen for seen, _ in looks], others, durations, missing, now)


def _read(context: Mapping[str, Any] | None) -> list[_Connection]:
    hint = "Hand over the result of integration-specialist.prepare_performance_context."
    return read_as(_Context, context or {}, "context", hint).connections


def _resources(services: Sequence[MonitoredService]) -> set[str]:
    return {f"service:{service.name}" for service in services}


async def _look(
    service: MonitoredService, now: datetime, zone: str, own: History
) -> tuple[ServicePerformance, list[str]]:
    """Probe a service several times, and read its metrics' history; and what could not be had."""
    probes, history = await asyncio.gather(
        _probe(service, now), watched_history(service, now, HISTORY_HOURS, own)
    )
    unusual: dict[str, Unusual] = {}
    missing = []
    for metric, series in history.items():
        if not isinstance(series, pd.DataFrame):
            missing.append(f"{service.name}/{metric}: {series}")
            continue
        if has_stopped(series["ts"], now):
            missing.append(f"{service.name}/{metric}: its samples have stopped")
        if found := await asyncio.to_thread(find_unusual, series, now, zone):
            unusual[metric] = found
    return measured(service, probes, unusual), missing


async def _probe(service: MonitoredService, now: datetime) -> list[ServiceProbe]:
    probes: list[ServiceProbe] = []
    while len(probes) < PROBES and sum(p.status is None for p in probes) < UNANSWERED:
        if probes:
            await asyncio.sleep(GAP)
        probes.append(await service.probe(now))
    return probes


def measured(
    service: MonitoredService, probes: Sequence[ServiceProbe], unusual: Mapping[str, Unusual]
) -> ServicePerformance:
    """What probes and unusual metrics say together."""
    latencies = [probe.latency_ms for probe in probes if probe.latency_ms is not None]
    middle = float(np.median(latencies)) if latencies else None
    ongoing = [each.started_at for each in unusual.values() if each.ongoing]
    return ServicePerformance(
        name=service.name,
        probes=len(probes),
        answered=len(latencies),
        median_ms=middle,
        p95_ms=float(np.percentile(latencies, 95)) if latencies else None,
        budget_ms=service.latency_budget_ms,
        over_budget=middle is None or middle > service.latency_budget_ms,
        since=min(ongoing, default=None),
        metrics=[f"{metric}: {each.difference}" for metric, each in unusual.items()],
    )


def judge(
    services: Sequence[ServicePerformance],
    others: Sequence[_Connection],
    durations: Sequence[CallDurations],
    missing: Sequence[str],
    now: datetime,
) -> PerformanceDiagnosis:
    """Whose the slowness is, from the services, the other connections and our own calls."""
    ranked = sorted(
        services, key=lambda s: (-((s.median_ms or float("inf")) / s.budget_ms), s.name)
    )
    slow = [each for each in ranked if each.over_budget]
    slowed = [each for each in durations if each.z > SLOW_CALL]
    whose = _whose(slow, others, durations, slowed)
    own = [
        SlowCall(
            called=each.called,
            recent_ms=each.recent_ms,
            usual_ms=each.usual_ms,
            since=each.first_slow_at,
        )
        for each in slowed
    ]
    told = "; ".join(map(_say, slow)) or "No service is over its latency budget"
    slow_others = sum(connection.slow for connection in others)
    why = {
        "service": f" {len(others) - slow_others} of {len(others)} other connections are in time, "
        "so the service itself is slow.",
        "ours": f" {slow_others} of {len(others)} other connections and {len(slowed)} of "
        f"{len(durations)} of our own actions are slow too: look at our network and machine first.",
        "unclear": " There is nothing to compare with, so nobody can tell whose fault it is.",
        "nothing": "",
    }[whose]
    return PerformanceDiagnosis(
        summary=f"{told}.{why}",
        checked_at=now,
        whose=whose,
        services=ranked,
        own_calls=own,
        missing=list(missing),
        findings=[*map(_service_finding, slow), *map(_call_finding, own)],
    )


def _whose(
    slow: Sequence[ServicePerformance],
    others: Sequence[_Connection],
    durations: Sequence[CallDurations],
    slowed: Sequence[CallDurations],
) -> Whose:
    """By majority: when half of what is not accused is slow too, it is not the accused alone."""
    if not slow:
        return "ours" if durations and 2 * len(slowed) > len(durations) else "nothing"
    if not others:
        return "unclear"
    return "ours" if 2 * sum(c.slow for c in others) >= len(others) else "service"


def _say(seen: ServicePerformance) -> str:
    since = f" since {seen.since:%Y-%m-%d %H:%M} UTC" if seen.since else ""
    if seen.median_ms is None:
        return f"{seen.name} answers none of {seen.probes} probes{since}"
    return (
        f"{seen.name} takes {seen.median_ms:.0f} ms (median of {seen.answered}), "
        f"{seen.median_ms / seen.budget_ms:.1f} times its budget{since}"
    )


def _service_finding(seen: ServicePerformance) -> Finding:
    down = seen.median_ms is None
    return Finding(
        kind="service-down" if down else "service-slow",
        resource=f"service:{seen.name}",
        severity=Severity.ERROR if down else Severity.WARNING,
        title=_say(seen),
        evidence=seen.model_dump(mode="json"),
        advice="See what it waits for: its database, another service, or the CPU.",
    )


def _call_finding(seen: SlowCall) -> Finding:
    return Finding(
        kind="call-slow",
        resource=f"action:{seen.called}",
        severity=Severity.WARNING,
        title=f"{seen.called} takes {seen.recent_ms:.0f} ms instead of {seen.usual_ms:.0f} ms",
        evidence=seen.model_dump(mode="json"),
        advice="See what it waits for: a connection, the database, or this machine.",
    )
