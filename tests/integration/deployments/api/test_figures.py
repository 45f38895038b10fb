"""Status, agents, metrics and readiness: what the ledger says, in three forms."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families

from agents.registry import registry
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.policy import last_used_policy
from flows.status.agents import describe_agents
from flows.status.reading import read_system_status
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect


async def fill(api: Api) -> None:
    now = utc_now()
    question = ApprovalRecord(
        need_key="k",
        title="May we?",
        proposal={"kind": "nothing"},
        asked_at=now,
        expires_at=now + timedelta(days=1),
    )
    await api.ledger.approvals.ask(question)


async def test_the_status_is_what_the_ledger_says(api: Api) -> None:
    await fill(api)
    team = registry()
    told = (await api.client.get("/orchestrate/status")).json()
    policy = await last_used_policy(api.ledger, team)
    computed = await read_system_status(api.ledger, policy, team, utc_now(), timedelta(hours=24))
    expected = computed.model_dump(mode="json")
    for moving in ("timestamp", "hours"):
        told.pop(moving), expected.pop(moving)
    assert told == expected
    assert told["awaiting_approval"] == 1

    agents = (await api.client.get("/metrics/agents")).json()
    assert agents == expected["agents"]
    assert (await api.client.get("/metrics/workflows")).json() == expected["workflows"]
    system = (await api.client.get("/metrics/system")).json()
    assert system == {name: expected[name] for name in system}
    assert {"system_health", "pending_tasks", "awaiting_approval", "targets"} <= set(system)


async def test_the_agents_are_those_of_the_team(api: Api) -> None:
    told = (await api.client.get("/orchestrate/agents")).json()
    described = describe_agents(registry(), await api.ledger.activity(utc_now()))
    assert told == [agent.model_dump(mode="json") for agent in described]
    assert told


async def test_prometheus_reads_the_figures(api: Api) -> None:
    await fill(api)
    await api.client.get("/livez")
    await api.client.get("/nothing/secret-path")
    answer = await api.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPE_PLAIN_0_0_4
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (open_,) = families["orchestrator_open_approvals"].samples
    assert open_.value == 1
    assert {
        sample.labels["agent"] for sample in families["orchestrator_agent_capacity"].samples
    } == (set(registry().agents))
    requests = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["orchestrator_api_requests"].samples
        if sample.name.endswith("_total")
    }
    assert requests["GET", "/livez", "200"] >= 1
    assert requests["(any)", "(none)", "404"] >= 1
    assert "secret-path" not in answer.text
    assert "orchestrator_api_request_duration_seconds" in families


async def test_whether_it_lives_and_is_ready(api: Api) -> None:
    lives, ready = await api.client.get("/livez"), await api.client.get("/readyz")
    assert (lives.status_code, lives.json()) == (200, {"status": "ok"})
    well = {"ledger": "ok", "prefect": "ok", "why": ""}
    assert (ready.status_code, ready.json()) == (200, well)
