"""How the whole is: agents, workflows, tasks and operating targets, all from the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import mean, median, pstdev

from blocks.blame import Blame
from blocks.ledger.records import PastAttempt, RunRecord
from blocks.ledger.tasks import TaskStatus
from blocks.messages import Outcome, Severity
from blocks.status import (
    AgentMetrics,
    Facts,
    Health,
    Hour,
    SystemStatus,
    Target,
    WorkflowMetrics,
)

MILLISECOND = timedelta(milliseconds=1)


ENOUGH_CALLS = 30
"""Fewer calls tell how long a stack takes to warm up, not how well it coordinates."""


def system_status(
    facts: Facts,
    capacity: dict[str, dict[str, int]],
    now: datetime,
    window: timedelta,
    uptime_s: float | None = None,
) -> SystemStatus:
    """The status of the whole.

    Args:
        facts: What the ledger knows of the window.
        capacity: Agent to instance to slots.
        now: The instant of the report.
        window: How far back it looks.
        uptime_s: Seconds since the stack started.
    """
    calls = last_attempts(facts.attempts)
    agents = [
        _agent(agent, slots, facts, [c for c in calls if c.agent == agent], window)
        for agent, slots in sorted(capacity.items())
    ]
    good = [call for call in calls if call.outcome is not Outcome.FAILED]
    targets = _targets(facts, calls, capacity, window)
    health, reasons = _health(agents, targets, facts, now)
    return SystemStatus(
        timestamp=now,
        window_hours=window / timedelta(hours=1),
        system_health=health,
        reasons=reasons,
        ledger_fault=facts.ledger_fault,
        agents=agents,
        workflows=_workflows(facts.runs),
        active_workflows=sorted({r.workflow for r in facts.runs if r.outcome is None}),
        pending_tasks=sum(not task.status.is_final for task in facts.tasks),
        awaiting_approval=facts.open_approvals,
        uptime_s=uptime_s,
        response_ms=_mean([response_ms(call) for call in good]),
        throughput_per_hour=len(good) / (window / timedelta(hours=1)),
        targets=targets,
        open_incidents=facts.open_incidents,
        hours=_hours(calls, now, window),
    )


def last_attempts(attempts: Sequence[PastAttempt]) -> list[PastAttempt]:
    """Of each call the attempt that ended it, without what was called off; newest first."""
    last: dict[str, PastAttempt] = {}
    for attempt in attempts:
        known = last.get(attempt.message_id)
        if known is None or attempt.attempt > known.attempt:
            last[attempt.message_id] = attempt
    ended = [attempt for attempt in last.values() if not attempt.called_off]
    return sorted(ended, key=lambda attempt: attempt.finished_at, reverse=True)


def response_ms(call: PastAttempt) -> float:
    """Time from message to result, in milliseconds."""
    return max(0.0, (call.finished_at - call.sent_at) / MILLISECOND)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that ``share`` of all values stay within (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _agent(
    agent: str,
    slots: dict[str, int],
    facts: Facts,
    calls: Sequence[PastAttempt],
    window: timedelta,
) -> AgentMetrics:
    workload = sum(facts.workload.get(instance, 0) for instance in slots)
    capacity = sum(slots.values())
    times = [response_ms(call) for call in calls if call.outcome is not Outcome.FAILED]
    own_failures = sum(call.blame is Blame.ASKED for call in calls)
    busy = _busy([a for a in facts.attempts if a.agent == agent])
    return AgentMetrics(
        agent=agent,
        status="busy" if workload >= capacity else "working" if workload else "idle",
        workload=workload,
        capacity=capacity,
        tasks_completed=len(times),
        success_rate=len(times) / judged if (judged := len(times) + own_failures) else None,
        response_ms=_mean(times),
        p95_ms=percentile(times, 0.95),
        utilization=min(1.0, busy / (capacity * window)) if capacity else 0.0,
        recent_tasks=list(dict.fromkeys(call.action for call in calls))[:5],
    )


def _busy(attempts: Sequence[PastAttempt]) -> timedelta:
    return sum((a.finished_at - a.started_at for a in attempts), timedelta())


def _workflows(runs: Sequence[RunRecord]) -> list[WorkflowMetrics]:
    named: dict[str, list[RunRecord]] = {}
    for run in runs:
        named.setdefault(run.workflow, []).append(run)
    return [_workflow(name, named[name]) for name in sorted(named)]


def _workflow(name: str, runs: Sequence[RunRecord]) -> WorkflowMetrics:
    ended = [run for run in runs if run.outcome is not None]
    tried = [run for run in ended if run.outcome is not Outcome.REFUSED]
    seconds = [(r.finished_at - r.started_at).total_seconds() for r in ended if r.finished_at]
    return WorkflowMetrics(
        workflow=name,
        runs=len(runs),
        going_on=len(runs) - len(ended),
        completion_rate=_share(r.outcome is not Outcome.FAILED for r in tried),
        median_s=median(seconds) if seconds else None,
        p95_s=percentile(seconds, 0.95),
    )


def _targets(
    facts: Facts,
    calls: Sequence[PastAttempt],
    capacity: dict[str, dict[str, int]],
    window: timedelta,
) -> list[Target]:
    ended = [task for task in facts.tasks if task.status.is_final]
    runs = [run for run in facts.runs if run.outcome not in (None, Outcome.REFUSED)]
    waits = [
        max(0.0, (a.started_at - a.sent_at) / MILLISECOND) for a in facts.attempts if a.attempt == 1
    ]
    used = {a.instance for a in facts.attempts}
    loads = [
        _busy([a for a in facts.attempts if a.instance == instance]) / (size * window)
        for slots in capacity.values()
        for instance, size in slots.items()
        if instance in used
    ]
    hours = window / timedelta(hours=1)
    # Without tasks of the matrix, the calls are the tasks.
    succeeded = (
        _share(task.status in (TaskStatus.DONE, TaskStatus.DEGRADED) for task in ended)
        if ended
        else _share(call.outcome is not Outcome.FAILED for call in calls)
    )
    completed = _share(run.outcome is not Outcome.FAILED for run in runs)
    coordination = median(waits) if len(waits) >= ENOUGH_CALLS else None
    spread = pstdev(loads) if loads else None
    return [
        _target("task success", 0.985, succeeded, "share", hours, at_least=True),
        _target("coordination", 25.0, coordination, "ms", hours),
        _target("utilization spread", 0.15, spread, "sigma", hours),
        _target("workflow completion", 0.992, completed, "share", hours, at_least=True),
    ]


def _target(
    name: str,
    wanted: float,
    actual: float | None,
    unit: str,
    hours: float,
    *,
    at_least: bool = False,
) -> Target:
    met = None if actual is None else actual >= wanted if at_least else actual <= wanted
    shown = f"{wanted:.1%}" if unit == "share" else f"{wanted:g} {unit}"
    return Target(
        name=name,
        wanted=f"at {'least' if at_least else 'most'} {shown}",
        actual=actual,
        unit=unit,
        met=met,
        window_hours=hours,
    )


def _measured(target: Target) -> str:
    assert target.actual is not None, "what is not measured misses no target"
    if target.unit == "share":
        return f"{target.actual:.1%}"
    return f"{target.actual:.3g} {target.unit}"


def _health(
    agents: Sequence[AgentMetrics], targets: Sequence[Target], facts: Facts, now: datetime
) -> tuple[Health, list[str]]:
    grave = [facts.ledger_fault] if facts.ledger_fault else []
    grave += [
        f"{agent.agent} fails most of its calls"
        for agent in agents
        if agent.success_rate is not None and agent.success_rate < 0.5
    ]
    abandoned = sum(
        task.status is TaskStatus.RUNNING
        and task.alive_until is not None
        and task.alive_until < now
        for task in facts.tasks
    )
    grave += [f"{abandoned} tasks were abandoned by their run"] if abandoned else []
    critical, others = _incidents(facts.open_incidents)
    grave += critical
    lesser = [f"{t.name} is {_measured(t)}, wanted {t.wanted}" for t in targets if t.met is False]
    lesser += others
    lesser += [f"{a.agent} has no free slot" for a in agents if a.status == "busy"]
    if facts.open_approvals:
        waiting = "question waits" if facts.open_approvals == 1 else "questions wait"
        lesser.append(f"{facts.open_approvals} {waiting} for a person")
    return ("unhealthy" if grave else "degraded" if lesser else "healthy"), grave + lesser


def incident_reasons(counts: Mapping[Severity, int]) -> list[str]:
    """Why the system is not healthy, as far as incidents say it."""
    critical, others = _incidents(counts)
    return critical + others


def _incidents(counts: Mapping[Severity, int]) -> tuple[list[str], list[str]]:
    critical = counts.get(Severity.CRITICAL, 0)
    others = sum(counts.values()) - critical

    def told(number: int, kind: str) -> list[str]:
        verb = "incident is" if number == 1 else "incidents are"
        return [f"{number:,} {kind}{verb} open"] if number else []

    return told(critical, "critical "), told(others, "other " if critical else "")


def _hours(calls: Sequence[PastAttempt], now: datetime, window: timedelta) -> list[Hour]:
    count = max(1, round(window / timedelta(hours=1)))
    starts = [now - timedelta(hours=h) for h in range(count, 0, -1)]
    groups: list[list[PastAttempt]] = [[] for _ in starts]
    for call in calls:
        place = int((call.finished_at - starts[0]) / timedelta(hours=1))
        if 0 <= place < count:
            groups[place].append(call)
    return [
        Hour(
            start=start,
            completed=sum(call.outcome is not Outcome.FAILED for call in group),
            failed=sum(call.outcome is Outcome.FAILED for call in group),
            response_ms=_mean(
                [response_ms(call) for call in group if call.outcome is not Outcome.FAILED]
            ),
        )
        for start, group in zip(starts, groups, strict=True)
    ]


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _share(answers: Iterable[bool]) -> float | None:
    counted = list(answers)
    return sum(counted) / len(counted) if counted else None
