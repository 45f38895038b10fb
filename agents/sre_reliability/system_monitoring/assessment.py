"""What a health check finds: one frozen model, from single readings up to a score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import AwareDatetime, Field

from blocks.models import Strict
from blocks.prefect_api.client import PrefectHealth
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

PENALTY = {
    Severity.INFO: 0.0,
    Severity.WARNING: 5.0,
    Severity.ERROR: 15.0,
    Severity.CRITICAL: 40.0,
}
"""Points that one finding takes from a score of 100."""


class ServiceHealth(Strict):
    """One monitored service as it answered.

    Attributes:
        name: The service's name.
        healthy: Whether ``status`` is ``ok``.
        status: ``down``: no answer; ``failing``: answers an error or calls itself ill;
            ``garbled``: what answers does not speak HTTP; ``degraded``: it works but complains,
            for instance ``yellow``; ``slow``: over its latency budget; ``unknown``: could not be
            checked. Metrics that cannot be read change nothing in it.
        http_status: Status code of the health endpoint; None when no answer came.
        latency_ms: Time to answer, the median when it was asked more than once.
        budget_ms: What it may take.
        detail: What is wrong, in words, also with its metrics.
        metrics: Sample as its metrics endpoint writes it to its current value.
        revenue_share: Share of revenue (0 to 1) that stops when it stops.
        restartable: Whether a restart command is configured.
        clock_skew_s: Its clock minus ours.
    """

    name: str
    healthy: bool
    status: Literal["ok", "degraded", "slow", "failing", "garbled", "down", "unknown"]
    http_status: int | None = None
    latency_ms: float | None = None
    budget_ms: float
    detail: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    revenue_share: float = 0.0
    restartable: bool = False
    clock_skew_s: float | None = None


class HostHealth(Strict):
    """The machine that we run on. Sizes are in GB (10⁹ bytes), shares in percent.

    ``load_per_cpu`` is the 5-minute load average over the number of CPUs; None where the system
    has none. The disk is the one that the ledger (in a quick check: the state folder) lies on.
    ``serves`` tells a machine that a worker does our work on from one where somebody merely typed a
    command. ``disk_percent`` and ``inodes_percent`` are what is used of all that a user may use,
    ``files_percent`` what this process has open of the files that it may open,
    ``cpu_steal_percent`` what the hypervisor gave to other machines. What a system does not tell
    is None.
    """

    name: str = ""
    serves: bool = True
    cpus: int
    cpu_percent: float
    load_per_cpu: float | None
    memory_total_gb: float
    memory_available_gb: float
    swap_percent: float
    disk_path: str
    disk_total_gb: float
    disk_free_gb: float
    disk_percent: float | None = None
    inodes_percent: float | None = None
    files_percent: float | None = None
    cpu_steal_percent: float | None = None
    clock_skew_s: float | None = None

    @property
    def memory_percent(self) -> float:
        """What is used of the memory and cannot be had back at once."""
        return 100 * (1 - self.memory_available_gb / self.memory_total_gb)


class DatabaseHealth(Strict):
    """The store's database, our ledger and Prefect's own database, sizes in MB (10⁶ bytes).

    None where it was not, or could not be, measured. ``prefect_growth_mb`` is per day, over the
    last week; ``prefect_locked`` counts the last day.
    """

    store_latency_ms: float | None = None
    store_clock_skew_s: float | None = None
    ledger_writable: bool | None = None
    ledger_latency_ms: float | None = None
    ledger_schema: str | None = None
    ledger_size_mb: float | None = None
    prefect_size_mb: float | None = None
    prefect_growth_mb: float | None = None
    prefect_locked: int | None = None


class HealthAssessment(Strict):
    """How the business's services and our own platform are.

    Attributes:
        checked_at: When.
        status: ``critical`` with a critical finding, else ``degraded`` with an error or a
            warning, else ``healthy``.
        score: 100 minus the PENALTY of every finding (info 0, warning 5, error 15,
            critical 40), at least 0. Findings about one service weigh by its revenue share:
            half the penalty for share 0, all of it for share 1.
        services: One entry per configured service.
        host: The machine; None in a quick check that could not read it.
        database: Store and ledger; None in a quick check.
        prefect: Prefect itself; None in a quick check or when it did not answer.
        missing: What could not be looked at, and why.
        findings: What is wrong or worth knowing, worst first.
    """

    checked_at: AwareDatetime
    status: Literal["healthy", "degraded", "critical"]
    score: float = Field(ge=0, le=100)
    services: list[ServiceHealth] = Field(default_factory=list)
    host: HostHealth | None = None
    database: DatabaseHealth | None = None
    prefect: PrefectHealth | None = None
    missing: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)


def score(findings: Iterable[Finding]) -> float:
    """0 to 100, as HealthAssessment.score says."""
    lost = 0.0
    for finding in findings:
        weight = 1.0 if finding.revenue_share is None else 0.5 + 0.5 * finding.revenue_share
        lost += PENALTY[finding.severity] * weight
    return round(max(0.0, 100.0 - lost), 1)


def status(findings: Iterable[Finding]) -> Literal["healthy", "degraded", "critical"]:
    """The word for the worst finding, as HealthAssessment.status says."""
    worst = max((finding.severity for finding in findings), default=Severity.INFO)
    if worst is Severity.CRITICAL:
        return "critical"
    return "degraded" if worst >= Severity.WARNING else "healthy"


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """By severity, then by the revenue that depends on it, then by name."""
    return sorted(
        findings, key=lambda f: (-f.severity.rank, -(f.revenue_share or 0.0), f.fingerprint)
    )
