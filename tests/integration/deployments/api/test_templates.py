"""What Prefect would render in parameters is refused before it sees it; in an event it is data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prefect import get_client
from prefect.blocks.system import Secret
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

from blocks.ledger.callers.tokens import Scope
from blocks.vocabulary.messages import utc_now
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect

# Each says to a server that renders it what no client may have done; the last one never ends.
TEMPLATES = {
    "jinja": {"__prefect_kind": "jinja", "template": "{{ 7*7 }}"},
    "json": {"__prefect_kind": "json", "value": '{"a": 1}'},
    "variable": {"__prefect_kind": "workspace_variable", "variable_name": "orchestrator_policy"},
    "in a json": {
        "__prefect_kind": "json",
        "value": {"__prefect_kind": "jinja", "template": "{{ 7*7 }}"},
    },
    "endless": {"__prefect_kind": "jinja", "template": "{% for a in range(99999)|batch(1) %}"},
}


@pytest_asyncio.fixture
async def runner(api: Api) -> dict[str, str]:
    return await api.token(Scope.RUN, Scope.READ)


async def runs_of_the_api() -> int:
    async with get_client() as client:
        ours = FlowRunFilter(tags=FlowRunFilterTags(all_=["api"]))
        return len(await client.read_flow_runs(flow_run_filter=ours))


def requests_with(value: Any) -> list[tuple[str, dict[str, Any]]]:
    message = {"to": "data-intelligence", "action": "forecast_demand", "payload": {"skus": [value]}}
    return [
        ("/orchestrate/task", {"task_type": "inventory_sync", "params": {"deep": [{"x": value}]}}),
        ("/orchestrate/task", {"task_type": "inventory_sync", "params": value}),
        ("/orchestrate/broadcast", {"title": "A title", "data": {"x": value}}),
        (
            "/orchestrate/workflow",
            {"workflow": "route-task", "parameters": {"task_type": "x", "params": {"x": value}}},
        ),
        (
            "/orchestrate/workflow",
            {"workflow": "event-driven-workflow", "parameters": {"event": {"data": value}}},
        ),
        (
            "/orchestrate/workflow",
            {"workflow": "deliver-message", "parameters": {"message": message}},
        ),
    ]


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
async def test_no_request_has_prefect_render_anything(
    api: Api, runner: dict[str, str], template: dict[str, Any]
):
    for path, body in requests_with(template):
        answer = await api.post(path, body, **runner)
        assert answer.status_code == 422, (path, body, answer.text)
        assert "__prefect_kind" in answer.text
    assert await runs_of_the_api() == 0


@pytest_asyncio.fixture
async def secret_block(registered: str) -> AsyncIterator[str]:
    block_id = await Secret(value="a canary of a secret").save("canary", overwrite=True)
    yield str(block_id)
    async with get_client() as client:
        await client.delete_block_document(block_id)


async def test_no_request_has_a_block_loaded(api: Api, runner: dict[str, str], secret_block: str):
    for path, body in requests_with({"$ref": {"block_document_id": secret_block}}):
        answer = await api.post(path, body, **runner)
        assert answer.status_code == 422, (path, body, answer.text)
        assert "canary" not in answer.text
    assert await runs_of_the_api() == 0


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
async def test_in_an_event_it_is_data(api: Api, runner: dict[str, str], template: dict[str, Any]):
    before = utc_now()
    data = {"list": [template], "schema": {"$ref": "#/$defs/order"}}
    body = {"type": "odd.thing", "source": "test", "id": "1", "data": data}
    answer = await api.client.post("/events", json=body, headers=runner)
    assert answer.status_code == 202, answer.text
    (event,) = await api.ledger.inbox.received(before, 10)
    assert event.data == data
