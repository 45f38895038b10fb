"""Services and connections: what their slowness costs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from agents.sre_reliability.performance_optimization.insights import Connection, Integrations
from agents.sre_reliability.performance_optimization.proposal import Proposal
from agents.sre_reliability.system_monitoring.assessment import ServiceHealth
from blocks.business.business import Business

LOSS_PER_100_MS = 0.01
"""Share of revenue lost per 100 ms of delay (G. Linden's A/B tests at Amazon, 2006). Later retail
studies found more; it is capped at LARGEST_LOSS because nobody measured it for long delays."""

LARGEST_LOSS = 0.10

NOTABLE_LATENCY_MS = 500.0
TIGHT_TIMEOUT = 0.5
"""Share of its timeout from which a supplier's answer is called close to it."""


def speed_up_services(
    services: Iterable[ServiceHealth], revenue_per_day: float | None, currency: str
) -> list[Proposal]:
    """Bring services that are over their latency budget back into it."""
    return [
        _speed_up(service, revenue_per_day, currency)
        for service in services
        if service.status in ("slow", "degraded") and (service.latency_ms or 0) > service.budget_ms
    ]


def tune_connections(integrations: Integrations, business: Business) -> list[Proposal]:
    """The connection that a run waits for alone, and timeouts that leave no room."""
    known = [c for c in integrations.checks if c.latency_ms is not None and c.kind != "service"]
    ranked = sorted(known, key=lambda c: -(c.latency_ms or 0.0))
    proposals = []
    if len(ranked) > 1:
        slowest, next_one = ranked[0].latency_ms or 0.0, ranked[1].latency_ms or 0.0
        if slowest - next_one >= NOTABLE_LATENCY_MS:
            proposals.append(_slowest_connection(ranked[0], next_one))
    latency = {c.name: c.latency_ms or 0.0 for c in known}
    for supplier in business.suppliers:
        used = latency.get(supplier.name, 0.0) / (supplier.timeout * 1000)
        if used >= TIGHT_TIMEOUT:
            proposals.append(
                _raise_timeout(supplier.name, latency[supplier.name], supplier.timeout)
            )
    return proposals


def _speed_up(service: ServiceHealth, revenue_per_day: float | None, currency: str) -> Proposal:
    over = (service.latency_ms or 0.0) - service.budget_ms
    money = None
    if revenue_per_day and service.revenue_share:
        loss = min(LOSS_PER_100_MS * over / 100, LARGEST_LOSS)
        money = revenue_per_day * service.revenue_share * loss
    return Proposal(
        title=f"Bring {service.name} back within {service.budget_ms:.0f} ms",
        kind="service-latency",
        resource=f"service:{service.name}",
        expected_benefit=over if money is None else money,
        unit="ms/request" if money is None else f"{currency}/day",
        confidence="high" if money is None else "low",
        confidence_reason="Measured just now."
        if money is None
        else f"The delay is measured; that {LOSS_PER_100_MS:.0%} of revenue is lost per 100 ms is "
        "other shops' experience.",
        evidence={
            "latency_ms": service.latency_ms,
            "budget_ms": service.budget_ms,
            "revenue_share": service.revenue_share,
            "revenue_per_day": revenue_per_day,
        },
        effort="days",
        how="See what it waits for: its database, another service, or the CPU.",
    )


def _slowest_connection(connection: Connection, next_one: float) -> Proposal:
    slowest = connection.latency_ms or 0.0
    return Proposal(
        title=f"Every run waits {slowest - next_one:.0f} ms for {connection.name} alone",
        kind="slow-connection",
        resource=f"{connection.kind}:{connection.name}",
        expected_benefit=slowest - next_one,
        unit="ms/run",
        confidence="medium",
        confidence_reason="Measured once; connections are asked side by side, so the slowest "
        "decides.",
        evidence={"latency_ms": slowest, "next_slowest_ms": next_one},
        effort="hours",
        how="Ask for less (a narrower path or query), ask the partner, or fetch it ahead of time.",
    )


def _raise_timeout(name: str, latency_ms: float, timeout: float) -> Proposal:
    share = latency_ms / 1000 / timeout
    return Proposal(
        title=f"Raise the timeout of {name}: its answers take {share:.0%} of it",
        kind="timeout-margin",
        resource=f"supplier:{name}",
        expected_benefit=0.0,
        unit="ms/run",
        confidence="medium",
        confidence_reason="Measured once; what it prevents is a lost answer, not time.",
        evidence={"latency_ms": latency_ms, "timeout_s": timeout},
        effort="minutes",
        how=f"Set its timeout to about {math.ceil(latency_ms / 1000 * 4)} s.",
    )
