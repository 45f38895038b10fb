"""What the benchmark makes of its times; the times themselves need a stack."""

from __future__ import annotations

from benchmarks.own_stack import FLOW
from benchmarks.trigger_latency import quantile, summary


def test_a_quantile_of_few_values_is_the_greatest() -> None:
    assert quantile([1.0, 2.0, 3.0], 0.95) == 3.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 96.0


def test_the_ratio_is_that_of_the_medians() -> None:
    row = {"p50_s": 0.5, "p95_s": 1.0, "max_s": 2.0, "accept_p50_ms": 20.0}
    figures = summary({"warm": row, "process": {**row, "p50_s": 15.0}}, "postgres_")
    assert figures == {
        "postgres_accept_p50_ms": 20.0,
        "postgres_warm_p50_s": 0.5,
        "postgres_warm_p95_s": 1.0,
        "postgres_process_p50_s": 15.0,
        "postgres_ratio": 30.0,
    }


def test_the_workflow_that_is_timed_is_one() -> None:
    compile(FLOW, "three_calls.py", "exec")
