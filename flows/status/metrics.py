"""How the whole is: agents, workflows, tasks and operating targets, all from the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean, median, pstdev

from blocks.ledger.calls.history import Runs, Work
from blocks.ledger.status import (
    AgentMetrics,
    Facts,
    Health,
    Hour,
    SystemStatus,
    Target,
    WorkflowMetrics,
)
from blocks.ledger.work.tasks import TaskStatus
from blocks.policy.target_rules import TargetRules
from blocks.vocabulary.blame import Blame, blame, says_nothing
from blocks.vocabulary.messages import Outcome, Severity

ENOUGH_CALLS = 30
"""Fewer calls tell how long a stack takes to warm up, not how well it coordinates."""


def system_status(
    facts: Facts,
    capacity: dict[str, dict[str, int]],
    wanted: TargetRules,
    now: datetime,
    window: timedelta,
    uptime_s: float | None = None,
) -> SystemStatus:
    """The status of the whole.

    Args:
        facts: What the ledger knows of the window.
        capacity: Agent to instance to slots.
        wanted: The operating targets.
        now: The instant of the report.
        window: How far back it looks.
        uptime_s: Seconds since the stack started.
    """
    agents = [
        _agent(agent, slots, facts, [w for w in facts.work if w.agent == agent], window)
        for agent, slots in sorted(capacity.items())
    ]
    times = _response_ms(facts.work)
    targets = _targets(facts, capacity, wanted, window)
    health, reasons = _health(agents, targets, facts)
    return SystemStatus(
        timestamp=now,
        window_hours=window / timedelta(hours=1),
        system_health=health,
        reasons=reasons,
        ledger_fault=facts.ledger_fault,
        agents=agents,
        workflows=_workflows(facts.runs),
        active_workflows=sorted({r.workflow for r in facts.runs if r.outcome is None}),
        pending_tasks=sum(n for status, n in facts.tasks.standing.items() if not status.is_final),
        awaiting_approval=facts.open_approvals,
        uptime_s=uptime_s,
        response_ms=_mean(times),
        throughput_per_hour=len(times) / (window / timedelta(hours=1)),
        targets=targets,
        open_incidents=facts.open_incidents,
        hours=_hours(facts.work, now, window),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that ``share`` of all values stay within (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _agent(
    agent: str,
    slots: dict[str, int],
    facts: Facts,
    work: Sequence[Work],
    window: timedelta,
) -> AgentMetrics:
    workload = sum(facts.workload.get(instance, 0) for instance in slots)
    capacity = sum(slots.values())
    times = _response_ms(work)
    # A source's outage and a person's typo say nothing of who was asked.
    own_failures = sum(
        n for each in work for code, n in each.failures.items() if blame(code) is Blame.ASKED
    )
    return AgentMetrics(
        agent=agent,
        status="busy" if workload >= capacity else "working" if workload else "idle",
        workload=workload,
        capacity=capacity,
        tasks_completed=len(times),
        success_rate=len(times) / judged if (judged := len(times) + own_failures) else None,
        response_ms=_mean(times),
        p95_ms=percentile(times, 0.95),
        utilization=min(1.0, _busy(work) / (capacity * window)) if capacity else 0.0,
        recent_tasks=list(facts.actions.get(agent, ()))[:5],
    )


def _response_ms(work: Sequence[Work]) -> list[float]:
    """Of each call that ended with a result, the time from message to result."""
    return [ms for each in work for ms in each.response_ms]


def _failed(work: Sequence[Work]) -> int:
    """How many calls failed; what was called off or asked wrongly says nothing."""
    return sum(n for each in work for code, n in each.failures.items() if not says_nothing(code))


def _busy(work: Sequence[Work]) -> timedelta:
    return timedelta(milliseconds=sum(each.busy_ms for each in work))


def _workflows(runs: Sequence[Runs]) -> list[WorkflowMetrics]:
    named: dict[str, list[Runs]] = {}
    for each in runs:
        named.setdefault(each.workflow, []).append(each)
    return [_workflow(name, named[name]) for name in sorted(named)]


def _workflow(name: str, runs: Sequence[Runs]) -> WorkflowMetrics:
    seconds = [took for each in runs for took in each.seconds]
    return WorkflowMetrics(
        workflow=name,
        runs=sum(each.number for each in runs),
        going_on=sum(each.number for each in runs if each.outcome is None),
        completion_rate=_completion_rate(runs),
        median_s=median(seconds) if seconds else None,
        p95_s=percentile(seconds, 0.95),
    )


def _completion_rate(runs: Sequence[Runs]) -> float | None:
    """The share of those that ended and did not fail; what was refused, nobody tried."""
    tried = [each for each in runs if each.outcome not in (None, Outcome.REFUSED)]
    ended = sum(each.number for each in tried)
    failed = sum(each.number for each in tried if each.outcome is Outcome.FAILED)
    return (ended - failed) / ended if ended else None


def _targets(
    facts: Facts, capacity: dict[str, dict[str, int]], wanted: TargetRules, window: timedelta
) -> list[Target]:
    waits = [ms for each in facts.work for ms in each.waited_ms]
    used = {each.instance for each in facts.work}
    loads = [
        _busy([each for each in facts.work if each.instance == instance]) / (size * window)
        for slots in capacity.values()
        for instance, size in slots.items()
        if instance in used
    ]
    hours = window / timedelta(hours=1)
    standing = facts.tasks.standing
    good = standing.get(TaskStatus.DONE, 0) + standing.get(TaskStatus.DEGRADED, 0)
    ended = sum(number for status, number in standing.items() if status.is_final)
    if not ended:  # without tasks of the matrix, the calls are the tasks
        good = len(_response_ms(facts.work))
        ended = good + _failed(facts.work)
    succeeded = good / ended if ended else None
    completed = _completion_rate(facts.runs)
    coordination = median(waits) if len(waits) >= ENOUGH_CALLS else None
    spread = pstdev(loads) if loads else None
    return [
        _target("task success", wanted.task_success, succeeded, "share", hours, at_least=True),
        _target("coordination", wanted.coordination_ms, coordination, "ms", hours),
        _target("utilization spread", wanted.utilization_spread, spread, "sigma", hours),
        _target(
            "workflow completion",
            wanted.workflow_completion,
            completed,
            "share",
            hours,
            at_least=True,
        ),
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
    agents: Sequence[AgentMetrics], targets: Sequence[Target], facts: Facts
) -> tuple[Health, list[str]]:
    grave = [facts.ledger_fault] if facts.ledger_fault else []
    grave += [
        f"{agent.agent} fails most of its calls"
        for agent in agents
        if agent.success_rate is not None and agent.success_rate < 0.5
    ]
    abandoned = facts.tasks.abandoned
    grave += [f"{abandoned} tasks were abandoned by their run"] if abandoned else []
    critical, others = _incidents(facts.open_incidents)
    grave += critical
    lesser = [f"{t.name} is {_measured(t)}, wanted {t.wanted}" for t in targets if t.met is False]
    lesser += others
    lesser += [f"{a.agent} has no free slot" for a in agents if a.status == "busy"]
    lesser += question_reasons(facts.open_approvals)
    return ("unhealthy" if grave else "degraded" if lesser else "healthy"), grave + lesser


def question_reasons(open_approvals: int) -> list[str]:
    """Why the system is not healthy, as far as questions to a person say it."""
    waiting = "question waits" if open_approvals == 1 else "questions wait"
    return [f"{open_approvals} {waiting} for a person"] if open_approvals else []


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


def _hours(work: Sequence[Work], now: datetime, window: timedelta) -> list[Hour]:
    count = max(1, round(window / timedelta(hours=1)))
    groups: list[list[Work]] = [[] for _ in range(count)]
    for each in work:
        if 0 <= each.hour < count:
            groups[each.hour].append(each)
    return [
        Hour(
            start=now - timedelta(hours=count - place),
            completed=len(times := _response_ms(group)),
            failed=_failed(group),
            response_ms=_mean(times),
        )
        for place, group in enumerate(groups)
    ]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
