"""What has become slow, judged by the ledger alone: nothing is probed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from statistics import median
from typing import Any

from pydantic import AwareDatetime

from agents.capability import ANYBODY, action
from agents.data_intelligence.result import Result, count
from agents.durations import RECENT, USUAL, CallDurations, compare_durations
from blocks.business.business import Business
from blocks.errors import InvalidMessage
from blocks.ledger import CallRecord, Ledger
from blocks.models import Strict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

MOST_CALLS = 2000

SLOW = 3.0
"""Robust standard deviations above the usual median from which the last hour is slow."""


class CallLatency(Strict):
    """How long an action takes: the last hour's median against the week before, in ms."""

    called: str
    recent: int
    recent_ms: float
    usual: int
    usual_ms: float
    z: float
    slow: bool
    since: AwareDatetime | None = None


class MeasuredLatency(Strict):
    """A service's latency as recorded checks measured it; ``usual_ms`` is the earlier median."""

    service: str
    measured_at: AwareDatetime
    latency_ms: float
    usual_ms: float | None
    measurements: int
    budget_ms: float
    over_budget: bool


class LatencyHistory(Result):
    """What has become slow, as far as recorded calls tell.

    Attributes:
        summary: One sentence a manager understands.
        degraded: Always: nothing was probed, so what is slow now may not be in it.
        calls: The agents' actions, slowed down most first.
        services: Services that recorded checks measured, by name.
        judged: Calls that were looked at.
    """

    summary: str
    degraded: bool = True
    calls: list[CallLatency]
    services: list[MeasuredLatency]
    judged: int


@action(timeout=30, askers=ANYBODY)
async def analyze_latency_history(
    business: Business, ledger: Ledger, now: datetime, service: str | None = None
) -> LatencyHistory:
    """Judge by recorded calls alone what is slow: the last hour against the week before.

    Args:
        business: Whose services and budgets.
        ledger: Where the calls are.
        now: End of the last hour.
        service: The service to judge; all when None.

    Raises:
        InvalidMessage: There is no such service.
        LedgerUnavailable: The ledger cannot be read.
    """
    budgets = {s.name: s.latency_budget_ms for s in business.services}
    if service is not None and service not in budgets:
        raise InvalidMessage(
            f"There is no service {service!r}.",
            hint=f"Configured: {', '.join(budgets) or 'none'}.",
        )
    wanted = budgets if service is None else {service: budgets[service]}
    calls = await ledger.calls(since=now - RECENT - USUAL, limit=MOST_CALLS)
    return judge(calls, wanted, now)


def judge(calls: list[CallRecord], budgets: dict[str, float], now: datetime) -> LatencyHistory:
    """What the calls say of their own durations, and of services with these budgets (ms)."""
    own = [_own(each) for each in compare_durations(calls, now)]
    services = _measured(calls, budgets, now)
    slow_calls = [each for each in own if each.slow]
    slow_services = [each for each in services if each.over_budget]
    told = [
        f"{s.service} took {s.latency_ms:.0f} ms at {s.measured_at:%H:%M} UTC, "
        f"over its budget of {s.budget_ms:.0f} ms"
        for s in slow_services
    ]
    told += [
        f"{c.called} takes {c.recent_ms:.0f} ms instead of {c.usual_ms:.0f} ms"
        for c in slow_calls[:3]
    ]
    return LatencyHistory(
        summary=f"From {count(len(calls), 'recorded call')}, without probing: "
        f"{'; '.join(told) or 'nothing is slower than usual'}.",
        calls=own,
        services=services,
        judged=len(calls),
        findings=[*map(_service_finding, slow_services), *map(_call_finding, slow_calls)],
    )


def _own(each: CallDurations) -> CallLatency:
    return CallLatency(
        called=each.called,
        recent=each.recent,
        recent_ms=each.recent_ms,
        usual=each.usual,
        usual_ms=each.usual_ms,
        z=each.z,
        slow=each.z > SLOW,
        since=each.first_slow_at if each.z > SLOW else None,
    )


def _measured(
    calls: Iterable[CallRecord], budgets: dict[str, float], now: datetime
) -> list[MeasuredLatency]:
    """Each service's newest measurement against the median of those before."""
    series: dict[str, list[tuple[datetime, float]]] = {}
    for call in calls:
        if call.sent_at <= now:
            for name, latency_ms in _latencies(call):
                series.setdefault(name, []).append((call.sent_at, latency_ms))
    found = []
    for name in sorted(series.keys() & budgets.keys()):
        *earlier, (at, latest) = sorted(series[name])
        found.append(
            MeasuredLatency(
                service=name,
                measured_at=at,
                latency_ms=latest,
                usual_ms=median(ms for _, ms in earlier) if earlier else None,
                measurements=len(series[name]),
                budget_ms=budgets[name],
                over_budget=latest > budgets[name],
            )
        )
    return found


def _latencies(call: CallRecord) -> Iterator[tuple[str, float]]:
    """Latencies of services that a recorded health or connection check tells."""
    result: Any = (call.reply or {}).get("result")
    if not isinstance(result, dict):
        return
    listed = [*_rows(result.get("services")), *_rows(result.get("checks"))]
    for row in listed:
        if row.get("kind", "service") == "service" and row.get("latency_ms") is not None:
            yield str(row.get("name")), float(row["latency_ms"])


def _rows(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else []  # a large reply is kept as its outline only


def _service_finding(seen: MeasuredLatency) -> Finding:
    return Finding(
        kind="service-slow",
        resource=f"service:{seen.service}",
        severity=Severity.WARNING,
        title=f"{seen.service} took {seen.latency_ms:.0f} ms when it was last measured, "
        f"{seen.latency_ms / seen.budget_ms:.1f} times its budget",
        evidence=seen.model_dump(mode="json"),
        advice="Probe it as soon as that is possible: this is no measurement of now.",
    )


def _call_finding(seen: CallLatency) -> Finding:
    return Finding(
        kind="call-slow",
        resource=f"action:{seen.called}",
        severity=Severity.WARNING,
        title=f"{seen.called} takes {seen.recent_ms / max(seen.usual_ms, 1.0):.1f} times as long "
        "as usual",
        evidence=seen.model_dump(mode="json"),
        advice="See what it waits for: a connection, the database, or this machine.",
    )
