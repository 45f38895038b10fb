"""The status report, computed by hand from a few records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.blame import Blame
from blocks.ledger.records import PastAttempt, RunRecord
from blocks.ledger.tasks import TaskRecord, TaskStatus
from blocks.messages import Outcome, Severity
from blocks.status import Facts
from flows.status import (
    ENOUGH_CALLS,
    incident_reasons,
    last_attempts,
    percentile,
    system_status,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAPACITY = {"a": {"a": 2}, "b": {"b": 1, "b/2": 1}}


def attempt(message="m", number=1, instance="a", ms=100, waited=5, failed=False, **fields):
    end = NOW - fields.pop("ago", timedelta(minutes=30))
    start = end - timedelta(milliseconds=ms)
    fields.setdefault("blame", Blame.ASKED if failed else None)
    return PastAttempt(
        message_id=message,
        attempt=number,
        agent=instance.partition("/")[0],
        instance=instance,
        action=fields.pop("action", "go"),
        sent_at=start - timedelta(milliseconds=waited),
        started_at=start,
        finished_at=end,
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        **fields,
    )


def run(outcome, seconds=10.0):
    end = None if outcome is None else NOW - HOUR / 2 + timedelta(seconds=seconds)
    return RunRecord(
        id="r", workflow="w", started_at=NOW - HOUR / 2, finished_at=end, outcome=outcome
    )


def status(
    attempts=(), runs=(), tasks=(), workload=None, approvals=0, window=2 * HOUR, incidents=None
):
    facts = Facts(
        attempts=list(attempts),
        runs=list(runs),
        tasks=list(tasks),
        workload=workload or {},
        open_approvals=approvals,
        open_incidents=incidents or {},
    )
    return system_status(facts, CAPACITY, NOW, window)


def target(found, name):
    return next(t for t in found.targets if t.name == name)


def test_nothing_yet_is_healthy_and_not_measured():
    found = status()
    assert (found.system_health, found.reasons) == ("healthy", [])
    assert [t.actual for t in found.targets] == [None] * 4
    assert [a.status for a in found.agents] == ["idle", "idle"]
    assert found.agents[0].success_rate is None
    assert len(found.hours) == 2


def test_an_agent_in_figures():
    calls = [
        attempt("one", ms=100, waited=20),
        attempt("two", ms=300, waited=40, action="stop"),
        attempt("three", ms=200, failed=True),
    ]
    (a, b) = status(calls, workload={"a": 1}).agents
    assert (a.tasks_completed, a.workload, a.status) == (2, 1, "working")
    assert a.success_rate == pytest.approx(2 / 3)
    assert a.response_ms == pytest.approx((120 + 340) / 2)
    assert a.p95_ms == pytest.approx(340)
    assert a.utilization == pytest.approx(0.6 / (2 * 7200))
    assert a.recent_tasks == ["go", "stop"]
    assert (b.capacity, b.tasks_completed) == (2, 0)


def test_a_call_that_was_retried_is_one_call():
    calls = [attempt(number=1, failed=True), attempt(number=2)]
    (only,) = last_attempts(calls)
    assert only.attempt == 2
    assert status(calls).agents[0].success_rate == 1.0


def test_what_was_called_off_counts_for_nothing():
    assert status([attempt(failed=True, blame=Blame.NOBODY)]).agents[0].success_rate is None


def test_a_sources_outage_and_a_persons_typos_say_nothing_of_the_agent():
    outage = [attempt(f"s{i}", failed=True, blame=Blame.SOURCE) for i in range(5)]
    typos = [attempt(f"t{i}", failed=True, blame=Blame.ASKER) for i in range(5)]
    own = [attempt("good"), attempt("late", failed=True, blame=Blame.ASKED)]
    found = status([*outage, *typos, *own])
    assert found.agents[0].success_rate == 0.5
    assert status([*outage, *typos]).agents[0].success_rate is None
    assert not any("fails most of its calls" in reason for reason in found.reasons)


def test_the_targets():
    waits = [10, 30, 40] * (ENOUGH_CALLS // 3)
    calls = [attempt(f"m{i}", waited=wait) for i, wait in enumerate(waits)]
    tasks = [
        TaskRecord(task_type="t", requested_at=NOW, status=s)
        for s in (TaskStatus.DONE, TaskStatus.DEGRADED, TaskStatus.FAILED, TaskStatus.RUNNING)
    ]
    runs = [run(Outcome.PARTIAL), run(Outcome.FAILED), run(None)]
    found = status(calls, runs, tasks)
    assert target(found, "task success").actual == pytest.approx(2 / 3)
    assert target(found, "coordination").actual == pytest.approx(30)
    assert target(found, "workflow completion").actual == pytest.approx(1 / 2)
    assert [t.met for t in found.targets] == [False, False, True, False]
    assert found.pending_tasks == 1
    assert found.active_workflows == ["w"]
    assert found.system_health == "degraded"


def test_what_was_refused_is_nobodys_failure():
    runs = [run(Outcome.SUCCEEDED), run(Outcome.FAILED), *[run(Outcome.REFUSED)] * 8]
    found = status(runs=runs)
    assert target(found, "workflow completion").actual == pytest.approx(1 / 2)
    (workflow,) = found.workflows
    assert (workflow.runs, workflow.completion_rate) == (10, pytest.approx(1 / 2))
    assert status(runs=[run(Outcome.REFUSED)]).system_health == "healthy"


def test_a_few_calls_do_not_tell_how_well_it_coordinates():
    calls = [attempt(f"m{i}", waited=500) for i in range(ENOUGH_CALLS)]
    assert target(status(calls), "coordination").met is False
    assert target(status(calls[1:]), "coordination").actual is None
    assert status(calls[1:]).system_health == "healthy"


def test_utilization_spreads_over_the_instances_that_were_used():
    even = [attempt("1", instance="b", ms=1000), attempt("2", instance="b/2", ms=1000)]
    assert target(status(even), "utilization spread").actual == pytest.approx(0)
    uneven = [attempt("1", instance="b", ms=3_600_000, ago=timedelta(0)), even[1]]
    assert target(status(uneven), "utilization spread").actual == pytest.approx(0.25, abs=0.001)


def test_an_agent_that_fails_most_calls_makes_it_unhealthy():
    found = status([attempt("1", failed=True), attempt("2", failed=True), attempt("3")])
    assert found.system_health == "unhealthy"
    assert found.reasons[0] == "a fails most of its calls"


def test_a_task_that_its_run_abandoned_makes_it_unhealthy():
    lost = TaskRecord(
        task_type="t",
        requested_at=NOW - HOUR,
        status=TaskStatus.RUNNING,
        alive_until=NOW - timedelta(seconds=1),
    )
    assert "1 tasks were abandoned by their run" in status(tasks=[lost]).reasons


def test_a_full_agent_and_an_open_question_are_told():
    found = status(workload={"a": 2}, approvals=1)
    assert found.agents[0].status == "busy"
    assert found.reasons == ["a has no free slot", "1 question waits for a person"]


def test_hours_hold_what_ended_in_them():
    calls = [attempt("1", ago=timedelta(minutes=90), ms=50, waited=0), attempt("2", failed=True)]
    first, second = status(calls).hours
    assert (first.completed, first.failed, first.response_ms) == (1, 0, 50)
    assert (second.completed, second.failed, second.response_ms) == (0, 1, None)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.95, None), ([7], 0.95, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.95, 95)],
)
def test_percentiles_are_nearest_ranks(values, share, expected):
    assert percentile(values, share) == expected


@pytest.mark.parametrize(
    ("incidents", "health", "reasons"),
    [
        ({Severity.CRITICAL: 0, Severity.ERROR: 0, Severity.WARNING: 0}, "healthy", []),
        (
            {Severity.CRITICAL: 1, Severity.ERROR: 2, Severity.WARNING: 1},
            "unhealthy",
            ["1 critical incident is open", "3 other incidents are open"],
        ),
        ({Severity.CRITICAL: 0, Severity.ERROR: 1}, "degraded", ["1 incident is open"]),
    ],
)
def test_open_incidents_are_a_reason_not_to_be_healthy(incidents, health, reasons):
    found = status(incidents=incidents)
    assert (found.system_health, found.reasons) == (health, reasons)
    assert found.open_incidents == incidents
    assert incident_reasons(incidents) == reasons
