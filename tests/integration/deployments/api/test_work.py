"""Asking for work: it is accepted at once, checked as its run checks it, and done once."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import get_client

from blocks.errors import RequestError
from blocks.prefect_api.workflows import load_workflow, validated
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect


async def prefect_run(run_id: str) -> Any:
    async with get_client() as client:
        return await client.read_flow_run(UUID(run_id))


async def test_a_workflow_is_accepted_at_once(api: Api) -> None:
    answer = await api.post(
        "/orchestrate/workflow", {"workflow": "system-status", "parameters": {"hours": 3}}
    )
    assert answer.status_code == 202
    body = answer.json()
    assert body["workflow"] == "system-status"
    assert answer.headers["location"] == body["links"]["self"] == f"/orchestrate/runs/{body['id']}"
    assert "Idempotency-Replayed" not in answer.headers
    run = await prefect_run(body["id"])
    assert run.parameters == {"hours": 3}
    assert body["links"]["page"].endswith(f"/runs/flow-run/{run.id}")

    told = (await api.client.get(body["links"]["self"])).json()
    assert told["id"] == body["id"]
    assert told["state"]["type"] == "SCHEDULED"
    assert not told["state"]["is_final"]
    assert told["parameters"] == {"hours": 3}
    assert told["report"] is told["result"] is told["finished_at"] is None


@pytest.mark.parametrize(
    ("workflow", "parameters"),
    [
        ("system-status", {"hours": 0}),
        ("system-status", {"hours": "many"}),
        ("system-status", {"hour": 1}),
        ("system-status", {"approved": True}),
        ("sequential-workflow", {"top": 10**18}),
    ],
)
async def test_parameters_are_checked_by_the_flows_own_signature(
    api: Api, workflow: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(RequestError) as said:  # as ./orchestrator run does
        validated(load_workflow(workflow), parameters)
    answer = await api.post(
        "/orchestrate/workflow", {"workflow": workflow, "parameters": parameters}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] == said.value.what
    assert answer.json().get("hint", "") == said.value.hint


async def test_an_unknown_workflow_is_refused_with_its_near_misses(api: Api) -> None:
    answer = await api.post("/orchestrate/workflow", {"workflow": "daily_helth_check"})
    assert answer.status_code == 422
    assert answer.json()["hint"] == "Did you mean daily-health-check?"


async def test_an_internal_deployment_is_no_workflow(api: Api) -> None:
    answer = await api.post("/orchestrate/workflow", {"workflow": "apply-approval"})
    assert answer.status_code == 422


async def test_a_task_gets_the_place_that_its_urgency_asks_for(api: Api) -> None:
    task = {"task_type": "api_failure", "params": {"connection": "northwind"}}
    places = {}
    for severity in ("info", "critical"):
        answer = await api.post("/orchestrate/task", {**task, "severity": severity})
        assert answer.status_code == 202, answer.text
        run = await prefect_run(answer.json()["id"])
        async with get_client() as client:
            deployment = await client.read_deployment(run.deployment_id)
        places[severity] = deployment.name, run.work_pool_name
        assert run.parameters["need_key"].startswith("api "), "begun again, it is one task"
    assert places["info"] == ("route-task", "operations")
    assert places["critical"] == ("route-task-critical", "critical")


async def test_a_task_keeps_the_need_key_that_it_came_with(api: Api) -> None:
    answer = await api.post(
        "/orchestrate/task",
        {"task_type": "inventory_sync", "need_key": "order-4711"},
    )
    assert answer.status_code == 202, answer.text
    run = await prefect_run(answer.json()["id"])
    assert run.parameters["need_key"] == "order-4711"


async def test_an_unknown_task_type_names_the_near_misses(api: Api) -> None:
    answer = await api.post("/orchestrate/task", {"task_type": "api_failur"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "no-agent-available"
    assert answer.json()["detail"] == "No agent available for task type: api_failur"
    assert "api_failure" in answer.json()["hint"]


async def test_a_task_whose_params_do_not_fit_is_refused(api: Api) -> None:
    answer = await api.post(
        "/orchestrate/task",
        {"task_type": "api_failure", "params": {"connection": "acme", "colour": "red"}},
    )
    assert answer.status_code == 422
    assert "'colour'" in answer.json()["detail"]


async def test_a_broadcast_is_accepted(api: Api) -> None:
    alert = {"title": "Payment provider announces maintenance", "severity": "warning"}
    answer = await api.post("/orchestrate/broadcast", alert)
    assert answer.status_code == 202, answer.text
    assert (await prefect_run(answer.json()["id"])).parameters == alert


async def test_an_unknown_run_is_not_found(api: Api) -> None:
    answer = await api.client.get(f"/orchestrate/runs/{uuid4()}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not-found"
