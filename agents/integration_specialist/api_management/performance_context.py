"""How fast every connection answers now: what a diagnosis of slowness is held against."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from agents.integration_specialist.api_management.report import IntegrationReport
from blocks.business.business import Business
from blocks.business.connections import Kind, connections_of
from blocks.models import Strict
from blocks.vocabulary.findings import Finding


class ConnectionLatency(Strict):
    """One connection as it answers now; None where it did not."""

    name: str
    kind: Kind
    reached: bool
    latency_ms: float | None
    budget_ms: float
    clock_skew_s: float | None

    @property
    def slow(self) -> bool:
        """Whether it did not answer within its budget."""
        return not self.reached or (self.latency_ms or 0.0) > self.budget_ms


class PerformanceContext(Strict):
    """Latency and clock of every connection at one instant.

    Attributes:
        summary: One sentence a manager understands.
        prepared_at: When.
        connections: All of them.
        findings: What is wrong with connections to the store and the suppliers.
    """

    summary: str
    prepared_at: AwareDatetime
    connections: list[ConnectionLatency]
    findings: list[Finding] = Field(default_factory=list)


def context_of(report: IntegrationReport, business: Business, now: datetime) -> PerformanceContext:
    """A quick check of all connections, as context."""
    budgets = {connection.resource: connection.budget_ms for connection in connections_of(business)}
    seen = [
        ConnectionLatency(
            name=check.name,
            kind=check.kind,
            reached=check.reached,
            latency_ms=check.latency_ms,
            budget_ms=budgets[f"{check.kind}:{check.name}"],
            clock_skew_s=check.clock_skew_s,
        )
        for check in report.checks
    ]
    slow = [each.name for each in seen if each.slow]
    return PerformanceContext(
        summary=f"{len(seen) - len(slow)} of {len(seen)} connections answer within their budget"
        + (f"; not {', '.join(slow)}." if slow else "."),
        prepared_at=now,
        connections=seen,
        findings=report.findings,
    )
