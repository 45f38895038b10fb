"""The services, looked at all the time: what is ill is told, and every look leaves its samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from agents.sre_reliability.system_monitoring.services import ILL, judge_service
from blocks.business.services import MonitoredService
from blocks.errors import OrchestratorError
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.looks import Look, Sample, Signal

PART = "services"

AT_ONCE = 200
"""Services that are looked at at once; one that is confirmed to be ill is asked twice at a time."""

ILLNESS, COMPLAINT = "service.ill", "service.degraded"
"""What is told of services. One kind for all that keeps a service from its work, so that an outage
in which it first hangs and then answers errors is one. Slowness is told by those who know what is
usual."""


async def look_at_services(
    services: Sequence[MonitoredService], now: datetime, *, confirm_after: float
) -> Look:
    """Look at the health of every service, side by side.

    Args:
        services: Who is looked at.
        now: The instant of the look.
        confirm_after: Seconds after which one that looks ill is looked at twice more; it is only
            called ill when most of the three looks agree.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def judged(service: MonitoredService) -> tuple[ServiceHealth, Finding | None] | str:
        async with turns:
            return await _judge(service, now, confirm_after)

    seen = await asyncio.gather(*map(judged, services))
    known = [one for one in seen if not isinstance(one, str)]
    return Look(
        part=PART,
        covered=frozenset(_subject(health) for health, _ in known),
        signals=tuple(
            _signal(health, finding)
            for health, finding in known
            if finding is not None and health.status != "slow"
        ),
        samples=tuple(sample for health, _ in known for sample in _samples(health, now)),
        missing=tuple(one for one in seen if isinstance(one, str)),
    )


async def _judge(
    service: MonitoredService, now: datetime, confirm_after: float
) -> tuple[ServiceHealth, Finding | None] | str:
    """How it is, and what is wrong with it; or why it cannot be looked at."""
    try:
        return await judge_service(service, now, confirm_after=confirm_after)
    except OrchestratorError as error:
        return f"service:{service.name}: {error}"


def _subject(health: ServiceHealth) -> str:
    return f"service:{health.name}"


def _signal(health: ServiceHealth, finding: Finding) -> Signal:
    return Signal(
        kind=ILLNESS if health.status in ILL else COMPLAINT,
        subject=finding.resource,
        severity=finding.severity,
        summary=f"{finding.title}.",
        runbook=finding.advice,
        evidence=finding.evidence,
    )


def _samples(health: ServiceHealth, now: datetime) -> list[Sample]:
    values = {"up": 0.0 if health.status in ILL else 1.0, "latency_ms": health.latency_ms}
    return [
        Sample(series=f"{_subject(health)}/{what}", at=now, value=value)
        for what, value in values.items()
        if value is not None
    ]
