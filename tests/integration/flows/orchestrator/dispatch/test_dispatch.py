"""Who takes a call: a free slot is waited for, and a remote instance answers like a local one."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from prefect import flow, get_client

from agents.calls import Envelope
from agents.registry import registry
from agents.sre_reliability.system_monitoring.assessment import HealthAssessment
from blocks.ledger.calls.leases import Lease
from blocks.ledger.calls.records import ReceiptKind
from blocks.policy.policy import Instance
from blocks.prefect_api.calls import save_variable
from blocks.prefect_api.runs import Runs
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import Outcome, new_id, utc_now
from deployments.registration.registration import read_work_pools, save_pool
from flows.internal.agent_call import agent_call
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.dispatch.remote import _start
from flows.orchestrator.team.opening import workflow_run
from tests.integration.deployments.worker.test_worker import working
from tests.integration.flows.bench import MATRIX, Bench

pytestmark = pytest.mark.prefect

STEP = "set_working_directory"
REMOTE = {"name": "sre-reliability/far", "agent": "sre-reliability", "deployment": "agent-call/far"}


def slot_of(name: str) -> Lease:
    """A slot of an instance, as another process would hold it."""
    now = utc_now()
    return Lease(
        id=new_id(),
        instance=name,
        agent=name,
        taken_at=now,
        expires_at=now + timedelta(hours=1),
    )


async def asked(bench: Bench, **params):
    @flow
    async def asking():
        async with workflow_run("asking", with_business=False, agents=bench.registry) as team:
            return await team.ask("worker", "work", params)

    return await asking()


@pytest.fixture
async def narrow(bench: Bench):
    """The worker has one slot, and nobody waits long."""
    changes = {
        "task_types": MATRIX,
        "instances": [{"name": "worker", "agent": "worker", "capacity": 1}],
        "recovery": {"wait_for_slot_seconds": 0.3},
    }
    await write_changes(changes, bench.registry)
    return bench


async def test_calls_beyond_the_capacity_wait_for_a_slot(narrow, ledger):
    replies = await asyncio.gather(*(asked(narrow) for _ in range(3)))
    assert all(reply.ok for reply in replies)
    assert narrow.done == ["work"] * 3


async def test_who_stays_busy_is_named_and_the_call_is_on_record(narrow, ledger):
    taken = slot_of("worker")
    assert await ledger.leases.take(utc_now(), lambda _: taken)
    reply = await asked(narrow)
    assert reply.error.what == "No agent available for task type: worker.work"
    assert reply.error.hint == "worker: at capacity (1 of 1)"
    assert reply.error.retryable
    assert narrow.done == []
    (call,) = await ledger.calls()
    assert (call.outcome, call.error.code) == (Outcome.FAILED, "no-agent-available")
    (receipt,) = await ledger.receipts.of(subject=call.message_id)
    assert (receipt.kind, receipt.body["decision"]) == (ReceiptKind.SELECT, {"instance": None})


async def test_what_an_event_says_reaches_a_remote_instance_as_it_came(prefect_server):
    """Prefect's server renders templates in parameters, and what events hold may look like one."""
    said = {"list": [{"__prefect_kind": "jinja", "template": "{{ 7*7 }}"}, {"$ref": "#/x"}]}
    spec = registry().action("data-intelligence", "process_event")
    async with get_client() as client:
        flow_id = await client.create_flow(agent_call)
        deployment_id = await client.create_deployment(flow_id, "text")
        instance = Instance(name="far", agent=spec.agent, deployment="agent-call/text")
        run = await _start(
            Runs(client), spec, instance, Envelope(message_id="m-1"), {"event": said}
        )
        found = await client.read_flow_run(run.id)
        await client.delete_deployment(deployment_id)
    assert json.loads(found.parameters["params"]) == {"event": said}
    assert agent_call.validate_parameters(found.parameters) == found.parameters


@pytest.mark.slow
async def test_a_remote_instance_works_in_a_run_of_its_own(shop, ledger, tmp_path):
    async with get_client() as client:
        (pool,) = (p for p in read_work_pools().work_pools if p.name == "agents")
        await save_pool(client, pool)
        flow_id = await client.create_flow(agent_call)
        await client.create_deployment(
            flow_id,
            "far",
            entrypoint="flows.internal.agent_call:agent_call",
            work_pool_name="agents",
            path=".",
            pull_steps=[
                {
                    "prefect.deployments.steps.set_working_directory": {
                        "directory": str(PROJECT_ROOT)
                    }
                }
            ],
        )
        await save_variable(client, VARIABLE, {"instances": [REMOTE]})
    forget_policy()

    @flow
    async def asking():
        async with workflow_run("asking") as team:
            return await team.ask(
                "sre-reliability", "assess_health", {}, Envelope(), avoid={"sre-reliability"}
            )

    try:
        with working(tmp_path / "worker.log", "agents"):
            reply = await asking()
    finally:
        async with get_client() as client:
            await client.delete_variable_by_name(VARIABLE)
        forget_policy()
    assert reply.ok, reply.error
    assert reply.instance == REMOTE["name"]
    assert isinstance(reply.result, HealthAssessment)
    assert {service.name for service in reply.result.services} == {"checkout", "search"}
    call = await ledger.call(reply.message.id)
    assert (call.outcome, call.attempts, call.agent) == (Outcome.SUCCEEDED, 1, "sre-reliability")
    (attempt,) = await ledger.past_attempts(call.sent_at, 10)
    assert attempt.instance == REMOTE["name"]
