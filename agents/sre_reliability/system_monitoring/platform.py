"""Looks at what we ourselves stand on: the store's database, the ledger, Prefect."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from time import perf_counter

from agents.sre_reliability.system_monitoring.assessment import DatabaseHealth
from blocks.errors import LedgerError, SourceTimeout, SourceUnavailable
from blocks.ledger import Ledger
from blocks.prefect_api.client import PrefectHealth, RunInfo
from blocks.store.block import StoreDatabase
from blocks.vocabulary.findings import Finding, Remedy
from blocks.vocabulary.messages import Severity

STORE_BUDGET_MS = 1000.0
"""A trivial query, connecting included, should not take longer."""

LEDGER_BUDGET_MS = 1000.0
"""Making what is queued durable should not take longer."""

PREFECT_BUDGET_MS = 2000.0

LATE_ERROR_S = 600.0
BACKLOG_RUNS = 20
REPEATED_FAILURES = 3


async def check_store(
    store: StoreDatabase, deadline: float
) -> tuple[DatabaseHealth, Finding | None]:
    """Connect to the store's database and have it answer a trivial query in time."""
    try:
        async with asyncio.timeout(deadline):
            check = await store.check()
    except TimeoutError:
        return DatabaseHealth(), _store_down(store, f"No answer within {deadline:g} s.", "")
    except (SourceUnavailable, SourceTimeout) as error:
        return DatabaseHealth(), _store_down(store, error.what, error.hint)
    health = DatabaseHealth(
        store_latency_ms=check.latency_ms, store_clock_skew_s=check.clock_skew_s
    )
    if check.latency_ms <= STORE_BUDGET_MS:
        return health, None
    return health, Finding(
        kind="database-slow",
        resource=f"store:{store.name}",
        severity=Severity.WARNING,
        title=f"The database of {store.name} takes {check.latency_ms:.0f} ms for a trivial query",
        evidence={"latency_ms": check.latency_ms, "budget_ms": STORE_BUDGET_MS},
        advice="Look for long transactions, locks and load on its server.",
    )


async def check_ledger(ledger: Ledger, deadline: float) -> tuple[DatabaseHealth, Finding | None]:
    """Have the ledger make durable what is queued, and say which schema it has.

    A call through an agent has its own message and attempt queued, so that this is a real write.
    """
    began = perf_counter()
    try:
        async with asyncio.timeout(deadline):
            await ledger.flush()
            latency_ms = (perf_counter() - began) * 1000
            schema = await ledger.schema_version()
    except TimeoutError:
        return _unwritable("ledger-unavailable", f"It was not done within {deadline:g} s.", "")
    except LedgerError as error:
        return _unwritable(error.code, error.what, error.hint)
    health = DatabaseHealth(
        ledger_writable=True,
        ledger_latency_ms=latency_ms,
        ledger_schema=schema,
        ledger_size_mb=_size_mb(ledger.path) if ledger.path else None,
    )
    if latency_ms <= LEDGER_BUDGET_MS:
        return health, None
    return health, Finding(
        kind="ledger-slow",
        resource="ledger:local",
        severity=Severity.WARNING,
        title=f"The ledger takes {latency_ms:.0f} ms to make an entry durable",
        evidence={"latency_ms": latency_ms, "budget_ms": LEDGER_BUDGET_MS},
        advice="Put it on a local disk; look for what else writes to that disk.",
    )


def judge_prefect(health: PrefectHealth, now: datetime) -> list[Finding]:
    """What is wrong with a Prefect that answers so."""
    findings = _late(health, now) + _offline(health) + _backlogs(health)
    findings += [_stalled(run, now) for run in health.stalled] + _failures(health)
    if health.latency_ms > PREFECT_BUDGET_MS:
        findings.append(
            Finding(
                kind="prefect-slow",
                resource="prefect:api",
                severity=Severity.WARNING,
                title=f"Prefect's API takes {health.latency_ms:.0f} ms for a trivial answer",
                evidence={"latency_ms": health.latency_ms, "budget_ms": PREFECT_BUDGET_MS},
                advice="Look at the server's load; a busy SQLite file calls for PostgreSQL.",
            )
        )
    return findings


def _unwritable(error: str, detail: str, hint: str) -> tuple[DatabaseHealth, Finding]:
    return DatabaseHealth(ledger_writable=False), Finding(
        kind="ledger-unwritable",
        resource="ledger:local",
        severity=Severity.CRITICAL,
        title="The ledger cannot be written: nothing we do is recorded",
        evidence={"error": error, "detail": detail},
        advice=hint or "See who holds its lock, and check its disk and its rights.",
    )


def _store_down(store: StoreDatabase, detail: str, hint: str) -> Finding:
    # Kind and resource are those of the Integration Specialist's finding: one problem, not two.
    return Finding(
        kind="store-unreachable",
        resource=f"store:{store.name}",
        severity=Severity.CRITICAL,
        title=f"The database of {store.name} does not answer",
        evidence={"detail": detail},
        advice=hint or "See the database's own log.",
        remedy=Remedy(agent="sre-reliability", action="refetch_snapshot"),
    )


def _size_mb(file: Path) -> float:
    parts = [file, file.with_name(f"{file.name}-wal")]
    return sum(part.stat().st_size for part in parts if part.exists()) / 1e6


def _late(health: PrefectHealth, now: datetime) -> list[Finding]:
    by_pool: dict[str, list[RunInfo]] = {}
    for run in health.late:
        by_pool.setdefault(run.pool or "no pool", []).append(run)
    findings = []
    for pool, runs in by_pool.items():
        waits = [(now - run.expected_at).total_seconds() for run in runs if run.expected_at]
        oldest = max(waits, default=0.0)
        findings.append(
            Finding(
                kind="prefect-late-runs",
                resource=f"pool:{pool}",
                severity=Severity.ERROR if oldest > LATE_ERROR_S else Severity.WARNING,
                title=f"{_runs(len(runs))} of {pool} should have started up to "
                f"{oldest / 60:.0f} minutes ago",
                evidence={
                    "late": len(runs),
                    "oldest_wait_s": round(oldest),
                    "flows": dict(Counter(run.flow for run in runs)),
                },
                advice="See whether its worker is alive and its limits leave room.",
            )
        )
    return findings


def _offline(health: PrefectHealth) -> list[Finding]:
    waiting: Counter[str] = Counter()
    for queue in health.queues:
        waiting[queue.pool] += queue.due
    findings = []
    for pool in health.pools:
        # A pool that never had a worker and that nothing waits for is merely not in use.
        if pool.online or not (pool.workers or waiting[pool.name]) or pool.paused:
            continue
        heard = [w.last_heartbeat_at for w in pool.workers if w.last_heartbeat_at]
        findings.append(
            Finding(
                kind="worker-offline",
                resource=f"pool:{pool.name}",
                severity=Severity.ERROR if waiting[pool.name] else Severity.INFO,
                title=f"No worker of {pool.name} is alive; {_waiting(waiting[pool.name])}",
                evidence={
                    "waiting": waiting[pool.name],
                    "last_heartbeat": max(heard).isoformat() if heard else None,
                },
                advice=f"Start one: ./orchestrator up, or prefect worker start --pool {pool.name}.",
            )
        )
    return findings


def _backlogs(health: PrefectHealth) -> list[Finding]:
    paused = {pool.name for pool in health.pools if pool.paused}
    return [
        Finding(
            kind="queue-backlog",
            resource=f"queue:{queue.pool}/{queue.queue}",
            severity=Severity.WARNING,
            title=f"{_runs(queue.due)} wait in {queue.pool}/{queue.queue}"
            + (", which is paused" if queue.pool in paused else ""),
            evidence=queue.model_dump(mode="json"),
            advice="Raise the limit of the pool or the queue, or add a worker.",
        )
        for queue in health.queues
        if queue.due >= BACKLOG_RUNS
    ]


def _stalled(run: RunInfo, now: datetime) -> Finding:
    heard = run.last_heartbeat_at
    trouble = "counts as running but gives no sign of life" if heard else "runs unusually long"
    return Finding(
        kind="run-stalled",
        resource=f"run:{run.id}",
        severity=Severity.WARNING,
        title=f"A run of {run.flow or 'a flow'} ({run.name}) {trouble}",
        evidence={
            "running_s": round((now - (run.started_at or now)).total_seconds()),
            "last_heartbeat": heard.isoformat() if heard else None,
        },
        advice="If its process is gone, set it to Crashed in Prefect, so that it frees its slot.",
    )


def _failures(health: PrefectHealth) -> list[Finding]:
    by_flow: dict[str, list[RunInfo]] = {}
    for run in health.failures:
        by_flow.setdefault(run.flow or "unknown", []).append(run)
    return [
        Finding(
            kind="runs-failing",
            resource=f"flow:{flow}",
            severity=Severity.WARNING if len(runs) >= REPEATED_FAILURES else Severity.INFO,
            title=f"{_runs(len(runs))} of {flow} failed within {health.window_hours:.0f} hours",
            evidence={
                "failed": len(runs),
                "crashed": sum(run.state == "Crashed" for run in runs),
                "last": runs[0].name,
                "last_message": runs[0].message,
            },
            advice="Open the last one in Prefect and read its log.",
        )
        for flow, runs in by_flow.items()
    ]


def merge(parts: Iterable[DatabaseHealth | None]) -> DatabaseHealth | None:
    """The readings of several parts as one; None when there is none."""
    known = [part.model_dump(exclude_none=True) for part in parts if part is not None]
    if not known:
        return None
    return DatabaseHealth(**{key: value for part in known for key, value in part.items()})


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _waiting(count: int) -> str:
    return f"{_runs(count)} wait{'s' if count == 1 else ''} for it" if count else "nothing waits"
