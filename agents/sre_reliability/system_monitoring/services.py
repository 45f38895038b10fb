"""Looks at the services a business depends on: health, metrics, and the metrics' last days."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import pandas as pd

from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from agents.sre_reliability.system_monitoring.metric_history import Unusual, find_unusual
from blocks.errors import OrchestratorError, SourceError, SourceGarbled
from blocks.findings import Finding, Remedy
from blocks.messages import Severity
from blocks.services import MonitoredService, ServiceProbe

CONFIRMATIONS = 2
"""A service that looks ill is asked so many times more: one bad answer is not an outage."""

CONFIRMATION_GAP = 0.3  # seconds

HISTORY_STEP = timedelta(minutes=5)

VITAL_SHARE = 0.25
"""From this share of revenue on, a service that is out is critical."""

_SEVERITY = {
    "down": Severity.ERROR,
    "failing": Severity.ERROR,
    "garbled": Severity.ERROR,
    "slow": Severity.WARNING,
}
_TITLE = {
    "down": "{name} does not answer",
    "failing": "{name} answers with errors",
    "garbled": "{name} answers something it should not",
    "slow": "{name} takes {latency:.0f} ms to answer, {times:.1f} times its budget",
}


@dataclass(frozen=True)
class Look:
    """One look at a service: its health endpoint, and its metrics if it has any.

    ``condition`` is a ServiceHealth.status; ``detail`` says what is wrong, in words.
    """

    condition: str
    probe: ServiceProbe
    detail: str
    metrics: dict[str, float]

    @property
    def good(self) -> bool:
        """Whether it answered as it should."""
        return self.condition == "ok"


async def look_at(service: MonitoredService, now: datetime) -> Look:
    """Look once.

    Raises:
        ConfigurationError: One of its addresses is unusable.
    """
    probe = await service.probe(now)
    condition = _condition(probe)
    if not probe.healthy:
        return Look(condition, probe, probe.detail, {})
    detail = "over its latency budget" if probe.slow else ""
    try:
        return Look(condition, probe, detail, await service.scrape())
    except SourceGarbled as error:
        # A web page with status 200 passes for a healthy answer; as metrics it is nonsense.
        return Look("garbled", probe, error.what, {})
    except SourceError as error:
        return Look(condition, probe, f"{detail} {error.what}".strip(), {})


async def check_service(
    service: MonitoredService, now: datetime
) -> tuple[ServiceHealth, list[Finding]]:
    """How a service is. It is only called ill when most of three looks agree.

    Raises:
        ConfigurationError: One of its addresses is unusable.
    """
    looks = [await look_at(service, now)]
    if not looks[0].good:
        await asyncio.sleep(CONFIRMATION_GAP)
        looks += await asyncio.gather(*(look_at(service, now) for _ in range(CONFIRMATIONS)))
    health = _summarise(service, looks)
    return health, [] if health.healthy else [_finding(service, health, looks)]


def _condition(probe: ServiceProbe) -> str:
    if probe.healthy:
        return "slow" if probe.slow else "ok"
    if probe.status is not None:
        return "failing"
    return "garbled" if probe.error == SourceGarbled("").code else "down"


def remedy_for(service: MonitoredService) -> Remedy | None:
    """A restart, where one is configured."""
    if not service.restart:
        return None
    return Remedy(
        agent="sre-reliability", action="restart_service", params={"service": service.name}
    )


async def watched_history(
    service: MonitoredService, now: datetime, hours: float
) -> dict[str, pd.DataFrame | OrchestratorError]:
    """The last hours of each metric the service is watched by, or why it could not be had."""
    if not service.history_url:
        return {}
    answers = await asyncio.gather(
        *(
            service.history(metric, now - timedelta(hours=hours), now, HISTORY_STEP)
            for metric in service.metrics
        ),
        return_exceptions=True,
    )
    series: dict[str, pd.DataFrame | OrchestratorError] = {}
    for metric, answer in zip(service.metrics, answers, strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, OrchestratorError):
            raise answer
        series[metric] = answer
    return series


def anomaly(service: MonitoredService, metric: str, series: pd.DataFrame) -> Finding | None:
    """A finding when the metric's last day is unlike its days before."""
    unusual = find_unusual(series)
    if unusual is None:
        return None
    return Finding(
        kind="metric-anomaly",
        resource=f"metric:{service.name}/{metric}",
        severity=Severity.WARNING if unusual.ongoing else Severity.INFO,
        title=_say(service, metric, unusual),
        evidence={
            "value": round(unusual.value, 4),
            "expected": round(unusual.expected, 4),
            "robust_z": round(unusual.z, 1),
            "from": unusual.started_at.isoformat(),
            "to": unusual.ended_at.isoformat(),
            "ongoing": unusual.ongoing,
        },
        revenue_share=service.revenue_share,
        advice="Compare with deployments and traffic of that time.",
    )


def _say(service: MonitoredService, metric: str, unusual: Unusual) -> str:
    which = "above" if unusual.z > 0 else "below"
    when = f"since {unusual.started_at:%H:%M} UTC" if unusual.ongoing else "within the last day"
    return (
        f"{metric} of {service.name} was far {which} its usual level {when} ({unusual.difference})"
    )


def _summarise(service: MonitoredService, looks: Sequence[Look]) -> ServiceHealth:
    # The most frequent condition; among equally frequent ones the one seen last.
    conditions = [look.condition for look in looks]
    verdict = max(reversed(conditions), key=conditions.count)
    typical = next(look for look in reversed(looks) if look.condition == verdict)
    latencies = [look.probe.latency_ms for look in looks if look.probe.latency_ms is not None]
    detail = typical.detail
    if verdict == "ok" and not looks[0].good:
        detail = f"1 of {len(looks)} looks failed: {looks[0].detail}"
    return ServiceHealth.model_validate(
        {
            "name": service.name,
            "healthy": verdict == "ok",
            "status": verdict,
            "http_status": typical.probe.status,
            "latency_ms": median(latencies) if latencies else None,
            "budget_ms": service.latency_budget_ms,
            "detail": detail,
            "metrics": typical.metrics,
            "revenue_share": service.revenue_share,
            "restartable": bool(service.restart),
            "clock_skew_s": typical.probe.clock_skew_s,
        }
    )


def _finding(service: MonitoredService, health: ServiceHealth, looks: Sequence[Look]) -> Finding:
    severity = _SEVERITY[health.status]
    if health.status != "slow" and health.revenue_share >= VITAL_SHARE:
        severity = Severity.CRITICAL
    latency, remedy = health.latency_ms or 0.0, remedy_for(service)
    return Finding(
        kind=f"service-{health.status}",
        resource=f"service:{health.name}",
        severity=severity,
        title=_TITLE[health.status].format(
            name=health.name, latency=latency, times=latency / health.budget_ms
        ),
        evidence={
            "detail": health.detail,
            "http_status": health.http_status,
            "latency_ms": health.latency_ms,
            "budget_ms": health.budget_ms,
            "looks": len(looks),
            "bad_looks": sum(not look.good for look in looks),
        },
        revenue_share=service.revenue_share,
        advice=(
            "If restarting does not help, see its log and what it depends on."
            if remedy
            else "Restart it, or configure a restart command so that it can be done for you."
        ),
        remedy=remedy,
    )
