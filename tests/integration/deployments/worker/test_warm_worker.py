"""The warm worker, on a real Prefect server: what a forked run is, and how it can end."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import LogFilter
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from blocks.settings import PROJECT_ROOT
from deployments.processes.watchdog import marked
from deployments.registration.registration import WorkPool, save_pool
from deployments.worker import forking
from deployments.worker.forked_run import Order
from tests.integration.workers import is_completed, is_running, run_that, working
from tests.waiting import until, wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

WORD = "WORD = 'old'\n"

FLOWS = '''
import asyncio, json, os, sys
from pathlib import Path

from prefect import flow
from prefect.settings import get_current_settings

from blocks.settings import get_settings
from blocks.word import WORD

@flow(name="telling")
async def telling(file: str):
    """Write down what kind of process this is."""
    Path(file).write_text(json.dumps({
        "pid": os.getpid(), "parent": os.getppid(), "group": os.getpgrp(), "cwd": os.getcwd(),
        "environment": dict(os.environ), "timezone": get_settings().timezone, "word": WORD,
        "level": get_current_settings().logging.level, "arguments": sys.orig_argv,
    }))

def note(flow, flow_run, state):
    with open(flow_run.parameters["file"], "a") as file:
        file.write(f"{state.name}\\n")

@flow(name="lasting", on_crashed=[note], on_cancellation=[note])
async def lasting(file: str):
    """Last until it is ended, and leave the end to hooks."""
    await asyncio.Event().wait()

@flow(name="patient")
async def patient(file: str):
    """Go on until told to end."""
    while not os.path.exists(file):
        await asyncio.sleep(0.1)

@flow(name="leaving")
async def leaving(file: str):
    os._exit(3)

@flow(name="late", timeout_seconds=0.5)
async def late(file: str):
    await asyncio.sleep(60)
'''


NOWHERE: Any = {"environment": {}, "directory": "/", "manifest": "", "quiet": True}


def command(process: psutil.Process | None) -> list[str]:
    """What a process was started as; nothing once it has ended."""
    try:
        return process.cmdline() if process else []
    except psutil.Error:
        return []


@dataclass
class Shop:
    """A copy of the project with flows of its own, and a pool.

    Attributes:
        client: Of the server.
        project: Where the copy lies.
        pool: The pool's name.
        mark: What every process of its worker carries.
    """

    client: PrefectClient
    project: Path
    pool: str
    mark: str

    async def start(self, flow: str, queue: str = "default", **job_variables: Any) -> FlowRun:
        """A run of one of the flows, which gets a file of its own."""
        deployment = await self.client.read_deployment_by_name(f"{flow}/{self.pool}")
        return await self.client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"file": str(self.project / f"{uuid4().hex}.json")},
            work_queue_name=queue,
            job_variables=job_variables,
        )

    async def completed(self, run: FlowRun) -> dict[str, Any]:
        """What a run of "telling" tells, once it is completed."""
        await run_that(self.client, run.id, is_completed)
        told: dict[str, Any] = json.loads(written(run))
        return told

    async def running(self, run: FlowRun) -> psutil.Process:
        """The process of a run that runs."""
        found = await run_that(self.client, run.id, lambda r: is_running(r) and has_process(r))
        return psutil.Process(int(found.infrastructure_pid or 0))

    async def ended(self, run: FlowRun) -> FlowRun:
        """The run, once it is in a final state."""

        async def look() -> FlowRun | None:
            found = await self.client.read_flow_run(run.id)
            return found if found.state is not None and found.state.is_final() else None

        found = await until(look, "the run's end")
        assert found
        return found

    async def says(self, run: FlowRun, *words: str) -> None:
        """Returns when the run's log on the server says all that; it comes after the last state."""

        async def said() -> bool:
            logs = await self.client.read_logs(LogFilter(flow_run_id={"any_": [run.id]}))
            log = "\n".join(entry.message for entry in logs)
            return all(each in log for each in words)

        await until(said, " and ".join(words))

    @property
    def fork_server(self) -> psutil.Process:
        """The newest fork server of its worker."""
        found = [p for p in marked(self.mark) if "deployments.worker.fork_server" in command(p)]
        servers = [p for p in found if "deployments.worker" in command(p.parent())]
        return max(servers, key=lambda process: process.create_time())


def has_process(run: FlowRun) -> bool:
    return bool(run.infrastructure_pid)


def is_gone(process: psutil.Process) -> bool:
    """Whether it does nothing any more; not every first process of a container buries orphans."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def all_gone(mark: str) -> bool:
    """Whether no process with that mark does anything."""
    return all(is_gone(process) for process in marked(mark))


def tell(run: FlowRun) -> None:
    """Have a patient run end."""
    Path(run.parameters["file"]).touch()


def written(run: FlowRun) -> str:
    """What a run, or a hook of it, wrote."""
    return Path(run.parameters["file"]).read_text()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose files the tests change."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("agents", "blocks", "deployments", "flows"):
        shutil.copytree(
            PROJECT_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    shutil.copy(PROJECT_ROOT / "prefect.yaml", folder)
    (folder / "blocks/word.py").write_text(WORD)
    (folder / "flows/for_tests.py").write_text(FLOWS)
    return folder


@pytest.fixture(scope="module")
def pool(prefect_server: str, project: Path) -> str:
    """The pool of the worker below."""
    return deployed(project)


@pytest.fixture(scope="module")
def other_pool(prefect_server: str, project: Path) -> str:
    """A pool that has no worker yet."""
    return deployed(project)


def deployed(project: Path) -> str:
    """The name of a new pool with deployments of those flows."""
    name = f"warm-{uuid4().hex[:8]}"

    async def deploy() -> None:
        async with get_client() as client:
            await save_pool(client, WorkPool(name=name, queues={"first": 1, "default": 2}))
            for flow in ("telling", "lasting", "patient", "leaving", "late"):
                await client.create_deployment(
                    await client.create_flow_from_name(flow),
                    name,
                    entrypoint=f"flows.for_tests:{flow}",
                    work_pool_name=name,
                    pull_steps=[
                        {
                            "prefect.deployments.steps.set_working_directory": {
                                "directory": str(project)
                            }
                        }
                    ],
                )

    asyncio.run(deploy())
    return name


@pytest.fixture(scope="module")
def worker(pool: str, project: Path) -> Iterator[str]:
    """A worker that runs one run at a time and hardly ever polls; the mark of its processes."""
    mark, log = uuid4().hex, project / "worker.log"
    settings = {
        "ORCHESTRATOR_WORKER_LIMIT": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "600",
        "ORCHESTRATOR_LIVENESS_TIMEOUT": "1",
    }
    with working(log, pool, project=project, mark=mark, **settings) as process:
        yield mark
        assert process.poll() is None, log.read_text()


@pytest_asyncio.fixture
async def client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


@pytest.fixture
def shop(client: PrefectClient, project: Path, pool: str, worker: str) -> Shop:
    return Shop(client, project, pool, worker)


async def test_a_run_starts_without_a_poll_in_a_process_of_its_own(shop: Shop) -> None:
    await shop.completed(await shop.start("telling"))  # now the first poll is over
    run = await shop.start("telling")
    told = await shop.completed(run)

    assert told["parent"] == shop.fork_server.pid
    assert told["group"] == told["pid"]
    assert told["cwd"] == str(shop.project)
    found = await shop.client.read_flow_run(run.id)
    assert found.infrastructure_pid == str(told["pid"])
    assert found.labels["prefect.worker.type"] == "process"
    states = [state.name for state in await shop.client.read_flow_run_states(run.id)]
    assert states == ["Scheduled", "Pending", "Submitting", "Running", "Completed"]
    await shop.says(run, "Running 1 deployment pull step(s)", "Finished in state Completed()")


async def test_a_run_has_its_own_environment_and_settings(shop: Shop) -> None:
    env = {"FOR_THIS_RUN": "yes", "ORCHESTRATOR_TIMEZONE": "Asia/Tokyo"}
    told = await shop.completed(
        await shop.start("telling", env={**env, "PREFECT_LOGGING_LEVEL": "ERROR"})
    )
    assert told["environment"].items() >= env.items()
    assert told["timezone"] == "Asia/Tokyo"
    assert told["level"] == "ERROR"
    assert told["parent"] == shop.fork_server.pid

    after = await shop.completed(await shop.start("telling"))
    assert "FOR_THIS_RUN" not in after["environment"]
    assert (after["timezone"], after["level"]) == ("", "INFO")


async def test_what_is_read_while_an_interpreter_starts_gets_one(shop: Shop) -> None:
    told = await shop.completed(await shop.start("telling", env={"TZ": "Asia/Tokyo"}))
    assert told["arguments"][-1] == "prefect.engine"
    assert told["parent"] == shop.fork_server.ppid()  # the worker

    command = f"{sys.executable} -X dev -m prefect.engine"
    told = await shop.completed(
        await shop.start("telling", command=command, working_dir=str(shop.project))
    )
    assert told["arguments"] == command.split()


async def test_a_run_of_another_project_gets_an_interpreter_there(
    shop: Shop, tmp_path: Path
) -> None:
    """Our modules are loaded in the fork server: those of the same name elsewhere are others."""
    (tmp_path / "flows.py").write_text(FLOWS.replace("from blocks.word import WORD", "WORD = ''"))
    (tmp_path / "blocks").symlink_to(PROJECT_ROOT / "blocks")
    await shop.client.create_deployment(
        await shop.client.create_flow_from_name("telling"),
        "elsewhere",
        entrypoint="flows.py:telling",
        work_pool_name=shop.pool,
        pull_steps=[
            {"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}
        ],
    )
    deployment = await shop.client.read_deployment_by_name("telling/elsewhere")
    run = await shop.client.create_flow_run_from_deployment(
        deployment.id, parameters={"file": str(tmp_path / "told.json")}
    )
    told = await shop.completed(run)
    assert told["cwd"] == str(tmp_path)
    assert told["arguments"][-1] == "prefect.engine"


async def test_a_cancelled_run_ends_with_its_hook(shop: Shop) -> None:
    run = await shop.start("lasting")
    process = await shop.running(run)
    await shop.client.set_flow_run_state(run.id, Cancelling())
    assert (await shop.ended(run)).state_name == "Cancelled"
    assert is_gone(process)
    assert written(run) == "Cancelling\n"


async def test_a_killed_run_is_crashed_and_its_hook_runs(shop: Shop) -> None:
    run = await shop.start("lasting")
    (await shop.running(run)).kill()
    ended = await shop.ended(run)
    assert ended.state_name == "Crashed"
    assert "-9" in str(ended.state and ended.state.message)
    # The hook comes after the state; nothing else of the pool runs before it is done.
    await shop.completed(await shop.start("telling"))
    assert written(run) == "Crashed\n"


async def test_other_ends_of_a_run(shop: Shop) -> None:
    left = await shop.ended(await shop.start("leaving"))
    assert left.state_name == "Crashed"
    assert "status code: 3" in str(left.state and left.state.message)
    assert (await shop.ended(await shop.start("late"))).state_name == "TimedOut"


async def test_a_free_slot_goes_to_the_queue_that_goes_first(shop: Shop) -> None:
    holder = await shop.start("lasting")
    process = await shop.running(holder)
    later = await shop.start("telling")
    urgent = await shop.start("telling", queue="first")
    process.kill()
    for run in (urgent, later):
        await shop.completed(run)
    runs = [await shop.client.read_flow_run(run.id) for run in (holder, urgent, later)]
    starts = [run.start_time for run in runs]
    assert starts == sorted(starts, key=str)


async def test_a_run_has_the_code_as_it_is_when_it_starts(shop: Shop) -> None:
    word, flows = shop.project / "blocks/word.py", shop.project / "flows/for_tests.py"
    told = await shop.completed(await shop.start("telling"))
    assert told["word"] == "old"
    first = psutil.Process(told["parent"])
    try:
        word.write_text("WORD = 'another'\n")
        told = await shop.completed(await shop.start("telling"))
        assert told["word"] == "another"
        assert told["parent"] != first.pid  # forked, from a new one

        # What cannot be loaded says so in the log of its run.
        flows.write_text(FLOWS.replace("import asyncio, json", "import asyncio json"))
        broken = await shop.ended(await shop.start("telling"))
        assert broken.state_name == "Crashed"
        await shop.says(broken, "SyntaxError")
    finally:
        flows.write_text(FLOWS)
        word.write_text(WORD)
    assert (await shop.completed(await shop.start("telling")))["word"] == "old"
    assert not first.is_running()  # it had nothing left to do


async def test_a_run_does_not_outlive_the_fork_server_which_is_replaced(shop: Shop) -> None:
    run = await shop.start("lasting")
    process = await shop.running(run)
    killed = process.parent()
    assert killed is not None
    killed.kill()
    assert (await shop.ended(run)).state_name == "Crashed"
    await asyncio.to_thread(wait_until, lambda: is_gone(process), "the end of the run's process")
    told = await shop.completed(await shop.start("telling"))
    assert told["parent"] == shop.fork_server.pid != killed.pid


async def test_a_fork_server_that_hangs_is_replaced_and_its_run_goes_on(shop: Shop) -> None:
    run = await shop.start("patient")
    process = await shop.running(run)
    hung = process.parent()
    assert hung is not None
    hung.suspend()
    replaced = lambda: shop.fork_server.pid != hung.pid  # noqa: E731
    await asyncio.to_thread(wait_until, replaced, "another fork server")
    later = await shop.start("telling")
    tell(run)
    # The worker has one slot: it begins the next run once it knows of the end of the first one.
    told = await shop.completed(later)
    assert told["parent"] == shop.fork_server.pid
    assert (await shop.ended(run)).state_name == "Completed"
    await asyncio.to_thread(wait_until, lambda: is_gone(hung), "the end of the hung one")


async def test_a_fork_server_that_speaks_otherwise_is_not_used(
    prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade under a running worker: runs then take the ordinary way."""
    monkeypatch.setattr(forking, "EDITION", "an older one")
    said: list[str] = []
    async with aclosing(forking.Forks([], dict(os.environ), said.append)) as forks:
        with pytest.raises(forking.NoForkServer):
            await forks.fork(Order(run="1", flow_run="", deployment="", **NOWHERE))
    assert "python -m deployments.processes.restart worker" in said[0]


async def test_a_worker_that_is_asked_to_stop_takes_its_runs_along(
    client: PrefectClient, project: Path, other_pool: str, tmp_path: Path
) -> None:
    mark = uuid4().hex
    with working(tmp_path / "log", other_pool, project=project, mark=mark) as process:
        shop = Shop(client, project, other_pool, mark)
        run = await shop.start("lasting")
        await shop.running(run)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0, (tmp_path / "log").read_text()
        await asyncio.to_thread(wait_until, lambda: all_gone(mark), "the end of all processes")
        assert (await shop.ended(run)).state_name == "Crashed"


async def test_when_a_worker_is_killed_its_runs_go_on_to_their_end(
    client: PrefectClient, project: Path, other_pool: str, tmp_path: Path
) -> None:
    mark = uuid4().hex
    with working(tmp_path / "log", other_pool, project=project, mark=mark) as process:
        shop = Shop(client, project, other_pool, mark)
        run = await shop.start("patient")
        run_process = await shop.running(run)
        process.kill()
        await asyncio.to_thread(process.wait, 30)
        assert not is_gone(run_process)
        tell(run)
        assert (await shop.ended(run)).state_name == "Completed"
        await asyncio.to_thread(wait_until, lambda: all_gone(mark), "the end of all processes")


async def test_prefects_own_worker_runs_the_same_deployments(
    client: PrefectClient, project: Path, other_pool: str
) -> None:
    shop = Shop(client, project, other_pool, "")
    run = await shop.start("telling")
    prefect = Path(sys.executable).parent / "prefect"
    process = await asyncio.to_thread(
        subprocess.Popen,
        [prefect, "worker", "start", "--pool", other_pool, "--run-once"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = await shop.completed(run)
    assert told["parent"] == process.pid
    assert await asyncio.to_thread(process.wait, 30) == 0
