"""The states that self-hosted Prefect servers get into, made through a real server's API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import DeploymentSchedule, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Running, Scheduled, State

from agents.sre_reliability.system_monitoring.prefect_itself.runs import judge_prefect
from blocks.prefect_api.client import PrefectApi
from blocks.prefect_api.schedules import asked_for, missed_of
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity, utc_now
from tests.waiting import until

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]

LATER = timedelta(minutes=10)
"""So long after the states were made they are judged."""


@dataclass
class Server:
    """A test's own corner of the session's server."""

    client: PrefectClient
    name: str

    async def deployment(self, what: str, *, limit: int | None = None) -> UUID:
        """One of a flow ``NAME-WHAT``, in a pool of that name."""
        name = f"{self.name}-{what}"
        await self.client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        flow_id = await self.client.create_flow_from_name(name)
        return await self.client.create_deployment(
            flow_id, "it", work_pool_name=name, concurrency_limit=limit
        )

    async def patch(self, path: str, **fields: object) -> None:
        await self.client.request("PATCH", path, json=fields)

    async def limit(self, what: str, **fields: object) -> str:
        """A global concurrency limit; its id."""
        body = {"name": f"{self.name}-{what}", "limit": 1, "active": True, **fields}
        answer = await self.client.request("POST", "/v2/concurrency_limits/", json=body)
        return str(answer.json()["id"])

    async def due(self, deployment: UUID, ago: timedelta = timedelta(hours=3)) -> UUID:
        run = await self.client.create_flow_run_from_deployment(
            deployment, state=Scheduled(scheduled_time=utc_now() - ago)
        )
        return run.id

    async def set(self, run: UUID, kind: StateType, name: str, *, force: bool = True) -> None:
        await self.client.set_flow_run_state(run, State(type=kind, name=name), force=force)

    async def found(self, *, after: timedelta = LATER) -> dict[tuple[str, str], Finding]:
        """What is found of this corner, by kind and resource without the corner's name."""
        now = utc_now() + after
        findings = judge_prefect(await PrefectApi().health(now), now)
        return {
            (f.kind, f.resource.replace(self.name, "*")): f
            for f in findings
            if self.name in f"{f.resource} {f.title}"
        }


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with get_client() as client:
        yield Server(client, f"s{uuid4().hex[:8]}")


async def test_what_a_person_paused_is_for_information(server: Server):
    deployed = await server.deployment("paused")
    for _ in range(3):
        await server.due(deployed)
    assert set(await server.found()) == {
        ("prefect-late-runs", "pool:*-paused"),
        ("worker-offline", "pool:*-paused"),
    }
    await server.patch(f"/work_pools/{server.name}-paused", is_paused=True)
    found = await server.found()
    assert set(found) == {("prefect-paused", "pool:*-paused")}
    (paused,) = found.values()
    assert paused.severity is Severity.INFO
    assert paused.title.endswith("-paused is paused by a person; 3 runs wait")


async def test_a_paused_queue_is_told_apart_from_its_pool(server: Server):
    await server.due(await server.deployment("queue"))
    (queue,) = await server.client.read_work_queues(work_pool_name=f"{server.name}-queue")
    await server.client.update_work_queue(queue.id, is_paused=True)
    found = await server.found()
    assert found["prefect-paused", "queue:*-queue/default"].severity is Severity.INFO
    assert ("prefect-late-runs", "pool:*-queue") not in found


async def test_of_a_limit_of_zero_nobody_is_told_to_start_a_worker(server: Server):
    deployed = await server.deployment("zero")
    for _ in range(3):
        await server.due(deployed)
    await server.patch(f"/work_pools/{server.name}-zero", concurrency_limit=0)
    found = await server.found()
    assert set(found) == {("prefect-limit-zero", "pool:*-zero")}
    (zero,) = found.values()
    assert zero.severity is Severity.ERROR
    assert zero.title.startswith("Nothing can start in")
    assert zero.title.endswith("its limit is 0; 3 runs wait")


async def test_a_run_that_is_never_done_being_cancelled_is_named_with_what_it_holds(
    server: Server,
):
    deployed = await server.deployment("cancel", limit=1)
    run = await server.client.create_flow_run_from_deployment(deployed)
    for kind, name in (
        ("PENDING", "Pending"),
        ("RUNNING", "Running"),
        ("CANCELLING", "Cancelling"),
    ):
        await server.set(run.id, StateType(kind), name, force=False)
    at = ("run-cancelling", f"run:{run.id}")
    assert at not in await server.found(after=timedelta(minutes=1))
    found = (await server.found())[at]
    assert found.severity is Severity.WARNING, "nobody waits for its slot"
    assert "was to be cancelled 10 minutes ago" in found.title
    assert found.title.endswith("it holds the only slot of " + f"{server.name}-cancel/it")
    await server.set(run.id, StateType.CANCELLED, "Cancelled")
    assert at not in await server.found()


async def test_a_pending_run_is_the_reason_why_others_wait(server: Server):
    deployed = await server.deployment("pending", limit=1)
    holder, *others = [await server.due(deployed) for _ in range(4)]
    for run in (holder, others[0]):  # the other one is refused, and waits for the slot
        await server.set(run, StateType.PENDING, "Pending", force=False)
    at = ("run-pending", f"run:{holder}")
    assert at not in await server.found(after=timedelta(minutes=1))
    found = (await server.found())[at]
    assert found.severity is Severity.ERROR
    assert found.title.endswith(
        f"it holds the only slot of {server.name}-pending/it, for which 3 other runs wait"
    )


async def test_a_slot_that_nobody_holds_is_found_and_one_that_somebody_holds_is_not(
    server: Server,
):
    await server.limit("lost", active_slots=1)
    await server.limit("half", limit=3, active_slots=1)
    await server.limit("rate", limit=5, active_slots=2, slot_decay_per_second=0.5)
    await server.limit("off", active_slots=1, active=False)
    held = await server.limit("held", active_slots=1)
    outside = await server.limit("outside", active_slots=1)
    run = await server.client.create_flow_run_from_deployment(
        await server.deployment("holder"), state=Running()
    )
    await server.client.request(
        "POST", "/events", json=[_taken(held, run.id), _taken(outside, None)]
    )

    async def told() -> bool:
        found = await server.found()
        return ("slot-without-holder", "limit:*-held") not in found and (
            "slot-without-holder",
            "limit:*-outside",
        ) not in found

    await until(told, "the events to be stored")
    kinds = {key: f.severity for key, f in (await server.found()).items() if "slot" in key[0]}
    assert kinds == {
        ("slot-without-holder", "limit:*-lost"): Severity.ERROR,
        ("slot-without-holder", "limit:*-half"): Severity.WARNING,
    }
    lost = (await server.found())["slot-without-holder", "limit:*-lost"]
    assert lost.title.startswith("1 of 1 slot of the limit")
    assert lost.title.endswith("is taken, and no run holds it")
    assert ("slot-without-holder", "limit:*-lost") not in await server.found(after=timedelta())
    # The run ends without giving it back.
    await server.set(run.id, StateType.CRASHED, "Crashed")
    assert ("slot-without-holder", "limit:*-held") in await server.found()


def _taken(limit: str, run: UUID | None) -> dict[str, object]:
    related = {
        "prefect.resource.id": f"prefect.flow-run.{run}",
        "prefect.resource.role": "flow-run",
    }
    return {
        "id": str(uuid4()),
        "occurred": utc_now().isoformat(),
        "event": "prefect.concurrency-limit.acquired",
        "resource": {
            "prefect.resource.id": f"prefect.concurrency-limit.{limit}",
            "slots-acquired": "1",
        },
        "related": [related] if run else [],
    }


async def test_a_deployments_slots_are_held_by_its_runs_and_else_by_nobody(server: Server):
    deployed = await server.deployment("own", limit=2)
    run = await server.client.create_flow_run_from_deployment(deployed)
    await server.set(run.id, StateType.PENDING, "Pending", force=False)
    await server.set(run.id, StateType.RUNNING, "Running", force=False)
    key = ("slot-without-holder", "limit:*-own/it")
    assert key not in await server.found()
    limit = (await server.client.read_deployment(deployed)).global_concurrency_limit
    assert limit is not None
    await server.patch(f"/v2/concurrency_limits/{limit.id}", active_slots=2)
    assert (await server.found())[key].title.startswith("1 of 2 slots")


async def test_what_a_schedule_asked_for_and_nobody_made_is_missed(server: Server):
    deployed = await server.deployment("missed")
    # Prefect's scheduler makes none for the time before it looks.
    every = CronSchedule(cron="*/15 * * * *", timezone="UTC")
    schedules = await server.client.create_deployment_schedules(deployed, [(every, True)])
    later = timedelta(hours=2)
    key = ("run-missed", "deployment:*-missed/it")

    async def made() -> bool:
        runs = await server.client.request(
            "POST", "/flow_runs/count", json={"deployments": {"id": {"any_": [str(deployed)]}}}
        )
        return int(runs.json()) >= 3

    await server.client.request(
        "POST", f"/deployments/{deployed}/schedule", json={"max_runs": 3, "min_runs": 3}
    )
    await until(made, "the runs of the schedule")
    runs = await server.client.read_flow_runs(limit=200)
    own = sorted(
        (r for r in runs if r.deployment_id == deployed), key=lambda r: r.expected_start_time
    )
    assert key not in await server.found(after=own[0].expected_start_time - utc_now())
    for run in own:
        await server.client.delete_flow_run(run.id)
    found = (await server.found(after=later))[key]
    assert found.severity is Severity.WARNING
    assert "times before, and no run was made" in found.title
    # One run that came later: it is history.
    await server.client.create_flow_run_from_deployment(
        deployed, state=Scheduled(scheduled_time=utc_now() + later - timedelta(seconds=5))
    )
    found = (await server.found(after=later))[key]
    assert (found.severity, found.title.endswith("It has run since")) == (Severity.INFO, True)
    await server.client.update_deployment_schedule(deployed, schedules[0].id, active=False)
    found_now = await server.found(after=later)
    assert key not in found_now
    asleep = found_now["prefect-paused", "deployment:*-missed/it"]
    assert asleep.severity is Severity.INFO


@pytest.mark.parametrize("day", ["2026-03-29", "2026-07-01", "2026-10-25"])
async def test_on_the_days_that_clocks_change_one_run_is_expected(day: str):
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    schedule = DeploymentSchedule(
        schedule=CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin"), active=True
    )
    schedule.created = midnight - timedelta(days=30)
    following = midnight + timedelta(days=1)  # on the clocks, whatever they do
    (expected,) = await asked_for([schedule], midnight.astimezone(UTC), following.astimezone(UTC))
    assert midnight < expected < midnight + timedelta(hours=4)
    assert missed_of([expected], {expected}) == []
    assert missed_of([expected], set()) == [expected]
    an_hour_later = expected + timedelta(hours=1)
    assert missed_of([expected], {an_hour_later}) == [], "a server with another Python"
    assert missed_of([expected, an_hour_later], {an_hour_later}) == [expected]
