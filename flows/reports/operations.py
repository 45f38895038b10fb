"""Sections about connections, systems and proposals."""

from __future__ import annotations

from agents.integration_specialist.api_management.report import IntegrationReport
from agents.sre_reliability.performance_optimization import OptimizationPlan
from agents.sre_reliability.system_monitoring.assessment import HealthAssessment
from blocks.ledger.receipts.signing import Head
from flows.reports.model import Cell, Section, Table, money


def connections(report: IntegrationReport) -> Section:
    """Each connection: reached, authenticated, in shape, how fast, how far its clock is off."""
    return Section(
        title="Connections",
        text=connections_headline(report),
        tables=[
            Table(
                columns=[
                    "Connection",
                    "Kind",
                    "Reached",
                    "Admitted",
                    "Shape",
                    "ms",
                    "Clock",
                    "Note",
                ],
                rows=[
                    [
                        check.name,
                        check.kind,
                        _tick(check.reached),
                        _tick(check.authenticated),
                        _tick(check.shape_ok),
                        None if check.latency_ms is None else round(check.latency_ms),
                        _clock(check.clock_skew_s),
                        check.detail,
                    ]
                    for check in report.checks
                ],
            )
        ],
    )


def decisions(head: Head) -> Section:
    """The end of the chain of receipts, out of the reach of whoever alters the ledger."""
    return Section(
        title="Record of decisions",
        text=f"The last of {head.seq:,} receipts has the hash {head.hash}. "
        "./orchestrator verify finds what was changed, removed or cut off.",
    )


def connections_headline(report: IntegrationReport) -> str:
    """How many connections work, in one sentence."""
    good = sum(check.ok for check in report.checks)
    return f"{good} of {len(report.checks)} connections work as they should."


def systems(health: HealthAssessment) -> Section:
    """Services, host, databases and Prefect itself."""
    return Section(
        title=f"Systems: {health.status}, {health.score:.0f} of 100",
        text=" ".join(filter(None, [_host(health), _databases(health), _prefect(health)])),
        tables=[
            Table(
                columns=["Service", "State", "ms", "Budget (ms)", "Revenue that needs it", "Note"],
                rows=[
                    [
                        service.name,
                        service.status,
                        None if service.latency_ms is None else round(service.latency_ms),
                        round(service.budget_ms),
                        f"{service.revenue_share:.0%}",
                        service.detail,
                    ]
                    for service in health.services
                ],
            )
        ]
        if health.services
        else [],
    )


def proposals(plan: OptimizationPlan, top: int) -> Section:
    """What is worth improving, most worth first. Nothing of it has been applied."""
    text = (
        f"{len(plan.proposals)} proposals, together worth about "
        f"{money(plan.benefit_per_day, plan.currency)} per day. Nothing has been applied."
        if plan.proposals
        else "Nothing is worth changing."
    )
    rows: list[list[Cell]] = [
        [
            proposal.title,
            money(proposal.expected_benefit, proposal.unit),
            f"{proposal.confidence}: {proposal.confidence_reason}",
            proposal.effort,
            proposal.how,
        ]
        for proposal in plan.proposals[:top]
    ]
    columns = ["Proposal", "Benefit", "Confidence", "Effort", "How"]
    return Section(
        title="Proposals",
        text=text,
        tables=[Table(columns=columns, rows=rows)] if rows else [],
    )


def _tick(answer: bool | None) -> str:
    return {True: "yes", False: "NO", None: "—"}[answer]


def _clock(skew: float | None) -> str:
    # The Date header has whole seconds: less than two are no difference.
    if skew is None:
        return "—"
    return "in time" if abs(skew) < 2 else f"{skew:+.0f} s"


def _host(health: HealthAssessment) -> str:
    if (host := health.host) is None:
        return ""
    return (
        f"Host {host.name}{'' if host.serves else ' (of this command)'}: "
        f"{host.cpus} CPUs {host.cpu_percent:.0f}% busy, "
        f"{host.memory_available_gb:.1f} of {host.memory_total_gb:.1f} GB memory and "
        f"{host.disk_free_gb:,.0f} GB disk free."
    )


def _databases(health: HealthAssessment) -> str:
    if (database := health.database) is None:
        return ""
    latency = database.store_latency_ms
    store = (
        "The store's database does not answer"
        if latency is None
        else (f"The store's database answers in {latency:.0f} ms")
    )
    said = [store]
    if database.ledger_size_mb is not None:
        said.append(f"the ledger holds {database.ledger_size_mb:.1f} MB")
    if database.prefect_size_mb is not None:
        growth = database.prefect_growth_mb
        more = "" if growth is None else f" and grows by {growth:.1f} MB a day"
        said.append(f"Prefect's own database holds {database.prefect_size_mb:.1f} MB{more}")
    return f"{'; '.join(said)}."


def _prefect(health: HealthAssessment) -> str:
    if (prefect := health.prefect) is None:
        return ""
    online = sum(worker.online for pool in prefect.pools for worker in pool.workers)
    return (
        f"Prefect {prefect.version}: {online} worker{'s' if online != 1 else ''} online, "
        f"{len(prefect.late)} late runs, {sum(q.due for q in prefect.queues)} due in queues."
    )
