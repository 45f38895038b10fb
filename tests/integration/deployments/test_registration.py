"""Registration on a real Prefect server, beside what ``prefect deploy`` does there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from blocks.errors import ConfigurationError, SourceUnavailable
from blocks.settings import PROJECT_ROOT, get_settings
from deployments.registration.registration import (
    PREFECT_FILE,
    check_entrypoints,
    read_work_pools,
    register,
)

pytestmark = pytest.mark.prefect


async def everything_deployed() -> dict[str, dict[str, Any]]:
    """Every deployment, queue and variable of the server as it is, ids included."""
    changing = {"created", "updated", "last_polled", "status", "labels"}
    async with get_client() as client:
        found: dict[str, dict[str, Any]] = {
            deployment.name: deployment.model_dump(exclude=changing)
            for deployment in await client.read_deployments()
        }
        for deployment in found.values():
            for schedule in deployment["schedules"]:
                schedule.pop("created"), schedule.pop("updated")
        for pool in read_work_pools().work_pools:
            queues = await client.read_work_queues(work_pool_name=pool.name)
            found[pool.name] = {queue.name: (queue.id, queue.priority) for queue in queues}
        found["variables"] = {v.name: v.value for v in await client.read_variables()}
    return found


def prefect(*arguments: str, cwd: Path = PROJECT_ROOT) -> subprocess.CompletedProcess[str]:
    """A plain prefect command, as a user gives it."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("prefect")), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_register_and_prefect_deploy_give_the_same_deployments(
    prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TIMEZONE", "Europe/Berlin")
    get_settings.cache_clear()
    try:
        done = await register()
    finally:
        monkeypatch.delenv("ORCHESTRATOR_TIMEZONE")
        get_settings.cache_clear()
    assert done.api_url == prefect_server
    assert done.deployments == check_entrypoints()
    registered = await everything_deployed()
    (schedule,) = registered["daily-health-check"]["schedules"]
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"
    assert schedule["schedule"]["cron"] == "0 7 * * *"
    for pool in read_work_pools().work_pools:
        assert {name: rank for name, (_, rank) in registered[pool.name].items()} == pool.queues

    # No variable of ours is set now, and there is nobody to answer a question.
    deployed = prefect("--no-prompt", "deploy", "--all")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert await everything_deployed() == registered


async def test_the_daily_check_comes_in_the_morning_of_the_store(
    prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_blocks: None
) -> None:
    # At 07:00 UTC it is not yet midnight in Los Angeles: yesterday would be the day before.
    file = tmp_path / "business.toml"
    file.write_text(
        f"[store]\nname = 'shop'\nurl = 'sqlite:///{tmp_path}/shop.db'\n"
        "currency = 'USD'\ntimezone = 'America/Los_Angeles'\n"
    )
    monkeypatch.setenv("ORCHESTRATOR_BUSINESS_FILE", str(file))
    get_settings.cache_clear()
    try:
        await register()
    finally:
        monkeypatch.delenv("ORCHESTRATOR_BUSINESS_FILE")
        get_settings.cache_clear()
    (schedule,) = (await everything_deployed())["daily-health-check"]["schedules"]
    assert schedule["schedule"]["timezone"] == "America/Los_Angeles"
    assert schedule["schedule"]["cron"] == "0 7 * * *"


async def test_a_second_registration_changes_nothing(prefect_server: str) -> None:
    await register()
    before = await everything_deployed()
    await register()
    assert await everything_deployed() == before


async def test_what_a_person_changed_in_the_ui_stays(prefect_server: str) -> None:
    await register()
    pool = read_work_pools().work_pools[0].name
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("daily-health-check/daily-health-check")
        (schedule,) = deployment.schedules
        await client.update_deployment_schedule(deployment.id, schedule.id, active=False)
        queues = {q.name: q for q in await client.read_work_queues(work_pool_name=pool)}
        await client.update_work_queue(queues["low"].id, concurrency_limit=3)
        await register()
        again = await client.read_deployment(deployment.id)
        queues = {q.name: q for q in await client.read_work_queues(work_pool_name=pool)}
        assert queues["low"].concurrency_limit == 3
        assert [s.active for s in again.schedules] == [False]
        await client.update_deployment_schedule(deployment.id, schedule.id, active=True)


async def test_a_pool_of_another_type_is_refused(prefect_server: str, tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text("orchestrator: {work_pools: [{name: taken}]}\ndeployments: []\n")
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="taken", type="docker"))
        try:
            with pytest.raises(ConfigurationError, match="'taken' exists with type 'docker'"):
                await register(file=file)
        finally:
            await client.delete_work_pool("taken")


TINY = """
pull:
  - prefect.deployments.steps.set_working_directory:
      directory: "{{ prefect.variables.orchestrator_home }}"
orchestrator: {work_pools: [{name: tiny, queues: {default: 1}}]}
deployments:
  - {name: tiny, entrypoint: "tests.integration.tiny:tiny", work_pool: {name: tiny}}
"""


async def test_a_plain_prefect_worker_runs_what_was_registered(
    prefect_server: str, tmp_path: Path
) -> None:
    """Without PYTHONPATH, from another folder: the deployment itself says where its code is."""
    file = tmp_path / "prefect.yaml"
    file.write_text(TINY)
    await register(file=file)
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("tiny/tiny")
        run = await client.create_flow_run_from_deployment(deployment.id)
        worker = prefect("worker", "start", "--pool", "tiny", "--run-once", cwd=tmp_path)
        assert worker.returncode == 0, worker.stderr
        run = await client.read_flow_run(run.id)
        await client.delete_deployment(deployment.id)
    assert run.state is not None
    assert run.state.is_completed(), worker.stderr
    assert f"well in {PROJECT_ROOT}" in worker.stderr, "its log"


def test_a_flow_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text("deployments: [{name: lost, entrypoint: 'flows.lost:lost'}]\n")
    with pytest.raises(ConfigurationError, match=r"'lost': flows\.lost:lost cannot be loaded"):
        check_entrypoints(file)


@pytest.mark.parametrize(
    "text", ["", "[", "orchestrator: {}", "orchestrator: {work_pools: [{name: a, colour: red}]}"]
)
def test_a_broken_list_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="'orchestrator' cannot be read"):
        read_work_pools(file)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In a process of its own, whose Prefect knows no other server."""
    code = (
        "import asyncio; from deployments.registration.registration import register; "
        "asyncio.run(register())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert SourceUnavailable.__name__ in ended.stderr
    assert "http://127.0.0.1:9/api does not answer as it should (ConnectError)" in ended.stderr


def test_the_list_is_the_one_that_prefect_reads() -> None:
    assert PREFECT_FILE == PROJECT_ROOT / "prefect.yaml"
