"""The status report, computed by hand from a few records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.ledger.calls.history import Runs, Work
from blocks.ledger.status import Facts
from blocks.ledger.work.tasks import TaskCounts, TaskStatus
from blocks.policy.target_rules import TargetRules
from blocks.vocabulary.messages import CALLED_OFF, Outcome, Severity
from flows.status.metrics import ENOUGH_CALLS, incident_reasons, percentile, system_status

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WANTED = TargetRules()
CAPACITY = {"a": {"a": 2}, "b": {"b": 1, "b/2": 1}}


def work(*response_ms, instance="a", hour=1, **fields):
    took = {"busy_ms": sum(response_ms), "waited_ms": [5.0] * len(response_ms)} | fields
    agent = instance.partition("/")[0]
    return Work(agent, instance, hour, response_ms=response_ms, **took)


def run(outcome, seconds=10.0):
    return Runs("w", "ad hoc", outcome, 1, [] if outcome is None else [seconds])


def status(*done, window=2 * HOUR, **facts):
    return system_status(Facts(work=done, **facts), CAPACITY, WANTED, NOW, window)


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
    done = [
        work(120, busy_ms=100, hour=0),
        work(340, busy_ms=500, failures={"deadline-missed": 1}),
    ]
    (a, b) = status(*done, workload={"a": 1}, actions={"a": ["go", "stop"]}).agents
    assert (a.tasks_completed, a.workload, a.status) == (2, 1, "working")
    assert a.success_rate == pytest.approx(2 / 3)
    assert a.response_ms == pytest.approx((120 + 340) / 2)
    assert a.p95_ms == pytest.approx(340)
    assert a.utilization == pytest.approx(0.6 / (2 * 7200))
    assert a.recent_tasks == ["go", "stop"]
    assert (b.capacity, b.tasks_completed, b.recent_tasks) == (2, 0, [])


def test_what_was_called_off_counts_for_nothing():
    assert status(work(failures={CALLED_OFF: 3})).agents[0].success_rate is None


def test_a_sources_outage_and_a_persons_typos_say_nothing_of_the_agent():
    others = {"source-timeout": 5, "invalid-message": 5}
    found = status(work(100.0, failures=others | {"deadline-missed": 1}))
    assert found.agents[0].success_rate == 0.5
    assert status(work(failures=others)).agents[0].success_rate is None
    assert not any("fails most of its calls" in reason for reason in found.reasons)


def test_the_targets():
    waits = [10, 30, 40] * (ENOUGH_CALLS // 3)
    standing = dict.fromkeys(
        (TaskStatus.DONE, TaskStatus.DEGRADED, TaskStatus.FAILED, TaskStatus.RUNNING), 1
    )
    runs = [run(Outcome.PARTIAL), run(Outcome.FAILED), run(None)]
    found = status(work(1, waited_ms=waits), runs=runs, tasks=TaskCounts(standing))
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


def test_without_tasks_the_calls_are_the_tasks():
    found = status(work(1, 2, 3, failures={"source-timeout": 1, "invalid-message": 4}))
    assert target(found, "task success").actual == pytest.approx(3 / 4)


def test_a_few_calls_do_not_tell_how_well_it_coordinates():
    waits = [500] * ENOUGH_CALLS
    assert target(status(work(waited_ms=waits)), "coordination").met is False
    few = status(work(waited_ms=waits[1:]))
    assert target(few, "coordination").actual is None
    assert few.system_health == "healthy"


def test_utilization_spreads_over_the_instances_that_were_used():
    even = [work(instance="b", busy_ms=1000), work(instance="b/2", busy_ms=1000)]
    assert target(status(*even), "utilization spread").actual == pytest.approx(0)
    uneven = [work(instance="b", busy_ms=3_600_000), even[1]]
    assert target(status(*uneven), "utilization spread").actual == pytest.approx(0.25, abs=0.001)


def test_an_agent_that_fails_most_calls_makes_it_unhealthy():
    found = status(work(100, failures={"deadline-missed": 1, "unexpected": 1}))
    assert found.system_health == "unhealthy"
    assert found.reasons[0] == "a fails most of its calls"


def test_a_task_that_its_run_abandoned_makes_it_unhealthy():
    lost = TaskCounts({TaskStatus.RUNNING: 2}, abandoned=1)
    assert "1 tasks were abandoned by their run" in status(tasks=lost).reasons


def test_a_full_agent_and_an_open_question_are_told():
    found = status(workload={"a": 2}, open_approvals=1)
    assert found.agents[0].status == "busy"
    assert found.reasons == ["a has no free slot", "1 question waits for a person"]


def test_hours_hold_what_ended_in_them():
    done = [work(50, hour=0), work(hour=1, failures={"unexpected": 1}), work(9, hour=2)]
    first, second = status(*done).hours  # what ended while the report was made is the next one's
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
    found = status(open_incidents=incidents)
    assert (found.system_health, found.reasons) == (health, reasons)
    assert found.open_incidents == incidents
    assert incident_reasons(incidents) == reasons


def test_the_policy_says_what_is_wanted():
    done = Facts(work=[work(120, failures={"deadline-missed": 1})])
    modest = TargetRules(task_success=0.5)
    for wanted, met in ((WANTED, False), (modest, True)):
        found = system_status(done, CAPACITY, wanted, NOW, 2 * HOUR)
        assert target(found, "task success").met is met
    assert target(found, "task success").wanted == "at least 50.0%"
