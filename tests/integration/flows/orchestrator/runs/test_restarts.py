"""kill -9 of a deployment's run, and its restart under the same id: nothing is done twice."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async
from prefect.states import Crashed, Scheduled, State

from blocks.crash_points import VARIABLE as CRASH_AT
from blocks.ledger import Ledger, TaskStatus
from blocks.ledger.calls.dead_letters import LetterStatus
from blocks.vocabulary.messages import utc_now
from flows.broadcast_alert import broadcast_alert
from flows.deliver_message import deliver_message
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.runs.deaths import RESTARTED
from flows.orchestrator.tasks import recovery
from flows.route_task import route_task
from tests.forked import run_script
from tests.integration.flows.shop import Shop
from tests.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.prefect, pytest.mark.slow]

SCRIPT = """
import asyncio, sys
from datetime import timedelta
from uuid import UUID
from prefect import get_client
from prefect.flow_engine import run_flow_async
from prefect.flows import load_flow_from_entrypoint
from flows.orchestrator.tasks import recovery

recovery.ALIVE = timedelta(seconds=1)
run_id, entrypoint = sys.argv[1:]

async def main():
    async with get_client() as client:
        run = await client.read_flow_run(UUID(run_id))
    flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    await run_flow_async(flow, flow_run=run, parameters=run.parameters, return_type="state")

asyncio.run(main())
"""


async def start(flow: Flow[..., Any], **parameters: Any) -> FlowRun:
    """A run of a deployment of the flow."""
    async with get_client() as client:
        flow_id = await client.create_flow(flow)
        deployment = await client.create_deployment(flow_id, f"restarted {flow.name}")
        return await client.create_flow_run_from_deployment(deployment, parameters=parameters)


def die(run: FlowRun, flow: Flow[..., Any], point: str) -> None:
    """The run's first life, in a process that is killed at a point."""
    entrypoint = f"{flow.fn.__module__}:{flow.fn.__name__}"
    ended = run_script(SCRIPT, str(run.id), entrypoint, **{CRASH_AT: point})
    assert ended.returncode == -signal.SIGKILL, ended.stderr


async def live_again(run: FlowRun, flow: Flow[..., Any], name: str = RESTARTED) -> State[Any]:
    """Its next life, as the reconciler and a worker bring it about; or a person, by name."""
    async with get_client() as client:
        await client.set_flow_run_state(run.id, Crashed())
        await client.set_flow_run_state(run.id, Scheduled(name=name))
        run = await client.read_flow_run(run.id)
    state: State[Any] = await run_flow_async(
        flow, flow_run=run, parameters=run.parameters, return_type="state"
    )
    return state


async def test_a_routed_task_stays_one(
    shop: Shop, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "LOOK", 0.05)
    run = await start(route_task, task_type="inventory_sync")
    die(run, route_task, "recovery.primary-answered")
    [task] = await ledger.tasks.list()
    assert task.run_id == run.id.hex
    calls = len(await ledger.calls())

    state = await live_again(run, route_task)
    assert state.is_completed(), state.message
    [task] = await ledger.tasks.list()
    assert task.status.is_final
    assert task.run_id == f"{run.id.hex}-2"
    primary = [c for c in await ledger.calls() if c.attempts and c.action == "sync_inventory"]
    assert all(call.attempts == 1 for call in primary)
    assert len(await ledger.calls()) >= calls

    # A person who has it done again means a new task.
    assert (await live_again(run, route_task, name="AwaitingRetry")).is_completed()
    assert len(await ledger.tasks.list()) == 2


async def test_a_run_waits_for_a_life_of_its_own_that_was_taken_to_be_dead(
    shop: Shop, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "LOOK", 0.05)
    run = await start(route_task, task_type="inventory_sync")
    die(run, route_task, "recovery.started")
    [task] = await ledger.tasks.list()
    hour = utc_now() + timedelta(hours=1)
    await ledger.tasks.keep_alive(task.id, run.id.hex, hour)  # it lives, and comes to an end
    done = task.model_copy(update={"status": TaskStatus.DONE, "finished_at": utc_now()})
    second = asyncio.create_task(live_again(run, route_task))
    await until(lambda: ledger.run(f"{run.id.hex}-2"), "the second life")
    await ledger.tasks.settle(done)
    state = await second
    assert state.is_completed(), state.message
    assert await ledger.calls() == []


async def test_an_alert_is_told_once(shop: Shop, ledger: Ledger) -> None:
    run = await start(broadcast_alert, title="Checkout is slow", resource="service:checkout")
    die(run, broadcast_alert, "alert.told")
    told = await ledger.calls()
    assert len(told) == 3
    state = await live_again(run, broadcast_alert)
    assert state.is_completed(), state.message
    assert [call.message_id for call in await ledger.calls()] == [c.message_id for c in told]
    assert all(call.attempts == 1 for call in await ledger.calls())


@pytest.mark.parametrize("point", ["message.taken-in", "message.answered"])
async def test_a_message_without_an_id_is_delivered_once(
    shop: Shop, ledger: Ledger, point: str
) -> None:
    document = {"from": "shop", "to": "sre-reliability", "action": "assess_health"}
    run = await start(deliver_message, message=document)
    die(run, deliver_message, point)
    state = await live_again(run, deliver_message)
    assert state.is_completed(), state.message
    [call] = await ledger.calls()
    assert call.outcome is not None
    assert call.attempts == 1


async def test_an_event_without_an_id_is_accepted_once(shop: Shop, ledger: Ledger) -> None:
    event = {"source": "shop", "type": "payment.refused", "subject": "service:checkout"}
    run = await start(event_driven_workflow, event=event)
    die(run, event_driven_workflow, "events.accepted")
    state = await live_again(run, event_driven_workflow)
    assert state.is_completed(), state.message
    [incident] = await ledger.inbox.incidents()
    assert incident.events == 1
    assert (await ledger.inbox.depth(utc_now())).events == 0


async def test_a_document_that_cannot_be_read_is_kept_once(shop: Shop, ledger: Ledger) -> None:
    run = await start(deliver_message, message={"no": "message"})
    assert not (await live_again(run, deliver_message)).is_completed()
    assert not (await live_again(run, deliver_message)).is_completed()
    assert len(await ledger.dead_letters.list(LetterStatus.WAITING)) == 1
