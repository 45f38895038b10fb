"""PrefectApi against the session's real server, and against what is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed, Paused, Pending, Running, Scheduled, Suspended

from blocks.errors import (
    NotFound,
    SourceError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.prefect_api import calls
from blocks.prefect_api.calls import WORKER_LIMITS, save_variable
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.messages import utc_now
from tests.integration.pools import pool_named, reporting_pool
from tests.loopback import HANG, Reply, serve
from tests.waiting import until

prefect = pytest.mark.prefect


async def deployment(client: PrefectClient, name: str) -> UUID:
    """A deployment of a flow of that name, in a pool of that name."""
    await client.create_work_pool(WorkPoolCreate(name=name, type="process"))
    flow_id = await client.create_flow_from_name(name)
    return await client.create_deployment(flow_id, name, work_pool_name=name)


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_runs_that_wait_are_counted_by_queue_and_the_long_ones_are_late():
    name, now = f"wait-{uuid4().hex[:8]}", utc_now()
    async with get_client() as client:
        deployed = await deployment(client, name)
        for ago in (300, 120, 10, -3600):
            await client.create_flow_run_from_deployment(
                deployed, state=Scheduled(scheduled_time=now - timedelta(seconds=ago))
            )
    health = await PrefectApi().health(now)
    late = [run for run in health.late if run.flow == name]
    assert [round((now - run.expected_at).total_seconds()) for run in late] == [300, 120]
    assert all((run.pool, run.queue) == (name, "default") for run in late)
    (depth,) = [queue for queue in health.queues if queue.pool == name]
    assert (depth.queue, depth.due, depth.late) == ("default", 3, 2)
    assert depth.oldest_wait_s == pytest.approx(300)


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_a_worker_is_alive_for_three_heartbeats():
    name = f"pool-{uuid4().hex[:8]}"
    async with get_client() as client:
        await client.create_work_pool(
            WorkPoolCreate(name=name, type="process", concurrency_limit=3)
        )
        await client.send_worker_heartbeat(name, "worker-1", heartbeat_interval_seconds=30)
    now = utc_now()

    async def pool_at(instant: datetime):
        return next(pool for pool in await PrefectApi().pools(instant) if pool.name == name)

    pool = await pool_at(now)
    assert (pool.type, pool.concurrency_limit, pool.paused) == ("process", 3, False)
    assert [worker.name for worker in pool.workers] == ["worker-1"]
    assert pool.online == 1
    assert (await pool_at(now + timedelta(seconds=80))).online == 1
    assert (await pool_at(now + timedelta(seconds=91))).online == 0


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_the_limit_that_holds_is_the_pools_own_or_else_its_workers():
    async with reporting_pool(worker_limit=4) as name:
        assert (await pool_named(name)).limit == 4
        for own in (9, 1, 0):
            await PrefectApi().limit_pool(name, own)
            pool = await pool_named(name)
            assert (pool.concurrency_limit, pool.worker_limit, pool.limit) == (own, 4, own)
        await PrefectApi().limit_pool(name, None)
        assert (await pool_named(name)).limit == 4
        async with get_client() as client:
            await save_variable(client, WORKER_LIMITS, "a person's slip")
        assert (await pool_named(name)).limit is None, "nobody knows"
    with pytest.raises(NotFound, match=f"no work pool '{name}'"):
        await PrefectApi().limit_pool(name, 4)


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_that_is_paused_keeps_its_slot_and_one_that_is_suspended_does_not(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(calls, "PAGE", 2)
    name = f"slots-{uuid4().hex[:8]}"
    async with get_client() as client:
        deployed = await deployment(client, name)
        for state in (Running(), Running(), Pending(), Paused(), Suspended(), Scheduled()):
            run = await client.create_flow_run_from_deployment(deployed)
            await client.set_flow_run_state(run.id, state, force=True)
    assert (await PrefectApi().slots_in_use())[name] == 4


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_failed_runs_are_told_with_their_flow_and_message():
    name = f"boom-{uuid4().hex[:8]}"
    async with get_client() as client:
        deployed = await deployment(client, name)
        run = await client.create_flow_run_from_deployment(deployed, state=Running())
        await client.set_flow_run_state(run.id, Failed(message="The shelf is empty."))
    now = utc_now()
    health = await PrefectApi().health(now)
    (failed,) = [run for run in health.failures if run.flow == name]
    assert (failed.state, failed.message) == ("Failed", "The shelf is empty.")
    assert health.runs_by_state["Failed"] >= 1
    assert health.mean_wait_s is not None
    assert health.version
    assert health.clock_skew_s == pytest.approx(0, abs=30)
    (ended,) = [run for run in await PrefectApi().finished_runs(now) if run.flow == name]
    assert ended.id == failed.id
    assert ended.wait_s is not None
    assert ended.ended_at is not None


@prefect
@pytest.mark.usefixtures("prefect_server")
async def test_a_run_whose_heartbeat_stopped_is_stalled_and_one_that_never_had_any_is_not():
    name = f"run-{uuid4().hex[:8]}"
    async with get_client() as client:
        deployed = await deployment(client, name)
        silent, mute = [
            await client.create_flow_run_from_deployment(deployed, state=Running())
            for _ in range(2)
        ]
        beat = {
            "id": str(uuid4()),
            "occurred": utc_now().isoformat(),
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{silent.id}"},
        }
        await client.request("POST", "/events", json=[beat])
        await _stored(client, silent.id)

    async def stalled_in(**later: float) -> set[str]:
        health = await PrefectApi().health(utc_now() + timedelta(**later))
        assert {run.id for run in health.running if run.flow == name} == {
            str(silent.id),
            str(mute.id),
        }
        return {run.id for run in health.stalled if run.flow == name}

    # Heartbeats come every 30 s; three missed ones are 90 s.
    assert await stalled_in(seconds=0) == set()
    assert await stalled_in(seconds=70) == set()
    assert await stalled_in(seconds=110) == {str(silent.id)}
    assert await stalled_in(hours=7) == {str(silent.id), str(mute.id)}


async def _stored(client: PrefectClient, run_id: UUID) -> None:
    """The server stores an event a moment after it has taken it."""
    resource = {"id": [f"prefect.flow-run.{run_id}"]}
    filters = {"resource": resource, "event": {"name": ["prefect.flow-run.heartbeat"]}}

    async def stored() -> list[object]:
        answer = await client.request("POST", "/events/filter", json={"filter": filters})
        return list(answer.json()["events"])

    await until(stored, "the stored heartbeat")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HANG, SourceTimeout),
        (Reply("no", status=401), SourceRefused),
        (Reply("no", status=403), SourceRefused),
        (Reply("broken", status=500), SourceUnavailable),
        (Reply("gone", status=404), SourceGarbled),
        (Reply("<html>Welcome</html>", content_type="text/html"), SourceGarbled),
        (Reply('{"surprise": 1}'), SourceGarbled),
    ],
)
async def test_what_is_no_prefect_is_named(answer: Reply, error: type[SourceError]):
    async with serve(answer) as server:
        with temporary_settings({PREFECT_API_URL: f"{server.url}/api"}):
            with pytest.raises(error) as caught:
                await PrefectApi(deadline=1).health(utc_now())
            assert server.url in caught.value.what


async def test_a_server_that_is_not_there_is_unavailable():
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}),
        pytest.raises(SourceUnavailable, match=r"127.0.0.1:1.*orchestrator up"),
    ):
        await PrefectApi().finished_runs(utc_now())
