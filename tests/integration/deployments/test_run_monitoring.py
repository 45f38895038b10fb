"""Runs whose process died, on a real Prefect server with real processes."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest
import pytest_asyncio
import yaml
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import Event, Resource
from prefect.events.filters import EventFilter, EventIDFilter
from prefect.states import Cancelling, Completed, Crashed, Paused, Pending, Running, Scheduled

from blocks.errors import LedgerUnavailable
from blocks.ledger import Ledger, TaskRecord, TaskStatus
from blocks.ledger.calls.records import ReportRecord, RunRecord
from blocks.ledger.engine import health
from blocks.policy.policy import RecoveryRules
from blocks.prefect_api.worker_names import worker_name
from blocks.settings import PROJECT_ROOT, get_settings
from blocks.vocabulary.messages import Outcome, utc_now
from deployments.processes.watchdog import MARK, marked
from deployments.registration.registration import PREFECT_FILE, register
from deployments.services.run_monitoring import Reconciler
from flows.orchestrator.dispatch.context import shared_ledger
from flows.orchestrator.runs.deaths import CRASHED, CUT_OFF, GIVEN_UP, RESTARTED, TAG
from flows.reports.model import Report
from tests.integration.blocks.ledger.engine.test_health import locked
from tests.integration.tiny import mortal
from tests.waiting import until, wait_until

pytestmark = [pytest.mark.soak, pytest.mark.prefect, pytest.mark.slow]

SECOND = timedelta(seconds=1)
SETTLED = 31 * SECOND
"""After so long a crashed run is restarted."""


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("ORCHESTRATOR_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    get_settings.cache_clear()
    ledger = shared_ledger(get_settings().effective_ledger_url)
    yield ledger
    ledger.close()
    get_settings.cache_clear()


@dataclass
class Yard:
    """A work pool of the test's own, with deployments, and a reconciler that looks after it."""

    client: PrefectClient
    ledger: Ledger
    pool: str
    folder: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reconciler = Reconciler([self.pool], self.ledger, self.said.append)

    async def look(self, later: timedelta = timedelta()) -> None:
        await self.reconciler.look(utc_now() + later)

    async def start(self, name: str = "mortal", **how: object) -> UUID:
        """A run of the deployment, in the states that are given."""
        deployment = await self.client.read_deployment_by_name(f"mortal/{self.pool}-{name}")
        run = await self.client.create_flow_run_from_deployment(
            deployment.id, parameters={"folder": str(self.folder)}, **how
        )
        return run.id

    async def pretend(self, run_id: UUID, *states: object, here: bool = True, pid: int = 0) -> None:
        """Bring a run into states as a worker and a process would, without either."""
        where = socket.gethostname() if here else "elsewhere"
        labels = {"prefect.worker.name": f"worker-{self.pool}@{where}"}
        await self.client.update_flow_run_labels(run_id, labels)
        if pid:
            await self.client.update_flow_run(run_id, infrastructure_pid=str(pid))
        for state in states:
            await self.client.set_flow_run_state(run_id, state)

    async def run(self, run_id: UUID) -> FlowRun:
        return await self.client.read_flow_run(run_id)

    async def name_of(self, run_id: UUID) -> str | None:
        return (await self.run(run_id)).state_name

    async def until(self, run_id: UUID, condition: Callable[[FlowRun], bool]) -> FlowRun:
        async def look() -> FlowRun | None:
            run = await self.run(run_id)
            return run if condition(run) else None

        run = await until(look, f"the run {run_id}")
        assert run
        return run

    async def past(self, run_id: UUID) -> list[str | None]:
        return [state.name for state in await self.client.read_flow_run_states(run_id)]


@pytest_asyncio.fixture
async def yard(prefect_server: str, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Yard]:
    pool = f"yard-{uuid4().hex[:8]}"
    content = yaml.safe_load(PREFECT_FILE.read_text())
    content["orchestrator"] = {"work_pools": [{"name": pool, "queues": {"default": 1, "low": 2}}]}
    place = {"name": pool, "work_queue_name": "low"}
    kinds = {"mortal": [TAG], "left": [], "on-behalf": ["internal"]}
    content["deployments"] = [
        {
            "name": f"{pool}-{name}",
            "entrypoint": "tests.integration.tiny:mortal",
            "tags": tags,
            "work_pool": place,
            "concurrency_limit": 5,
        }
        for name, tags in kinds.items()
    ]
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump(content))
    await register(file=file)
    async with get_client() as client:
        yield Yard(client, ledger, pool, tmp_path)
        await client.delete_work_pool(pool)


Starter = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def worker(yard: Yard, tmp_path: Path) -> Iterator[Starter]:
    """Starts our worker, or Prefect's own; all that they started ends with the test."""
    mark = uuid4().hex
    started: list[subprocess.Popen[bytes]] = []

    def start(*, plain: bool = False) -> subprocess.Popen[bytes]:
        named = ["--pool", yard.pool, "--name", worker_name(yard.pool)]
        ours = ["deployments.worker", yard.pool]
        command = ["prefect", "worker", "start", *named] if plain else ours
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=PROJECT_ROOT,
                env={**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "1", MARK: mark},
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for each in marked(mark):
        each.kill()
    for process in started:
        process.wait()


def kill_run(run: FlowRun) -> None:
    """Kill -9 of the run's process, and of what belongs to it."""
    process = psutil.Process(int(run.infrastructure_pid or 0))
    for each in [process, *process.children(recursive=True)]:
        each.kill()


def is_alive_in(folder: Path) -> Callable[[FlowRun], bool]:
    def is_alive(run: FlowRun) -> bool:
        return bool(run.infrastructure_pid) and (folder / "lives").exists()

    return is_alive


async def test_a_run_whose_process_is_killed_ends_under_its_own_id(
    yard: Yard, worker: Starter
) -> None:
    worker()
    run_id = await yard.start(idempotency_key="once")
    run = await yard.until(run_id, is_alive_in(yard.folder))
    await yard.look()
    assert await yard.name_of(run_id) == "Running", "who lives is left alone"
    [record] = await yard.ledger.runs(going_on=True)

    kill_run(run)
    await yard.until(run_id, lambda run: run.state_name == CRASHED)  # the worker says so
    await yard.look()
    assert await yard.name_of(run_id) == CRASHED, "the worker may be busy with it"
    await yard.look(SETTLED)
    restarted = await yard.run(run_id)
    assert restarted.work_queue_name == "low"
    assert restarted.infrastructure_pid is None
    ended = await yard.until(run_id, lambda run: bool(run.state and run.state.is_completed()))
    assert ended.run_count == 2
    assert (yard.folder / "lives").read_text().count("\n") == 2

    closed = await yard.ledger.run(record.id)
    assert closed is not None
    assert closed.outcome is Outcome.FAILED
    assert await yard.ledger.runs(going_on=True) == []
    assert await yard.start(idempotency_key="once") == run_id, "the key still guards it"
    [told] = yard.said
    assert "Restart 1 of 3" in told


@pytest.mark.parametrize("plain", [True, False])
async def test_when_a_worker_is_killed_its_runs_live_on(
    yard: Yard, worker: Starter, plain: bool
) -> None:
    first = worker(plain=plain)
    run_id = await yard.start()
    run = await yard.until(run_id, is_alive_in(yard.folder))
    first.kill()
    await yard.look(30 * SECOND)
    assert await yard.name_of(run_id) == "Running"

    kill_run(run)
    await yard.look(11 * SECOND)
    dead = await yard.run(run_id)
    assert dead.state is not None
    assert (dead.state.name, dead.state.message) == (CRASHED, "Its process is gone.")


async def test_what_is_cancelled_when_its_worker_is_gone_is_ended(
    yard: Yard, worker: Starter
) -> None:
    first = worker()
    run_id = await yard.start()
    run = await yard.until(run_id, is_alive_in(yard.folder))
    process = psutil.Process(int(run.infrastructure_pid or 0))
    first.kill()
    await yard.client.set_flow_run_state(run_id, Cancelling())
    await yard.look(50 * SECOND)
    assert process.is_running(), "its worker may be busy with it"
    await yard.look(61 * SECOND)
    await asyncio.to_thread(wait_until, lambda: not process.is_running(), "its end")
    await yard.look(61 * SECOND)
    assert await yard.name_of(run_id) == "Cancelled"


async def test_a_run_of_the_command_line_is_settled_when_it_is_silent(yard: Yard) -> None:
    run = await yard.client.create_flow_run(mortal, state=Running())
    record = RunRecord(
        id=run.id.hex, workflow="mortal", flow_run_id=str(run.id), started_at=utc_now()
    )
    yard.ledger.record(record)
    await yard.ledger.flush()
    await yard.look()  # from now on it listens
    await yard.look(85 * SECOND)
    assert await yard.name_of(run.id) == "Running"
    await yard.look(95 * SECOND)
    assert await yard.name_of(run.id) == CRASHED
    await yard.look(95 * SECOND)
    assert await yard.ledger.runs(going_on=True) == []


async def test_a_run_that_a_dead_worker_had_claimed_is_restarted(yard: Yard) -> None:
    run_id = await yard.start()
    await yard.pretend(run_id, Pending(), Pending(name="Submitting"))
    await yard.look()
    await yard.look(50 * SECOND)
    assert await yard.name_of(run_id) == "Submitting", "a worker may be starting it"
    await yard.look(61 * SECOND)
    assert CRASHED in await yard.past(run_id)
    await yard.look(SETTLED)
    assert await yard.name_of(run_id) == RESTARTED


async def test_who_crashes_again_and_again_is_given_up(yard: Yard) -> None:
    run_id = await yard.start()
    now = utc_now()
    task = await yard.ledger.tasks.accept(TaskRecord(task_type="inventory_sync", requested_at=now))
    for _ in range(RecoveryRules().restarts + 1):
        await yard.pretend(run_id, Pending(), Running(), pid=os.getpid())
        life = await yard.run(run_id)
        suffix = f"-{life.run_count}" if life.run_count > 1 else ""
        assert await yard.ledger.tasks.start(task.id, run_id.hex + suffix, now, now)
        await yard.client.set_flow_run_state(run_id, Crashed(message="Killed."))
        await yard.look(SETTLED)
    for _ in range(2):
        await yard.look(SETTLED)
    given_up = await yard.run(run_id)
    assert given_up.state is not None
    assert given_up.state.type is StateType.CRASHED
    assert given_up.state.name == GIVEN_UP
    assert given_up.state.message == "It crashed 4 times, the last time: Killed."
    assert (await yard.past(run_id)).count(RESTARTED) == RecoveryRules().restarts
    closed = await yard.ledger.tasks.get(task.id)
    assert closed is not None
    assert (closed.status, closed.error and closed.error.code) == (TaskStatus.FAILED, "run-crashed")
    assert "is given up" in yard.said[-1]

    # A person who has it done again starts from the beginning.
    await yard.client.set_flow_run_state(run_id, Scheduled(name="AwaitingRetry"))
    await yard.pretend(run_id, Pending(), Running(), Crashed())
    await yard.look(SETTLED)
    assert await yard.name_of(run_id) == RESTARTED


async def test_who_was_cut_off_is_restarted_when_the_ledger_takes_writes_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DEADLINE", 0.2)
    monkeypatch.setattr(health, "FRESH", 0.0)
    run_id = await yard.start()
    cut_off = Crashed(name=CUT_OFF, message="The ledger cannot be opened.")
    await yard.pretend(run_id, Pending(), Running(), cut_off)
    with locked(get_settings().effective_ledger_url):
        with pytest.raises(LedgerUnavailable, match=r"no write|cannot be written"):
            await yard.look(SETTLED)
        assert await yard.name_of(run_id) == CUT_OFF
    await yard.look(SETTLED)
    assert await yard.name_of(run_id) == RESTARTED
    await yard.pretend(run_id, Pending(), Running(), cut_off)
    await yard.look(SETTLED)
    assert await yard.name_of(run_id) == CUT_OFF, "it rests longer the second time"
    await yard.look(2 * SETTLED)
    assert await yard.name_of(run_id) == RESTARTED
    assert "Restart 2 of 60" in yard.said[-1]


async def test_what_was_being_cancelled_is_cancelled(yard: Yard) -> None:
    by_us, by_worker = await yard.start(), await yard.start()
    await yard.pretend(by_us, Pending(), Running(), Cancelling(), pid=2**22)
    await yard.pretend(by_worker, Pending(), Running(), Cancelling(), Crashed(), pid=2**22)
    await yard.look(11 * SECOND)
    assert await yard.name_of(by_us) == "Cancelled"
    assert await yard.name_of(by_worker) == "Cancelled"


async def test_on_another_machine_heartbeats_tell(yard: Yard) -> None:
    beating, silent, watched = [await yard.start() for _ in range(3)]
    for run_id in (beating, silent):
        await yard.pretend(run_id, Pending(), Running(), here=False, pid=os.getpid())
    await yard.pretend(watched, Pending(), Running(), here=False)
    await yard.client.update_flow_run_labels(watched, {"prefect.worker.name": "there"})
    await yard.look()  # from now on it listens

    await asyncio.sleep(4)
    await yard.client.send_worker_heartbeat(yard.pool, "there", heartbeat_interval_seconds=30)
    resource = {"prefect.resource.id": f"prefect.flow-run.{beating}"}
    beat = Event(event="prefect.flow-run.heartbeat", resource=Resource(resource))
    await yard.client.request("POST", "/events", json=[beat.model_dump(mode="json")])
    this = EventFilter(id=EventIDFilter(id=[beat.id]))

    async def stored() -> bool:
        return bool((await yard.client.read_events(this, limit=1)).events)

    await until(stored, "the stored heartbeat")
    await yard.reconciler.look(beat.occurred + 87 * SECOND)
    assert CRASHED in await yard.past(silent)
    assert await yard.name_of(beating) == "Running"
    assert await yard.name_of(watched) == "Running", "its worker is alive, and would tell"
    await yard.look(120 * SECOND)
    assert CRASHED in await yard.past(beating)


async def test_silence_while_the_server_was_away_is_none(yard: Yard) -> None:
    run_id = await yard.start()
    await yard.pretend(run_id, Pending(), Running(), here=False)
    await yard.look(200 * SECOND)
    await yard.look(280 * SECOND)
    assert await yard.name_of(run_id) == "Running"
    await yard.look(291 * SECOND)
    assert CRASHED in await yard.past(run_id)


async def test_what_left_its_report_is_not_done_again(yard: Yard) -> None:
    run_id = await yard.start()
    now = utc_now()
    report = Report(
        workflow="mortal",
        title="",
        run_id=run_id.hex,
        started_at=now,
        finished_at=now,
        outcome=Outcome.PARTIAL,
        headline="Half of it.",
        timezone="UTC",
    )
    await yard.ledger.save_report(
        ReportRecord(
            run_id=run_id.hex,
            workflow="mortal",
            created_at=now,
            body=report.model_dump(mode="json"),
        )
    )
    await yard.pretend(run_id, Pending(), Running(), Crashed())
    await yard.look(SETTLED)
    state = (await yard.run(run_id)).state
    assert state is not None
    assert (state.type, state.name) == (StateType.COMPLETED, "Partial")
    assert state.message == "Half of it."


async def test_only_what_is_marked_is_restarted(yard: Yard) -> None:
    run_id = await yard.start("left")
    await yard.pretend(run_id, Pending(), Running(), Crashed())
    await yard.look(SETTLED)
    await yard.look(SETTLED)
    assert await yard.name_of(run_id) == CRASHED


async def test_a_dead_form_is_settled(yard: Yard) -> None:
    run_id = await yard.start("left")
    await yard.pretend(run_id, Pending(), Running(), Paused(timeout_seconds=3600), pid=2**22)
    await yard.look(11 * SECOND)
    assert await yard.name_of(run_id) == CRASHED


async def test_of_two_who_look_at_once_one_restarts(yard: Yard) -> None:
    run_id = await yard.start()
    await yard.pretend(run_id, Pending(), Running(), pid=2**22)
    other = Reconciler([yard.pool], yard.ledger, yard.said.append)
    for later in (11 * SECOND, 45 * SECOND):
        now = utc_now() + later
        await asyncio.gather(yard.reconciler.look(now), other.look(now))
    past = await yard.past(run_id)
    assert (past.count(CRASHED), past.count(RESTARTED)) == (1, 1)
    assert len(yard.said) == 2


async def test_a_dead_run_holds_no_slot(yard: Yard) -> None:
    run_id = await yard.start()
    deployment = (await yard.run(run_id)).deployment_id

    async def slots() -> int:
        limit = f"deployment:{deployment}"
        return (await yard.client.read_global_concurrency_limit_by_name(limit)).active_slots

    await yard.pretend(run_id, Pending(), Running(), pid=2**22)
    assert await slots() == 1
    await yard.look(11 * SECOND)
    assert await slots() == 0
    await yard.look(45 * SECOND)
    await yard.pretend(run_id, Pending(), Running(), Completed())
    assert await slots() == 0


async def test_a_stack_that_starts_keeps_what_was_accepted(yard: Yard) -> None:
    accepted, on_behalf = await yard.start(), await yard.start("on-behalf")
    goes_on = await yard.start("on-behalf")
    await yard.pretend(goes_on, Pending(), Running(), Crashed(), Scheduled(name=RESTARTED))
    running = await yard.start()
    await yard.pretend(running, Pending(), Running(), pid=2**22)
    assert await yard.reconciler.start_over(utc_now() + 11 * SECOND) == 1
    assert await yard.name_of(accepted) == "Scheduled"
    assert await yard.name_of(on_behalf) == "Cancelled"
    assert await yard.name_of(goes_on) == RESTARTED
    assert await yard.name_of(running) == CRASHED
    await yard.look(SETTLED)
    assert await yard.name_of(running) == RESTARTED
