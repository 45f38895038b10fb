"""Limits are raised within bounds, where the machine has room; else it is said why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sre_reliability.capacity_planning.assessment import Load, Surge
from agents.sre_reliability.capacity_planning.assessment import assess_capacity as assess
from agents.sre_reliability.capacity_planning.proposing import Pool, findings_of
from agents.sre_reliability.system_monitoring.assessment import HostHealth
from blocks.policy.surge_rules import SurgeRules
from blocks.prefect_api.client import PoolInfo, WorkerInfo
from blocks.prefect_api.worker_names import worker_name
from blocks.vocabulary.findings import Finding

RULES = SurgeRules(pools={"operations": 8, "agents": 8})
SURGE = Surge(items=100, factor=1.5, minutes=60)


def host(**fields: Any) -> HostHealth:
    usual = {
        "cpus": 8,
        "cpu_percent": 10.0,
        "load_per_cpu": 0.2,
        "memory_total_gb": 16.0,
        "memory_available_gb": 12.0,
        "swap_percent": 0.0,
        "disk_path": "/",
        "disk_total_gb": 100.0,
        "disk_free_gb": 50.0,
    }
    return HostHealth.model_validate(usual | fields)


def pool(name: str = "operations", **fields: Any) -> PoolInfo:
    worker = WorkerInfo(name=worker_name(name), last_heartbeat_at=None, online=True)
    usual = {"name": name, "type": "process", "paused": False, "concurrency_limit": None}
    return PoolInfo.model_validate(usual | {"worker_limit": 4, "workers": [worker]} | fields)


def load(name: str = "operations", present: float = 5.0, limit: float = 4.0) -> Load:
    return Load(f"pool:{name}", "runs at once", present, limit, slots=True, seconds_per_unit=1.0)


def found(
    *pools: PoolInfo,
    machine: HostHealth | None = host(),  # noqa: B008 - frozen
    rules: SurgeRules = RULES,
    usual: dict[str, int | None] | None = None,
    present: float = 5.0,
) -> list[Finding]:
    known = {p.name: Pool(p, (usual or {}).get(p.name, p.concurrency_limit)) for p in pools}
    loads = [load(name, present, float(pool.limit or 0)) for name, pool in known.items()]
    return findings_of(assess(loads, SURGE), known, machine, rules)


def test_a_limit_is_raised_to_the_least_that_bears_it() -> None:
    (finding,) = found(pool())
    assert finding.resource == "pool:operations"
    assert finding.remedy is not None
    assert finding.remedy.action == "raise_pool_limit"
    assert finding.remedy.params == {"pool": "operations", "limit": 6, "usual": None}
    assert finding.advice == "Its limit can be raised from 4 to 6, which bears it."


def test_a_limit_of_the_pool_itself_is_the_one_that_is_put_back() -> None:
    (finding,) = found(pool(concurrency_limit=3))
    assert finding.remedy is not None
    assert finding.remedy.params["usual"] == 3


def test_what_another_surge_has_raised_is_put_back_to_what_was_before_that() -> None:
    (finding,) = found(pool(concurrency_limit=6), usual={"operations": None}, present=6.0)
    assert finding.remedy is not None
    assert finding.remedy.params == {"pool": "operations", "limit": 7, "usual": None}


def test_a_raise_that_another_surge_has_made_is_asked_for_too() -> None:
    """Else it would end with the other surge."""
    (finding,) = found(pool(concurrency_limit=8), usual={"operations": None})
    assert finding.remedy is not None
    assert finding.remedy.params == {"pool": "operations", "limit": 6, "usual": None}


def test_the_bound_is_never_passed_and_said_to_be_too_low() -> None:
    (finding,) = found(pool(), present=30.0)
    assert finding.remedy is not None
    assert finding.remedy.params["limit"] == 8
    assert "not enough" in finding.advice


@pytest.mark.parametrize(
    ("pools", "machine", "why"),
    [
        (pool("approvals"), host(), "the policy names no bound for approvals"),
        (pool(worker_limit=8), host(), "its bound is 8"),
        (pool(paused=True), host(), "the pool is paused"),
        (pool(workers=[]), host(), "no worker of it is online"),
        (
            pool(workers=[WorkerInfo(name="w@other", last_heartbeat_at=None, online=True)]),
            host(),
            "it has workers elsewhere",
        ),
        (pool(), None, "nobody knows what this machine has left"),
        (pool(), host(serves=False), "no worker runs where this was asked for"),
        (pool(), host(load_per_cpu=1.4), "1.4 of processes per CPU"),
        (pool(), host(load_per_cpu=None), "an unknown number"),
        (pool(), host(memory_available_gb=3.3), "only 3.3 GB of memory"),
    ],
)
def test_a_limit_is_left_alone_where_that_is_not_safe(
    pools: PoolInfo, machine: HostHealth | None, why: str
) -> None:
    (finding,) = found(pools, machine=machine, present=9.0)
    assert finding.remedy is None
    assert why in finding.advice


def test_pools_share_what_the_machine_has_left() -> None:
    left = host(memory_available_gb=0.2 * 16 + 3 * RULES.run_memory_gb + 0.01)
    raised = [
        finding.remedy.params["limit"] - 4
        for finding in found(pool(), pool("agents"), machine=left)
        if finding.remedy
    ]
    assert raised == [2, 1], "the second gets what the first has left"


def test_what_bears_it_is_no_finding() -> None:
    assert found(pool(), present=0.0) == []


def test_what_is_no_pool_is_for_a_person() -> None:
    resources = assess(
        [Load("agent:a", "calls at once", 9.0, 8.0, slots=True, seconds_per_unit=1.0)], SURGE
    )
    (agent,) = findings_of(resources, {}, host(), RULES)
    assert agent.remedy is None
    assert "policy" in agent.advice
    down = Load("service:s", "health", is_out=True, detail="Down.")
    (service,) = findings_of(assess([down], SURGE), {}, host(), RULES)
    assert (service.title, service.advice) == ("s (health) does not work now", "Down.")
    assert service.severity == "error"


@given(
    present=st.floats(0, 50),
    limit=st.integers(1, 12),
    bound=st.integers(1, 12),
    memory=st.floats(0.1, 16),
)
def test_a_raise_is_within_its_bound_and_what_the_machine_has_left(
    present: float, limit: int, bound: int, memory: float
) -> None:
    machine = host(memory_available_gb=memory)
    rules = SurgeRules(pools={"operations": bound})
    for finding in found(pool(worker_limit=limit), machine=machine, rules=rules, present=present):
        if finding.remedy is not None:
            raised = finding.remedy.params["limit"]
            assert limit < raised <= bound
            needed = (raised - limit) * rules.run_memory_gb
            assert memory - needed >= rules.spare_memory * 16 - 1e-9
