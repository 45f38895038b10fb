"""A password in a URL that somebody sends is kept nowhere: not in the ledger, not by Prefect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from prefect import get_client

from blocks.ledger.callers.tokens import Scope
from blocks.ledger.calls.dead_letters import DeadLetter
from blocks.vocabulary.messages import AgentMessage, utc_now
from tests.integration.deployments.api.conftest import Api

pytestmark = pytest.mark.prefect

CANARY = "S3cr3t-canary"
URL = f"postgresql://shop:{CANARY}@db.example/shop?sslmode=require&sslpassword={CANARY}"
MASKED = "postgresql://shop:***@db.example/shop?sslmode=require&sslpassword=***"


@pytest_asyncio.fixture
async def runner(api: Api) -> dict[str, str]:
    return await api.token(Scope.RUN, Scope.READ)


def kept(folder: Path) -> bytes:
    """Everything that the ledger has written."""
    return b"".join(file.read_bytes() for file in folder.glob("ledger.db*"))


MESSAGE = {"to": "data-intelligence", "action": "process_event", "payload": {"event": {"a": URL}}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orchestrate/task", {"task_type": "api_failure", "params": {"connection": URL}}),
        ("/orchestrate/broadcast", {"title": f"Lost {URL}", "data": {"of": {"it": URL}}}),
        (
            "/orchestrate/workflow",
            {"workflow": "deliver-message", "parameters": {"message": MESSAGE}},
        ),
        (
            "/orchestrate/workflow",
            {"workflow": "deliver-message", "parameters": {"message": json.dumps(MESSAGE)}},
        ),
    ],
)
async def test_prefect_and_who_asks_for_the_run_see_it_masked(
    api: Api, runner: dict[str, str], path: str, body: dict[str, Any]
):
    answer = await api.post(path, body, **runner)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["id"]
    shown = await api.client.get(f"/orchestrate/runs/{run_id}", headers=runner)
    async with get_client() as client:
        parameters = (await client.read_flow_run(run_id)).parameters
    for text in (shown.text, json.dumps(parameters)):
        assert CANARY not in text
        assert MASKED in text
    assert CANARY.encode() not in kept(api.settings.state_dir)


async def test_what_prefect_has_in_clear_from_elsewhere_is_masked_when_it_is_shown(
    api: Api, runner: dict[str, str]
):
    async with get_client() as client:
        found = await client.read_deployment_by_name("route-task/route-task")
        run = await client.create_flow_run_from_deployment(
            found.id, parameters={"params": {"from": URL}}, tags=["api"]
        )
    shown = await api.client.get(f"/orchestrate/runs/{run.id}", headers=runner)
    assert CANARY not in shown.text
    assert MASKED in shown.text


async def test_an_event_is_kept_masked_and_known_again(api: Api, runner: dict[str, str]):
    body = {"type": "db.lost", "source": URL, "id": f"{URL}#1", "subject": f"service:{URL[:90]}"}
    body |= {"data": {"said": [f"no answer from {URL}"]}}
    for new in (1, 0):
        answer = await api.client.post("/events", json=body, headers=runner)
        assert (answer.status_code, answer.json()["new"]) == (202, new), answer.text
    assert CANARY.encode() not in kept(api.settings.state_dir)
    assert MASKED.encode() in kept(api.settings.state_dir)


async def test_a_refusal_does_not_repeat_it(api: Api, runner: dict[str, str]):
    body = {"type": "t", "time": f"https://u:{CANARY}@h"}
    answer = await api.client.post("/events", json=body, headers=runner)
    assert answer.status_code == 422
    assert CANARY not in answer.text


async def test_the_ledger_masks_whatever_it_is_handed(api: Api):
    message = AgentMessage(recipient="sre-reliability", action="do_it", payload={"a": [{URL: URL}]})
    api.ledger.record(message)
    await api.ledger.flush()
    letter = DeadLetter(received_at=utc_now(), origin=URL, raw=f'{{"a": "{URL}"', reason=URL)
    await api.ledger.dead_letters.keep(letter)
    assert CANARY.encode() not in kept(api.settings.state_dir)
    assert (await api.ledger.dead_letters.get(letter.id)).raw == f'{{"a": "{MASKED}"'
