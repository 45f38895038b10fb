"""Bad requests: each is refused with a problem that says what is wrong, and nothing is begun."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect import get_client

from blocks.dialects.strict_json import MAX_BYTES
from blocks.ledger.callers.tokens import Scope
from blocks.settings import Settings
from deployments.api.app import create_app
from deployments.api.http.bodies import BoundedBodies
from tests.integration.deployments.api.conftest import Api, api_settings, serving
from tests.waiting import until

pytestmark = pytest.mark.prefect

WORKFLOW, TASK, ALERT = "/orchestrate/workflow", "/orchestrate/task", "/orchestrate/broadcast"
DEEP = b'{"workflow": "system-status", "parameters": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def check_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == status
    assert told["type"] == "about:blank"
    assert told["title"]
    assert told["detail"]
    assert told["code"]
    assert all(c.isprintable() for c in told["detail"] + told.get("hint", ""))
    return told


async def send_raw(
    api: Api, path: str, body: bytes, content_type: str = "application/json"
) -> httpx.Response:
    headers = {"Idempotency-Key": uuid4().hex, "Content-Type": content_type}
    return await api.client.post(path, content=body, headers=headers)


async def count_runs() -> int:
    async with get_client() as client:
        answer = await client._client.post(
            "/flow_runs/count", json={"flow_runs": {"tags": {"all_": ["api"]}}}
        )
        return int(answer.json())


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": NaN}}', 400, "json"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": -1}}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": 1e309}}', 400, "json"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": 1e18}}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": "5"}}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": true}}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": {"hours": 1.5}}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "parameters": []}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status", "workflow": "x"}', 400, "json"),
        (WORKFLOW, b'{"workflow": "system-status", "approved": true}', 422, "request"),
        (WORKFLOW, b'{"workflow": "../../etc/passwd"}', 422, "request"),
        (WORKFLOW, b'{"workflow": "route-task/route-task-critical"}', 422, "request"),
        (WORKFLOW, b'{"workflow": "system-status\\u0000"}', 400, "json"),
        (WORKFLOW, b'{"workflow": "\\ud800"}', 400, "json"),
        (WORKFLOW, b'{"workflow": "\\u001b[31mred\\r\\nX: y"}', 422, "request"),
        (WORKFLOW, b'{"workflow": ""}', 422, "request"),
        (WORKFLOW, b'{"workflow": null}', 422, "request"),
        (WORKFLOW, b"{}", 422, "request"),
        (WORKFLOW, b"[]", 422, "request"),
        (WORKFLOW, b"null", 422, "request"),
        (WORKFLOW, b"", 400, "json"),
        (WORKFLOW, b"{", 400, "json"),
        (WORKFLOW, b"\xff\xfe", 400, "json"),
        (WORKFLOW, b"'single'", 400, "json"),
        (WORKFLOW, DEEP, 400, "json"),
        (TASK, b'{"task_type": "inventory_sync", "impact_per_hour": -1}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "impact_per_hour": 1e18}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "impact_per_hour": "9"}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "task_id": "0"}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "approved": true}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "severity": "mild"}', 422, "request"),
        (TASK, b'{"task_type": "inventory_sync", "need_key": ""}', 422, "request"),
        (TASK, b'{"task_type": ""}', 422, "request"),
        (TASK, b'{"task_type": "__class__"}', 422, "agent"),
        (TASK, b'{"task_type": "sku\\"; DROP TABLE tasks"}', 422, "agent"),
        (TASK, b'{"task_type": "api_failure", "params": {"now": 1}}', 422, "message"),
        (ALERT, b'{"title": ""}', 422, "request"),
        (ALERT, b'{"title": "x", "resource": "../../etc/passwd"}', 422, "request"),
        (ALERT, b'{"title": "x", "resource": "sku:a\\r\\nb"}', 422, "request"),
        (ALERT, b'{"title": "x", "resource": "sku:\\u001b[31m"}', 422, "request"),
        (ALERT, b'{"title": "x\\r\\ny"}', 422, "request"),
        (ALERT, b'{"title": "x", "data": [1]}', 422, "request"),
    ],
)
async def test_bad_input_is_refused(
    api: Api, path: str, body: bytes, status: int, code: str
) -> None:
    before = await count_runs()
    told = check_problem(await send_raw(api, path, body), status)
    assert code in told["code"]
    assert await count_runs() == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/orchestrate/runs/../../etc/passwd", 404),
        ("GET", "/orchestrate/runs/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/orchestrate/runs/0", 422),
        ("GET", "/orchestrate/runs/%00", 422),
        ("GET", "/approvals/..%2f..%2fetc", 404),
        ("GET", "/approvals/abc", 422),
        ("GET", "/approvals/%25%25%25%25%25%25", 422),
        ("GET", "/approvals/abcdef%0a", 422),
        ("GET", "/approvals?limit=0", 422),
        ("GET", "/approvals?limit=1e3", 422),
        ("GET", "/approvals?status=maybe", 422),
        ("DELETE", "/orchestrate/status", 405),
        ("HEAD", "/metrics", 405),
        ("OPTIONS", "/orchestrate/workflow", 405),
        ("GET", "/orchestrate/workflow", 405),
        ("TRACE", "/livez", 405),
    ],
)
async def test_bad_paths_and_methods_are_refused(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = await api.client.request(method, path)
    if method == "HEAD":
        assert answer.status_code == status
    else:
        check_problem(answer, status)
    if status == 405:
        assert answer.headers["allow"] in ("GET", "POST")


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "multipart/form-data"])
async def test_a_body_of_another_type_is_refused(api: Api, kind: str) -> None:
    answer = await send_raw(api, WORKFLOW, b'{"workflow": "system-status"}', kind)
    assert check_problem(answer, 415)["code"] == "unsupported-media-type"


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    check_problem(await send_raw(api, WORKFLOW, b" " * (MAX_BYTES + 1)), 413)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65536

    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    check_problem(await api.client.post(WORKFLOW, content=chunks(), headers=headers), 413)


async def test_a_body_that_drips_is_given_up() -> None:
    """Where the limit is lower than in service, and nothing else differs."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        raise AssertionError("it never ends")

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    bounded = BoundedBodies(app, longest=0.1)
    await bounded({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == "body-too-slow"


async def test_a_client_that_leaves_is_no_fault_of_ours(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    url = api.client.base_url
    for path in (WORKFLOW, "/events", "/alerts", "/webhooks/shop"):
        _, writer = await asyncio.open_connection(url.host, url.port)
        lines = [f"POST {path} HTTP/1.1", f"Host: {url.netloc.decode()}"]
        lines += ["Content-Type: application/json", "Content-Length: 9", "", "{"]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def counted() -> bool:
        lines = (await api.client.get("/metrics")).text.splitlines()
        requests = [line for line in lines if line.startswith("orchestrator_api_requests_total")]
        return sum('status="400"' in line for line in requests) == 4

    await until(counted, "four requests without an end in the figures")
    assert not [record for record in caplog.records if record.exc_info]


async def test_what_is_missing_is_said_without_what_stands_around_it(api: Api) -> None:
    told = check_problem(await send_raw(api, ALERT, b'{"severity": "error"}'), 422)
    assert told["detail"] == "#/title: Field required."


async def test_strangers_hear_nothing_of_their_body(api: Api) -> None:
    await api.token(Scope.READ)
    headers = {"Authorization": "Bearer orc_stranger"}
    for body in (b"{", b"{}", b'{"workflow": "x"}'):
        answer = await api.client.post(WORKFLOW, content=body, headers=headers)
        check_problem(answer, 401)


async def test_an_unexpected_error_gives_nothing_away(
    registered: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also not what the request carried: not to the client, the log or the figures."""
    settings, canary = api_settings(tmp_path), "canary-3141592653"
    app = create_app(settings)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("the password is hunter2")

    with serving(settings, app=app) as url, caplog.at_level(logging.INFO):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            headers = {"X-Secret": canary, "Cookie": canary}
            answer = await client.get("/boom", params={"q": canary}, headers=headers)
            told = check_problem(answer, 500)
            assert told["code"] == "unexpected"
            assert "hunter2" not in answer.text
            said = [answer.text]
            garbage = {"Authorization": f"Bearer {canary}"}
            said.append((await client.get("/metrics", headers=garbage)).text)
            secret = {"workflow": "system-status", "parameters": {"hours": canary * 9}}
            keyed = {"Idempotency-Key": "k"}
            assert (await client.post(WORKFLOW, json=secret, headers=keyed)).status_code == 422
            said.append((await client.get("/metrics")).text)
    assert "/boom" in said[-1]
    logged = [log for log in caplog.records if log.name != "httpx"]  # our own client's
    assert logged
    said += [caplog.handler.format(log) for log in logged]
    assert canary not in "".join(said)


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    rate = 2 if "limit" in request.node.name else 1000
    return api_settings(tmp_path, api_rate=rate)


async def test_who_asks_past_the_limit_is_told_when_to_come_back(api: Api) -> None:
    one, other = await api.token(Scope.READ), await api.token(Scope.READ)
    answers = [await api.client.get("/orchestrate/agents", headers=one) for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    for answer in refused:
        assert check_problem(answer, 429)["code"] == "rate-limited"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["ratelimit"] == '"calls";r=0;t=1'
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == '"calls";q=2;w=1'
    assert (await api.client.get("/orchestrate/agents", headers=other)).status_code == 200
    assert (await api.client.get("/livez", headers=one)).status_code == 200
