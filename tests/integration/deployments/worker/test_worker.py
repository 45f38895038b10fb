"""The process that hosts the workers of all pools, on a real Prefect server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest
import pytest_asyncio
import yaml
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled

from blocks.prefect_api.client import PrefectApi
from blocks.prefect_api.worker_names import worker_name
from deployments.registration.registration import PREFECT_FILE, WorkPool, register, save_pool
from tests.integration.workers import is_completed, is_running, run_that, working
from tests.waiting import until

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

# On the pools of prefect.yaml: work that never ends, and a little work.
DEPLOYMENTS = """
- name: flood
  entrypoint: tests.integration.tiny:endless
  work_pool: {name: operations}
- name: long
  entrypoint: tests.integration.tiny:endless
  work_pool: {name: critical, work_queue_name: high}
- name: urgent
  entrypoint: tests.integration.tiny:tiny
  work_pool: {name: critical, work_queue_name: critical}
"""


@pytest_asyncio.fixture
async def client(prefect_server: str) -> AsyncIterator[PrefectClient]:
    async with get_client() as client:
        yield client


@pytest_asyncio.fixture
async def deployed(client: PrefectClient, tmp_path: Path) -> AsyncIterator[None]:
    """Our pools, and the deployments above in place of ours."""
    content = yaml.safe_load(PREFECT_FILE.read_text())
    file = tmp_path / "prefect.yaml"
    file.write_text(yaml.safe_dump({**content, "deployments": yaml.safe_load(DEPLOYMENTS)}))
    await register(file=file)
    yield
    ours = DeploymentFilter(name=DeploymentFilterName(any_=["flood", "long", "urgent"]))
    for deployment in await client.read_deployments(deployment_filter=ours):
        await client.delete_deployment(deployment.id)


async def start(client: PrefectClient, name: str) -> UUID:
    deployment = await client.read_deployment_by_name(name)
    run = await client.create_flow_run_from_deployment(deployment.id)
    return run.id


async def test_a_flood_in_one_pool_holds_up_no_other(
    client: PrefectClient, deployed: None, tmp_path: Path
) -> None:
    flood = [await start(client, "endless/flood") for _ in range(3)]
    long = await start(client, "endless/long")
    with working(tmp_path / "log", ORCHESTRATOR_WORKER_LIMIT="1") as process:
        first = await run_that(client, flood[0], is_running)
        await run_that(client, long, is_running)
        # The limit of prefect.yaml for this pool, 2, leaves a slot; the setting would not.
        urgent = await run_that(client, await start(client, "tiny/urgent"), is_completed)
        assert urgent.work_pool_name == "critical"
        assert urgent.labels["prefect.worker.name"] == worker_name("critical")
        others = [await client.read_flow_run(run_id) for run_id in (long, *flood)]
        assert [run.state_type for run in others] == [
            *(StateType.RUNNING, StateType.RUNNING),
            *(StateType.SCHEDULED, StateType.SCHEDULED),
        ]

        # Asked to stop, it ends what it runs.
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0, (tmp_path / "log").read_text()
        assert not psutil.pid_exists(int(first.infrastructure_pid or 0))


@pytest.fixture
def name() -> str:
    return f"pool-{uuid4().hex[:8]}"


async def test_a_missing_pool_is_named(prefect_server: str, tmp_path: Path, name: str) -> None:
    with working(tmp_path / "log", "operations", name) as process:
        assert process.wait(timeout=60) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith(f"There is no work pool {name!r} on {prefect_server}")
    assert "./orchestrator register" in line


async def test_a_pool_of_another_type_is_named(
    client: PrefectClient, tmp_path: Path, name: str
) -> None:
    await client.create_work_pool(WorkPoolCreate(name=name, type="docker"))
    with working(tmp_path / "log", name) as process:
        assert process.wait(timeout=60) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert f"{name!r} has type 'docker', not 'process'" in line


async def test_no_pool_is_left_without_its_worker(
    client: PrefectClient, tmp_path: Path, name: str
) -> None:
    """When one of the pools is deleted, the process ends and says so."""
    pools = [f"{name}-kept", f"{name}-lost"]
    for pool in pools:
        await save_pool(client, WorkPool(name=pool))
    with working(tmp_path / "log", *pools) as process:
        for pool in pools:
            await until(partial(client.read_workers_for_work_pool, pool), f"a worker of {pool}")
        await client.delete_work_pool(pools[1])
        assert process.wait(timeout=60) == 1
    said = (tmp_path / "log").read_text()
    assert f"\nThe work pool '{pools[1]}' was deleted" in said
    assert "Traceback" not in said


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with working(tmp_path / "log", PREFECT_API_URL="http://127.0.0.1:9/api") as process:
        assert process.wait(timeout=60) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "http://127.0.0.1:9/api does not answer as it should (ConnectError)" in line


def test_without_any_server_none_is_started(tmp_path: Path) -> None:
    """A worker on an ephemeral server would work for nobody."""
    with working(tmp_path / "log", PREFECT_API_URL="") as process:
        assert process.wait(timeout=60) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line == "No Prefect server runs, and a worker needs one. ./orchestrator up"


async def test_a_limit_of_the_pool_takes_the_place_of_the_workers_while_it_is_set(
    client: PrefectClient, deployed: None, tmp_path: Path
) -> None:
    flood = [await start(client, "endless/flood") for _ in range(3)]
    prompt = {"ORCHESTRATOR_WORKER_LIMIT": "1", "PREFECT_WORKER_HEARTBEAT_SECONDS": "1"}
    with working(tmp_path / "log", "operations", **prompt):
        first = await run_that(client, flood[0], is_running)
        await PrefectApi().limit_pool("operations", 2)
        await run_that(client, flood[1], is_running)
        assert (await client.read_flow_run(flood[2])).state_type is StateType.SCHEDULED

        # Back at its own, it takes none before as many have ended as are too many.
        await PrefectApi().limit_pool("operations", None)
        await until(partial(has_read, tmp_path / "log", "Runs at once: 1, after 2."), "the limit")
        await client.set_flow_run_state(flood[1], Cancelled(), force=True)
        psutil.Process(int((await client.read_flow_run(flood[1])).infrastructure_pid or 0)).kill()
        assert (await client.read_flow_run(first.id)).state_type is StateType.RUNNING
        assert (await client.read_flow_run(flood[2])).state_type is StateType.SCHEDULED
        psutil.Process(int(first.infrastructure_pid or 0)).kill()
        await run_that(client, flood[2], is_running)


async def has_read(log: Path, line: str) -> bool:
    return line in await asyncio.to_thread(log.read_text)
