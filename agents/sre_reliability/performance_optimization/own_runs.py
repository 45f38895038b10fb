"""Our own runs: retries, waits, and the ledger's size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean

from agents.sre_reliability.performance_optimization.proposal import Proposal, by_count
from blocks.ledger.calls.records import CallRecord
from blocks.prefect_api.client import PoolInfo, RunInfo

LEAST_RUNS = 5
"""Fewer observations of one kind prove nothing."""

NOTABLE_WAIT_S = 10.0
NOTABLE_RETRIES = 0.1
LEDGER_MB = 500.0


def steady_calls(calls: Sequence[CallRecord]) -> list[Proposal]:
    """Actions whose retries cost time: the time that calls with retries take beyond the others."""
    by_action: dict[str, list[CallRecord]] = defaultdict(list)
    for call in calls:
        if call.duration_ms is not None:
            by_action[f"{call.agent}.{call.action}"].append(call)
    proposals = []
    for name, done in by_action.items():
        retried = [c.duration_ms or 0.0 for c in done if c.attempts > 1]
        smooth = [c.duration_ms or 0.0 for c in done if c.attempts <= 1]
        if len(done) < LEAST_RUNS or not retried or not smooth:
            continue
        share = len(retried) / len(done)
        saved = (mean(retried) - mean(smooth)) * share
        if share >= NOTABLE_RETRIES and saved > 0:
            proposals.append(
                Proposal(
                    title=f"Find out why {name} needs retries in {share:.0%} of its calls",
                    kind="unsteady-call",
                    resource=f"action:{name}",
                    expected_benefit=saved,
                    unit="ms/run",
                    confidence=by_count(len(done)),
                    confidence_reason=f"Measured over {len(done)} calls.",
                    evidence={
                        "calls": len(done),
                        "retried": len(retried),
                        "mean_ms_retried": mean(retried),
                        "mean_ms_smooth": mean(smooth),
                    },
                    effort="hours",
                    how="Read the errors of its attempts in the ledger; mend the source, or "
                    "raise its timeout if it is merely slow.",
                )
            )
    return proposals


def shorten_queues(
    runs: Sequence[RunInfo], pools: Sequence[PoolInfo], worker_limit: int
) -> list[Proposal]:
    """Raise a limit, when runs waited while their pool was full; else keep a worker alive."""
    limits = {pool.name: pool.limit or worker_limit for pool in pools}
    by_pool: dict[str, list[RunInfo]] = defaultdict(list)
    for run in runs:
        if run.pool in limits and run.wait_s is not None:
            by_pool[run.pool].append(run)
    proposals = []
    for pool, started in by_pool.items():
        waits = [run.wait_s or 0.0 for run in started]
        if len(started) < LEAST_RUNS or mean(waits) < NOTABLE_WAIT_S:
            continue
        waited = [run for run in started if (run.wait_s or 0.0) >= NOTABLE_WAIT_S]
        full = sum(_running_halfway(run, started) >= limits[pool] for run in waited)
        proposals.append(_shorten(pool, limits[pool], started, waited, full))
    return proposals


def contain_ledger(size_mb: float | None, free_gb: float | None) -> list[Proposal]:
    """A ledger file that has grown large."""
    if size_mb is None or size_mb < LEDGER_MB:
        return []
    return [
        Proposal(
            title=f"Move the ledger to PostgreSQL: its file has grown to {size_mb:,.0f} MB",
            kind="ledger-growth",
            resource="ledger:local",
            expected_benefit=size_mb,
            unit="MB",
            confidence="high",
            confidence_reason="The file's size is measured.",
            evidence={"size_mb": size_mb, "disk_free_gb": free_gb},
            effort="hours",
            how="Set ORCHESTRATOR_LEDGER_URL to a PostgreSQL database, and keep the file as the "
            "archive of what came before.",
        )
    ]


def _running_halfway(run: RunInfo, others: Sequence[RunInfo]) -> int:
    """How many runs of its pool ran in the middle of a run's wait."""
    if run.expected_at is None or run.started_at is None:
        return 0
    at = run.expected_at + (run.started_at - run.expected_at) / 2
    return sum(
        other.started_at is not None
        and other.started_at <= at
        and (other.ended_at is None or other.ended_at > at)
        for other in others
    )


def _shorten(
    pool: str, limit: int, started: Sequence[RunInfo], waited: Sequence[RunInfo], full: int
) -> Proposal:
    crowded = full >= len(waited) / 2
    wait = mean(run.wait_s or 0.0 for run in started)
    return Proposal(
        title=f"Let more than {limit} runs of {pool} run at once: they wait {wait:.0f} s on average"
        if crowded
        else f"Keep a worker of {pool} running: its runs wait {wait:.0f} s on average",
        kind="raise-concurrency" if crowded else "worker-presence",
        resource=f"pool:{pool}",
        expected_benefit=wait,
        unit="s/run",
        confidence=by_count(len(started)),
        confidence_reason=f"{len(waited)} of {len(started)} runs waited, {full} of them while "
        f"{limit} others ran.",
        evidence={
            "runs": len(started),
            "waited": len(waited),
            "waited_while_full": full,
            "mean_wait_s": wait,
            "longest_wait_s": max(run.wait_s or 0.0 for run in started),
            "limit": limit,
        },
        effort="minutes",
        how="Raise ORCHESTRATOR_WORKER_LIMIT or the pool's concurrency limit, if CPU and memory "
        "leave room."
        if crowded
        else "Let ./orchestrator up run as a service, so that a worker is there when a run is due.",
    )
