"""kill -9 at every named point of recovery: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import signal

import pytest

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger, TaskRecord, TaskStatus
from blocks.vocabulary.messages import utc_now
from tests.forked import run_script
from tests.integration.flows.bench import Bench
from tests.waiting import until

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

SCRIPT = """
import asyncio, os, sys
from datetime import timedelta
from pathlib import Path
from prefect import flow
from flows.orchestrator.tasks import recovery
from flows.orchestrator.team.opening import workflow_run
from tests.integration.flows.bench import Bench

recovery.ALIVE = timedelta(seconds=0.3)  # a dead run is taken over soon
folder, task_id, failing, dies = sys.argv[1:]
bench = Bench(Path(folder))
bench.failing = dict.fromkeys(failing.split(), -1)
if dies == "acting":
    acted = bench._do
    def act_and_die(what):
        acted(what)
        os.kill(os.getpid(), 9)
    bench._do = act_and_die

@flow
async def routing():
    async with workflow_run("routing", with_business=False, agents=bench.registry) as team:
        return await recovery.carry_out(team, task_id)

print(asyncio.run(routing()).status)
"""

POINTS = {
    "recovery.started": "work",
    "recovery.primary-answered": "work",
    "recovery.before-secondary": "work",
    "recovery.secondary-answered": "work estimate",
    "recovery.before-escalation": "work estimate",
    "recovery.escalated": "work estimate",
}
"""Each point, and what fails on the way to it."""


def run(bench: Bench, task_id: str, failing: str, point: str = "", dies: str = "") -> int:
    """Carry the task out in a process of its own; its exit code."""
    arguments = (str(bench.folder), task_id, failing, dies)
    ended = run_script(SCRIPT, *arguments, **{CRASH_AT: point})
    assert ended.returncode <= 0, ended.stderr
    return ended.returncode


async def let_go(ledger: Ledger, task_id: str) -> None:
    """Until the dead run's hold on the task is over."""

    async def is_free() -> bool:
        return task_id in {task.id for task in await ledger.tasks.abandoned(utc_now())}

    await until(is_free, f"the end of the hold on task {task_id}")


@pytest.mark.parametrize("point", POINTS)
async def test_a_task_survives_the_death_of_its_run(bench, ledger, point):
    task = await ledger.tasks.accept(TaskRecord(task_type="covered", requested_at=utc_now()))
    assert run(bench, task.id, POINTS[point], point) == -signal.SIGKILL
    assert not (await ledger.tasks.get(task.id)).status.is_final

    await let_go(ledger, task.id)
    assert run(bench, task.id, POINTS[point]) == 0
    settled = await ledger.tasks.get(task.id)
    assert bench.done == POINTS[point].split() + ["estimate"] * (POINTS[point] == "work")
    asked = await ledger.approvals.list(task_id=task.id)
    if POINTS[point] == "work":
        assert (settled.status, asked) == (TaskStatus.DEGRADED, [])
    else:
        assert settled.status is TaskStatus.AWAITING_APPROVAL
        assert len(asked) == 1
    assert (await ledger.receipts.verify()).faults == []


async def test_what_was_settled_is_settled(bench, ledger):
    task = await ledger.tasks.accept(TaskRecord(task_type="plain", requested_at=utc_now()))
    assert run(bench, task.id, "", "recovery.settled") == -signal.SIGKILL
    assert (await ledger.tasks.get(task.id)).status is TaskStatus.DONE
    assert run(bench, task.id, "") == 0
    assert bench.done == ["work"]


async def test_what_died_while_it_acted_is_left_to_a_person(bench, ledger):
    task = await ledger.tasks.accept(TaskRecord(task_type="paying", requested_at=utc_now()))
    assert run(bench, task.id, "", dies="acting") == -signal.SIGKILL
    await let_go(ledger, task.id)
    assert bench.done == ["pay"]
    assert run(bench, task.id, "") == 0
    assert bench.done == ["pay"], "nobody knows whether it happened: never blindly again"
    assert (await ledger.tasks.get(task.id)).status is TaskStatus.AWAITING_APPROVAL
    (asked,) = await ledger.approvals.list(task_id=task.id)
    assert "its outcome is unknown" in asked.detail


async def test_what_only_reads_is_simply_done_again(bench, ledger):
    task = await ledger.tasks.accept(TaskRecord(task_type="plain", requested_at=utc_now()))
    assert run(bench, task.id, "", dies="acting") == -signal.SIGKILL
    await let_go(ledger, task.id)
    assert run(bench, task.id, "") == 0
    assert bench.done == ["work", "work"]
    assert (await ledger.tasks.get(task.id)).status is TaskStatus.DONE
