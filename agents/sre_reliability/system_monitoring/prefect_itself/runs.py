"""Is Prefect well: its runs, its workers, its queues?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.sre_reliability.system_monitoring.prefect_itself.standstills import judge_standstills
from blocks.prefect_api.client import PrefectHealth, RunInfo
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

PREFECT_BUDGET_MS = 2000.0

LATE_ERROR_S = 600.0
BACKLOG_RUNS = 20
REPEATED_FAILURES = 3


@dataclass(frozen=True)
class _Closed:
    """Why nothing can start in a pool or a queue: a person paused it, or its limit is 0."""

    resource: str
    paused: bool

    @property
    def name(self) -> str:
        return self.resource.partition(":")[2]


def judge_prefect(health: PrefectHealth, now: datetime) -> list[Finding]:
    """What is wrong with a Prefect that answers so."""
    findings = _closed(health, now) + _late(health, now) + _offline(health) + _backlogs(health)
    findings += [_stalled(run, now) for run in health.stalled] + _failures(health)
    findings += judge_standstills(health, now)
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


def _closed_places(health: PrefectHealth) -> dict[tuple[str, str | None], _Closed]:
    """Pools, and queues as (pool, queue), in which nothing can start."""
    found: dict[tuple[str, str | None], _Closed] = {}
    for queue in health.work_queues:
        if queue.paused or queue.limit == 0:
            resource = f"queue:{queue.pool}/{queue.name}"
            found[queue.pool, queue.name] = _Closed(resource, queue.paused)
    for pool in health.pools:
        if pool.paused or pool.concurrency_limit == 0:
            found[pool.name, None] = _Closed(f"pool:{pool.name}", pool.paused)
    return found


def _why_closed(run: RunInfo, places: Mapping[tuple[str, str | None], _Closed]) -> _Closed | None:
    pool = run.pool or ""
    return places.get((pool, None)) or places.get((pool, run.queue))


def _closed(health: PrefectHealth, now: datetime) -> list[Finding]:
    """What a person has paused is for information. A limit of 0 looks open, and is told louder."""
    places = _closed_places(health)
    findings = []
    for place in places.values():
        runs = [run for run in health.late if _why_closed(run, places) is place]
        evidence: dict[str, str | int] = {
            "waiting": len(runs),
            "oldest_wait_s": round(_oldest(runs, now)),
        }
        if place.paused:
            findings.append(
                Finding(
                    kind="prefect-paused",
                    resource=place.resource,
                    severity=Severity.INFO,
                    title=f"{place.name} is paused by a person; {_waiting(len(runs))}",
                    evidence=evidence,
                    advice="Resume it in Prefect, on its page, when its work is wanted.",
                )
            )
        else:
            findings.append(
                Finding(
                    kind="prefect-limit-zero",
                    resource=place.resource,
                    severity=_how_late(runs, now) if runs else Severity.INFO,
                    title=f"Nothing can start in {place.name}: its limit is 0; "
                    f"{_waiting(len(runs))}",
                    evidence=evidence,
                    advice="Raise its limit in Prefect, on its page. No worker helps.",
                )
            )
    return findings


def _late(health: PrefectHealth, now: datetime) -> list[Finding]:
    places = _closed_places(health)
    by_pool: dict[str, list[RunInfo]] = {}
    for run in health.late:
        if _why_closed(run, places) is None:
            by_pool.setdefault(run.pool or "no pool", []).append(run)
    return [
        Finding(
            kind="prefect-late-runs",
            resource=f"pool:{pool}",
            severity=_how_late(runs, now),
            title=f"{_runs(len(runs))} of {pool} should have started up to "
            f"{_oldest(runs, now) / 60:.0f} minutes ago",
            evidence={
                "late": len(runs),
                "oldest_wait_s": round(_oldest(runs, now)),
                "flows": dict(Counter(run.flow for run in runs)),
            },
            advice="See whether its worker is alive and its limits leave room.",
        )
        for pool, runs in by_pool.items()
    ]


def _oldest(runs: Iterable[RunInfo], now: datetime) -> float:
    """Seconds that the first of them has waited."""
    waits = ((now - run.expected_at).total_seconds() for run in runs if run.expected_at)
    return max(waits, default=0.0)


def _how_late(runs: Iterable[RunInfo], now: datetime) -> Severity:
    return Severity.ERROR if _oldest(runs, now) > LATE_ERROR_S else Severity.WARNING


def _offline(health: PrefectHealth) -> list[Finding]:
    waiting: Counter[str] = Counter()
    for queue in health.queues:
        waiting[queue.pool] += queue.due
    closed = _closed_places(health)
    findings = []
    for pool in health.pools:
        # A pool that never had a worker and that nothing waits for is merely not in use. In one
        # that is paused, or whose limit is 0, a worker would start nothing.
        unused = not (pool.workers or waiting[pool.name])
        if pool.online or unused or (pool.name, None) in closed:
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
    places = _closed_places(health)
    return [
        Finding(
            kind="queue-backlog",
            resource=f"queue:{queue.pool}/{queue.queue}",
            severity=Severity.WARNING,
            title=f"{_runs(queue.due)} wait in {queue.pool}/{queue.queue}",
            evidence=queue.model_dump(mode="json"),
            advice="Raise the limit of the pool or the queue, or add a worker.",
        )
        for queue in health.queues
        if queue.due >= BACKLOG_RUNS
        and not {(queue.pool, None), (queue.pool, queue.queue)} & places.keys()
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


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _waiting(count: int) -> str:
    return f"{_runs(count)} wait{'s' if count == 1 else ''}" if count else "nothing waits"
