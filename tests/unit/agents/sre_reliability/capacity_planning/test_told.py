"""How full a service says it is, in the names that exporters use."""

from __future__ import annotations

from typing import Any

import pytest

from agents.sre_reliability.capacity_planning.assessment import Load
from agents.sre_reliability.capacity_planning.told import loads_of
from agents.sre_reliability.system_monitoring.assessment import ServiceHealth


def service(metrics: dict[str, float] | None = None, **fields: Any) -> ServiceHealth:
    usual = {"name": "shop", "healthy": True, "status": "ok", "budget_ms": 1000.0}
    return ServiceHealth.model_validate(usual | {"metrics": metrics or {}} | fields)


def told(metrics: dict[str, float], **fields: Any) -> list[tuple[str, float | None, float | None]]:
    found = loads_of(service(metrics, **fields), 0.8)
    return [(load.measure, load.present, load.limit) for load in found]


@pytest.mark.parametrize(
    ("metrics", "present", "limit"),
    [
        ({"cpu_utilization_percent": 41.5}, 41.5, 100),
        ({"database_cpu_utilization_percent": 3}, 3, 100),
        ({"jvm_heap_usage_ratio": 0.4}, 0.4, 1),
        ({"memory_percent": 0}, 0, 100),
        ({'cpu_utilization_percent{job="shop"}': 12}, 12, 100),
        ({"process_open_fds": 9, "process_max_fds": 1024}, 9, 1024),
        ({"hikaricp_connections_active": 3, "hikaricp_connections_max": 10}, 3, 10),
        ({"db_pool_connections_in_use": 3, "db_pool_connections_limit": 10}, 3, 10),
        ({"jvm_memory_used_bytes": 5e8, "jvm_memory_max_bytes": 1e9}, 5e8, 1e9),
        ({"queue_depth": 120, "queue_capacity": 100}, 120, 100),
        ({'connections_active{db="a"}': 3, 'connections_max{db="a"}': 10}, 3, 10),
        ({"http_requests_in_flight": 4, "http_requests_limit": 64}, 4, 64),
    ],
)
def test_a_load_beside_its_limit_is_understood(
    metrics: dict[str, float], present: float, limit: float
) -> None:
    assert told(metrics) == [(next(iter(metrics)), present, limit)]


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"requests_per_five_minutes": 120},  # a load without a limit
        {"network_in_bytes": 1e6, "disk_write_bytes": 1e5},
        {"cpu_utilization_percent": 250},  # of several cores
        {"cpu_utilization_percent": -1},
        {"memory_free_percent": 10},  # more is emptier
        {"pool_idle_ratio": 0.9},
        {"cache_pool_hit_ratio": 0.9},
        {"error_percent": 4},  # nothing is full of it
        {"jvm_memory_used_bytes": 5e8, "jvm_memory_max_bytes": -1},  # "none", to a JVM
        {'connections_active{db="a"}': 3, 'connections_max{db="b"}': 10},  # another one's
        {'connections_active{db="a"}': 3, "connections_max": 10},  # of all together
    ],
)
def test_what_tells_no_limit_is_not_taken_for_one(metrics: dict[str, float]) -> None:
    ((measure, present, limit),) = told(metrics)
    assert (measure, present, limit) == ("metrics", None, None)


def test_who_does_not_work_is_out_whatever_its_metrics_say() -> None:
    metrics = {"cpu_utilization_percent": 1.0}
    (down,) = loads_of(service(metrics, status="down", detail="refused"), 0.8)
    assert (down.is_out, down.detail) == (True, "It is down now. refused")
    (unseen,) = loads_of(service(metrics, status="unknown"), 0.8)
    assert (unseen.is_out, unseen.limit) == (False, None)


def share(**fields: Any) -> float:
    (load,) = loads_of(service({"cpu_utilization_percent": 50}, **fields), 0.8)
    return load.share


def test_a_latency_near_its_budget_lowers_what_is_borne() -> None:
    assert share(latency_ms=None) == 0.8
    assert share(latency_ms=20.0) == 0.8
    # From 500 ms at 50% busy follow 1,000 ms at 75%.
    assert share(latency_ms=500.0) == pytest.approx(0.75)
    assert share(latency_ms=1000.0) == pytest.approx(0.5)


def test_memory_is_nothing_that_work_waits_for() -> None:
    (load,) = loads_of(service({"memory_usage_percent": 50}, latency_ms=999.0), 0.8)
    assert load.share == 0.8


def test_each_limit_is_an_entry() -> None:
    found = loads_of(service({"cpu_percent": 5, "memory_percent": 60, "requests": 7}), 0.8)
    assert [type(load) for load in found] == [Load, Load]
