"""Looks at the services a business depends on: health, metrics, and the metrics' last days."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

import pandas as pd

from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from agents.sre_reliability.system_monitoring.metric_history import Unusual, find_unusual
from agents.sre_reliability.system_monitoring.own_history import History, own_history
from blocks.business.services import MonitoredService, ServiceProbe
from blocks.errors import OrchestratorError, SourceGarbled
from blocks.formats.sample_times import has_stopped
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity

CONFIRMATIONS = 2
"""A service that looks ill is asked so many times more: one bad answer is not an outage."""

CONFIRMATION_GAP = 0.3  # seconds

HISTORY_STEP = timedelta(minutes=5)

RATE_WINDOW = "10m"
"""Two steps: of a counter that is read each minute or two, four readings and more."""

_COUNTER = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*_total\s*(\{.*\})?")

STOPPED = "metric-stopped"
"""Kind of the finding about a watched metric of which no samples come any more."""

VITAL_SHARE = 0.25
"""From this share of revenue on, a service that is out is critical."""

ILL = frozenset({"down", "failing", "garbled"})
"""Conditions in which a service does not do its work. Its metrics have no say in them."""

_SEVERITY = {
    "down": Severity.ERROR,
    "failing": Severity.ERROR,
    "garbled": Severity.ERROR,
    "degraded": Severity.WARNING,
    "slow": Severity.WARNING,
}
_TITLE = {
    "down": "{name} does not answer",
    "failing": "{name} answers with errors",
    "garbled": "{name} answers something it should not",
    "degraded": "{name} is not quite well: {detail}",
    "slow": "{name} takes {latency:.0f} ms to answer, {times:.1f} times its budget",
}
_CALLS_ITSELF_ILL = "{name} calls itself ill: {detail}"
_ADVICE = {
    "garbled": "See what it is that answers at its health_url; it does not speak HTTP.",
    "degraded": "See its log and what it depends on. It is not restarted while it can work.",
    "slow": "See what it waits for: its database, another service, or the CPU. It is not restarted "
    "for that; whether it should be is for a person to say.",
}


@dataclass(frozen=True)
class Look:
    """One look at a service's health endpoint.

    ``condition`` is a ServiceHealth.status; ``detail`` says what is wrong, in words.
    """

    condition: str
    probe: ServiceProbe
    detail: str

    @property
    def good(self) -> bool:
        """Whether it does its work, be it slowly or with a complaint."""
        return self.condition not in ILL


async def look_at(service: MonitoredService, now: datetime) -> Look:
    """Look once.

    Raises:
        ConfigurationError: Its health_url is unusable.
    """
    probe = await service.probe(now)
    slow = "over its latency budget" if probe.healthy and probe.slow else ""
    return Look(_condition(probe), probe, "; ".join(filter(None, [probe.detail, slow])))


async def judge_service(
    service: MonitoredService, now: datetime, *, confirm_after: float = CONFIRMATION_GAP
) -> tuple[ServiceHealth, Finding | None]:
    """How a service is, without its metrics. It is only called ill when most of three looks agree.

    Args:
        service: Who is looked at.
        now: The instant of the look.
        confirm_after: Seconds between a first look that is not good and the two that confirm it.

    Raises:
        ConfigurationError: Its health_url is unusable.
    """
    looks = [await look_at(service, now)]
    if looks[0].condition != "ok":
        await asyncio.sleep(confirm_after)
        looks += await asyncio.gather(*(look_at(service, now) for _ in range(CONFIRMATIONS)))
    health = _summarise(service, looks)
    return health, None if health.healthy else _finding(service, health, looks)


async def check_service(
    service: MonitoredService, now: datetime
) -> tuple[ServiceHealth, list[Finding]]:
    """How a service is, and its metrics.

    Metrics are read of a service that works, and never make it ill: what is wrong with them is a
    finding of its own, after the one about the service.

    Raises:
        ConfigurationError: Its health_url is unusable.
    """
    health, finding = await judge_service(service, now)
    findings = [finding] if finding else []
    if health.status in ILL:
        return health, findings
    samples, unread = await _read_metrics(service)
    detail = "; ".join([*filter(None, [health.detail]), *(finding.title for finding in unread)])
    return health.model_copy(update={"metrics": samples, "detail": detail}), findings + unread


def _condition(probe: ServiceProbe) -> str:
    if probe.healthy:
        return "degraded" if probe.degraded else "slow" if probe.slow else "ok"
    if probe.status is not None:
        return "failing"
    return "garbled" if probe.error == SourceGarbled("").code else "down"


async def _read_metrics(service: MonitoredService) -> tuple[dict[str, float], list[Finding]]:
    """The service's samples now, and a warning when they, or some of them, cannot be read."""
    try:
        seen = await service.scrape()
        samples, hint = seen.samples, "Correct what writes that line."
        problem = seen.problem and f"the metrics of {service.name}: {seen.problem}"
    except OrchestratorError as error:
        samples, problem, hint = {}, error.what, error.hint
    if not problem:
        return samples, []
    unreadable = Finding(
        kind="metrics-unreadable",
        resource=f"service:{service.name}",
        severity=Severity.WARNING,
        title=f"{'Some metrics' if samples else 'Metrics'} cannot be read: {problem.rstrip('.')}",
        evidence={"detail": problem, "samples": len(samples)},
        advice=f"{hint} This says nothing about how the service is.".strip(),
    )
    return samples, [unreadable]


def _restart_of(service: MonitoredService, health: ServiceHealth) -> Remedy | None:
    """A restart, where one is configured and can help.

    It can when no answer came, or one of an ill service. It changes nothing about an address that
    leads elsewhere or is refused (HTTP 3xx, 4xx), and must not be tried for slowness.
    """
    elsewhere = health.http_status is not None and 300 <= health.http_status < 500
    if not service.restart or health.status not in {"down", "failing"} or elsewhere:
        return None
    return Remedy(
        agent="sre-reliability", action="restart_service", params={"service": service.name}
    )


async def watched_history(
    service: MonitoredService, now: datetime, hours: float, own: History | None = None
) -> dict[str, pd.DataFrame | OrchestratorError]:
    """The last hours of each metric the service is watched by, or why it could not be had.

    Args:
        service: Whose metrics.
        now: The end.
        hours: How far back.
        own: Reads the samples of our own looks, for a service without a Prometheus.
    """
    if not service.history_url:
        kept = await own_history(service, own, now, hours, HISTORY_STEP) if own else {}
        return dict(kept)
    answers = await asyncio.gather(
        *(
            service.history(promql(metric), now - timedelta(hours=hours), now, HISTORY_STEP)
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


def promql(metric: str) -> str:
    """What Prometheus is asked: of what counts, its rate.

    A counter begins at 0 with each start of its service, and else only rises: neither is news.
    """
    counts = _COUNTER.fullmatch(metric.strip())
    return f"rate({metric.strip()}[{RATE_WINDOW}])" if counts else metric


def metric_findings(
    service: MonitoredService, metric: str, series: pd.DataFrame, now: datetime, zone: str
) -> list[Finding]:
    """Findings when a metric has stopped, or when its last day is unlike its days before.

    Args:
        service: Whose metric.
        metric: Its name.
        series: Its history up to now, of contract SERIES.
        now: End of the last day.
        zone: IANA zone whose clock the business keeps.
    """
    unusual = find_unusual(series, now, zone)
    # Of what our own looks keep, they alone know whether it stopped or nobody looked.
    ends = bool(service.history_url) and has_stopped(series["ts"], now)
    found = [stopped(service, metric, series)] if ends else []
    return found + ([_anomaly(service, metric, unusual)] if unusual else [])


def stopped(service: MonitoredService, metric: str, series: pd.DataFrame) -> Finding:
    """That no samples of a metric come any more, of which ``series`` are the last."""
    last = None if series.empty else series["ts"].max().to_pydatetime()
    since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "in all the time looked at"
    return Finding(
        kind=STOPPED,
        resource=f"metric:{service.name}/{metric}",
        severity=Severity.WARNING,
        title=f"{metric} of {service.name}: no sample {since}",
        evidence={"last_sample_at": last and last.isoformat(), "samples": len(series)},
        advice="See whether the service still exposes it under this name, and whether Prometheus "
        "still collects it. Until then nobody watches it.",
    )


def _anomaly(service: MonitoredService, metric: str, unusual: Unusual) -> Finding:
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
    since = f"since {unusual.started_at:%Y-%m-%d %H:%M} UTC"  # the hour alone may be yesterday's
    when = since if unusual.ongoing else "within the last day"
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
    if verdict == "ok" and looks[0].condition != "ok":
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
            "revenue_share": service.revenue_share,
            "restartable": bool(service.restart),
            "clock_skew_s": typical.probe.clock_skew_s,
        }
    )


def _finding(service: MonitoredService, health: ServiceHealth, looks: Sequence[Look]) -> Finding:
    severity = _SEVERITY[health.status]
    if health.status in ILL and health.revenue_share >= VITAL_SHARE:
        severity = Severity.CRITICAL
    own_word = health.status == "failing" and (health.http_status or 0) < 300
    title = _CALLS_ITSELF_ILL if own_word else _TITLE[health.status]
    latency, remedy = health.latency_ms or 0.0, _restart_of(service, health)
    return Finding(
        kind=f"service-{health.status}",
        resource=f"service:{health.name}",
        severity=severity,
        title=title.format(
            name=health.name,
            detail=health.detail,
            latency=latency,
            times=latency / health.budget_ms,
        ),
        evidence={
            "detail": health.detail,
            "http_status": health.http_status,
            "latency_ms": health.latency_ms,
            "budget_ms": health.budget_ms,
            "looks": len(looks),
            "bad_looks": sum(look.condition != "ok" for look in looks),
        },
        revenue_share=service.revenue_share,
        advice=_ADVICE.get(health.status) or _advice(service, remedy),
        remedy=remedy,
    )


def _advice(service: MonitoredService, remedy: Remedy | None) -> str:
    if remedy:
        return "If restarting does not help, see its log and what it depends on."
    if service.restart:
        return "Check its health_url; a restart does not change how that address is answered."
    return "Restart it, or configure a restart command so that it can be done for you."
