"""From readings to findings, score and status: host, Prefect, assessment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.sre_reliability.system_monitoring import assessment, host, platform
from agents.sre_reliability.system_monitoring.assessment import DatabaseHealth, HostHealth
from agents.sre_reliability.system_monitoring.prefect_itself.runs import judge_prefect
from agents.sre_reliability.system_monitoring.watching import exhausted
from blocks.prefect_api.client import PoolInfo, PrefectHealth, QueueDepth, RunInfo, WorkerInfo
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def finding(severity: Severity, share: float | None = None, kind: str = "service-down") -> Finding:
    return Finding(
        kind=kind, resource="service:x", severity=severity, title="x", revenue_share=share
    )


INFO, WARNING, ERROR, CRITICAL = Severity


@pytest.mark.parametrize(
    ("findings", "score", "status"),
    [
        ([], 100.0, "healthy"),
        ([finding(INFO)], 100.0, "healthy"),
        ([finding(WARNING)], 95.0, "degraded"),
        ([finding(ERROR)], 85.0, "degraded"),
        ([finding(ERROR, 0.0)], 92.5, "degraded"),  # half of 15
        ([finding(ERROR, 0.6)], 88.0, "degraded"),  # 0.8 of 15
        ([finding(CRITICAL, 1.0), finding(WARNING)], 55.0, "critical"),
        ([finding(CRITICAL)] * 3, 0.0, "critical"),
    ],
)
def test_score_and_status_follow_the_documented_formula(findings, score, status):
    assert assessment.score(findings) == score
    assert assessment.status(findings) == status


def test_findings_come_worst_first_and_then_by_revenue():
    found = [
        finding(WARNING, 1.0, "a"),
        finding(ERROR, 0.1, "b"),
        finding(ERROR, 0.9, "c"),
        finding(CRITICAL, None, "d"),
    ]
    assert [f.kind for f in assessment.worst_first(found)] == ["d", "c", "b", "a"]


WELL = HostHealth(
    cpus=2,
    cpu_percent=10,
    load_per_cpu=0.5,
    memory_total_gb=8,
    memory_available_gb=4,
    swap_percent=0,
    disk_path="/",
    disk_total_gb=100,
    disk_free_gb=50,
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {}),
        ({"load_per_cpu": 1.5}, {}),
        ({"load_per_cpu": 1.6}, {"cpu-overloaded": WARNING}),
        ({"load_per_cpu": 4.1}, {"cpu-overloaded": ERROR}),
        ({"load_per_cpu": None}, {}),
        ({"memory_available_gb": 0.7}, {"memory-low": WARNING}),
        ({"memory_available_gb": 0.3}, {"memory-low": ERROR}),
        ({"disk_free_gb": 5.0}, {}),  # 5%, but 5 GB: enough
        ({"disk_free_gb": 1.9}, {"disk-low": WARNING}),
        ({"disk_free_gb": 0.4}, {"disk-low": ERROR}),
        ({"disk_total_gb": 1, "disk_free_gb": 0.4}, {}),  # small, but 40% free
        ({"clock_skew_s": -4.0}, {}),
        ({"clock_skew_s": -6.0}, {"clock-off": WARNING}),
        ({"clock_skew_s": 90.0}, {"clock-off": ERROR}),
    ],
)
def test_a_host_is_judged_by_what_it_has_left(change, expected):
    found = host.judge_host(WELL.model_copy(update=change))
    assert {f.kind: f.severity for f in found} == expected


def test_the_load_of_a_machine_where_a_command_was_typed_is_no_finding():
    typed = WELL.model_copy(update={"serves": False, "load_per_cpu": 9.0})
    assert host.judge_host(typed) == []
    short = typed.model_copy(update={"name": "laptop", "disk_free_gb": 0.4})
    (found,) = host.judge_host(short)  # the ledger needs its disk, whoever asks
    assert (found.kind, found.evidence["host"]) == ("disk-low", "laptop")
    assert "laptop" not in found.title


def test_a_worker_marks_the_machine_that_serves(tmp_path, monkeypatch):
    monkeypatch.delenv(host.WORKERS_MARK, raising=False)
    assert not host.read_host(tmp_path).serves
    monkeypatch.setenv(host.WORKERS_MARK, "1")
    assert host.read_host(tmp_path).serves
    assert host.read_host(tmp_path).name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"load_per_cpu": 9.0}, ""),  # slow, but nothing is used up
        ({"memory_available_gb": 0.7}, ""),
        ({"memory_available_gb": 0.3}, "Only 0.3 GB of memory are available"),
        ({"disk_free_gb": 0.4}, "Only 0.40 GB are free where the ledger lies"),
    ],
)
def test_a_call_must_stop_only_when_memory_or_disk_is_used_up(change, told):
    assert exhausted(WELL.model_copy(update=change)) == told


def test_one_wrong_clock_among_others_is_not_ours():
    assert host.with_clock(WELL, [0.2, None, 500.0, -0.1]).clock_skew_s == 0.2
    assert host.with_clock(WELL, [None]).clock_skew_s is None


def test_the_machine_can_be_read_and_a_folder_need_not_exist_yet(tmp_path):
    read = host.read_host(tmp_path / "not" / "yet")
    assert read.disk_path == str(tmp_path)
    assert 0 < read.disk_free_gb <= read.disk_total_gb
    assert 0 < read.memory_available_gb <= read.memory_total_gb
    assert read.cpus >= 1


def prefect(**change: object) -> PrefectHealth:
    answer = {
        "version": "3.8.8",
        "latency_ms": 5,
        "clock_skew_s": 0,
        "window_hours": 24,
        "runs_by_state": {},
        "mean_wait_s": None,
        "late": [],
        "queues": [],
        "running": [],
        "stalled": [],
        "pools": [],
        "failures": [],
    }
    return PrefectHealth.model_validate(answer | change)


def run(name: str, ago: float = 0, **change: object) -> RunInfo:
    return RunInfo.model_validate(
        {
            "id": name,
            "name": name,
            "flow": "daily-health-check",
            "state": "Late",
            "pool": "orchestrator",
            "queue": "default",
            "expected_at": NOW - timedelta(seconds=ago),
        }
        | change
    )


def pool(*, online: int = 0, offline: int = 0, paused: bool = False) -> PoolInfo:
    workers = [
        WorkerInfo(name=f"w{i}", last_heartbeat_at=NOW, online=i < online)
        for i in range(online + offline)
    ]
    return PoolInfo(
        name="orchestrator", type="process", paused=paused, concurrency_limit=None, workers=workers
    )


def depth(due: int) -> QueueDepth:
    return QueueDepth(pool="orchestrator", queue="default", due=due, late=0, oldest_wait_s=1)


def kinds(health: PrefectHealth) -> dict[str, Severity]:
    return {f.kind: f.severity for f in judge_prefect(health, NOW)}


def test_a_prefect_that_is_well_gives_no_finding():
    assert kinds(prefect(pools=[pool(online=1)], queues=[depth(3)])) == {}


def test_late_runs_are_an_error_after_ten_minutes():
    assert kinds(prefect(late=[run("a", 120)])) == {"prefect-late-runs": WARNING}
    assert kinds(prefect(late=[run("a", 120), run("b", 601)])) == {"prefect-late-runs": ERROR}


def test_late_runs_name_their_pool_count_and_oldest_wait():
    (found,) = judge_prefect(prefect(late=[run("a", 120), run("b", 300)]), NOW)
    assert found.resource == "pool:orchestrator"
    assert found.evidence == {
        "late": 2,
        "oldest_wait_s": 300,
        "flows": {"daily-health-check": 2},
    }


@pytest.mark.parametrize(
    ("pools", "queues", "expected"),
    [
        ([pool()], [], {}),  # never had a worker, nothing waits
        ([pool(offline=2)], [], {"worker-offline": INFO}),
        ([pool(offline=2)], [depth(1)], {"worker-offline": ERROR}),
        ([pool()], [depth(1)], {"worker-offline": ERROR}),
        ([pool(offline=2, online=1)], [depth(1)], {}),
        ([pool(offline=2, paused=True)], [depth(1)], {"prefect-paused": INFO}),
        ([pool(online=1)], [depth(20)], {"queue-backlog": WARNING}),
    ],
)
def test_workers_and_queues(pools, queues, expected):
    assert kinds(prefect(pools=pools, queues=queues)) == expected


def test_failures_are_told_per_flow_and_repeated_ones_are_a_warning():
    failures = [run(f"f{i}", state="Failed", message="boom") for i in range(3)]
    other = run("g", flow="other", state="Crashed")
    found = judge_prefect(prefect(failures=[*failures, other]), NOW)
    assert {f.resource: f.severity for f in found} == {
        "flow:daily-health-check": WARNING,
        "flow:other": INFO,
    }


def test_a_run_without_a_sign_of_life_is_told_apart_from_a_long_one():
    started = NOW - timedelta(hours=7)
    silent = run("a", started_at=started, last_heartbeat_at=NOW - timedelta(hours=1))
    long = run("b", started_at=started)
    titles = [f.title for f in judge_prefect(prefect(stalled=[silent, long]), NOW)]
    assert "no sign of life" in titles[0]
    assert "unusually long" in titles[1]


def test_readings_of_store_and_ledger_become_one():
    assert platform.merge([]) is None
    merged = platform.merge(
        [DatabaseHealth(store_latency_ms=3.0), DatabaseHealth(ledger_writable=False)]
    )
    assert merged == DatabaseHealth(store_latency_ms=3.0, ledger_writable=False)
