"""The balance benchmark on a small run: a fair comparison, and the same one every time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from benchmarks.balance import (
    ATTEMPTS,
    CAPACITY,
    FAILURE_RATES,
    INSTANCES,
    LOAD,
    WORK_MS,
    Instance,
    World,
    compare,
    main,
    policies,
    run,
)

TASKS = 2_000


@pytest.fixture(scope="module")
def world() -> World:
    return World.draw(TASKS, 5)


@pytest.fixture(scope="module")
def outcomes(world):
    return {name: run(world, policy) for name, policy in policies(world, 5).items()}


def test_equal_seeds_give_equal_figures_and_others_do_not():
    assert compare(300, 5) == compare(300, 5) != compare(300, 6)


def test_the_world_is_as_described(world):
    assert sum(world.speeds) / INSTANCES == pytest.approx(1)
    assert max(world.speeds) / min(world.speeds) == pytest.approx(2)
    assert sum(world.failure_rates) / INSTANCES == pytest.approx(sum(FAILURE_RATES) / 2)
    per_ms = TASKS / world.arrivals[-1]
    assert per_ms * WORK_MS / (INSTANCES * CAPACITY) == pytest.approx(LOAD, rel=0.1)


def test_the_draws_belong_to_the_task_and_not_to_the_policy():
    """Without failures or waiting, two choices differ by the speeds alone, task by task."""
    calm = replace(
        World.draw(50, 5),
        arrivals=[1e6 * task for task in range(50)],
        failure_rates=[0.0] * INSTANCES,
        death=1e9,
    )
    first = run(calm, lambda team, now, attempt: team[0]).latencies
    second = run(calm, lambda team, now, attempt: team[1]).latencies
    ratio = calm.speeds[0] / calm.speeds[1]
    assert second == pytest.approx([ratio * latency for latency in first])


@pytest.mark.parametrize("name", ["ours", "random", "round robin", "least busy", "known speeds"])
def test_no_instance_has_more_calls_than_its_capacity_and_no_task_more_attempts(world, name):
    policy = policies(world, 5)[name]

    def watched(team, now, attempt):
        number = int(attempt.split("/")[1])
        assert number < ATTEMPTS
        assert len(team) == INSTANCES - number  # those that failed this task are not asked again
        chosen = policy(team, now, attempt)
        assert chosen is None or chosen.workload < CAPACITY
        return chosen

    run(world, watched)


def test_tasks_wait_in_order_of_arrival(world):
    begun = []

    def one_at_a_time(team, now, attempt):
        if any(i.workload for i in team):
            return None
        begun.append(attempt)
        return team[0]

    perfect = World(
        arrivals=[0.0, 1.0, 2.0, 3.0],
        work=[[10.0] * ATTEMPTS] * 4,
        luck=[[0.0] * ATTEMPTS] + [[1.0] * ATTEMPTS] * 3,
        speeds=[1.0] * INSTANCES,
        failure_rates=[0.5] + [0.0] * (INSTANCES - 1),
        dying=9,
        death=99.0,
    )
    outcome = run(perfect, one_at_a_time)
    assert begun == ["0/0", "0/1", "1/0", "2/0", "3/0"]
    assert outcome.latencies == [20.0, 29.0, 38.0, 47.0]


def test_the_dead_instance_gets_hardly_any_work_in_the_end(world, outcomes):
    late = world.arrivals[-1] - (world.arrivals[-1] - world.death) / 2
    share = {}
    for name, outcome in outcomes.items():
        calls = [sum(at > late for at in times) for times in outcome.calls]
        share[name] = calls[world.dying] / sum(calls)
    assert share["known speeds"] == 0
    assert share["ours"] < 0.05
    assert share["least busy"] > 0.08


def test_who_knows_the_speeds_is_the_fastest_and_ours_beats_the_simple_ones():
    rows = compare(TASKS, 5)
    simple = [rows[name] for name in ("random", "round robin", "least busy")]
    assert rows["known speeds"]["mean_ms"] < rows["ours"]["mean_ms"]
    assert all(rows["ours"]["mean_ms"] < row["mean_ms"] for row in simple)
    assert rows["known speeds"]["regret"] == 0


def test_older_outcomes_count_for_less():
    instance = Instance(0)
    instance.record(0.0, True, 200.0)
    instance.record(5_000.0, False, 900.0)
    instance.record(10_000.0, True, 100.0)
    known = instance.candidate()
    assert known.successes == pytest.approx(1.25)
    assert known.failures == pytest.approx(0.5)
    assert known.mean_ms == pytest.approx((0.25 * 200 + 100) / 1.25)


def test_the_last_line_is_one_object(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["balance", "--json", "--tasks", "200"])
    main()
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"utilization_sigma", "success_rate", "p95_ms", "regret"} <= figures.keys()
    assert "least_busy_p95_ms" in figures
