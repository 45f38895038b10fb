"""Who may do what: tokens with scopes over every route, and pages of other sites."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from blocks.ledger.callers.tokens import Scope
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from deployments.api.http.callers import FRESH
from tests.integration.deployments.api.conftest import Api, api_settings

pytestmark = pytest.mark.prefect

WORK = {"workflow": "system-status"}
TASK = {"task_type": "inventory_sync"}
SILENCE = {"resource": "disk:1", "reason": "x", "ends_at": "2999-01-01T00:00:00Z"}
ROUTES = [
    ("POST", "/orchestrate/workflow", Scope.RUN, WORK),
    ("POST", "/orchestrate/task", Scope.RUN, TASK),
    ("POST", "/orchestrate/broadcast", Scope.RUN, {"title": "Test"}),
    ("GET", f"/orchestrate/runs/{uuid4()}", Scope.READ, None),
    ("GET", "/orchestrate/status", Scope.READ, None),
    ("GET", "/orchestrate/agents", Scope.READ, None),
    ("GET", "/metrics", Scope.READ, None),
    ("GET", "/metrics/agents", Scope.READ, None),
    ("GET", "/metrics/workflows", Scope.READ, None),
    ("GET", "/metrics/system", Scope.READ, None),
    ("GET", "/orchestrate/overview", Scope.READ, None),
    ("GET", "/orchestrate/reports/0123456789abcdef", Scope.READ, None),
    ("POST", "/events", Scope.RUN, {"type": "service.down"}),
    ("POST", "/alerts", Scope.RUN, {"version": "4", "groupKey": "g", "alerts": []}),
    ("GET", "/orders/drafts", Scope.READ, None),
    ("GET", "/orders", Scope.READ, None),
    ("GET", "/orders/PO-000000-00000000", Scope.READ, None),
    ("POST", "/orders/PO-000000-00000000/received", Scope.APPROVE, {}),
    ("POST", "/orders/PO-000000-00000000/answers", Scope.APPROVE, {"says": "confirmed"}),
    ("POST", "/orders/PO-000000-00000000/notes", Scope.APPROVE, {"text": "late"}),
    ("POST", "/orders/PO-000000-00000000/cancel", Scope.APPROVE, {}),
    ("GET", "/autonomy", Scope.READ, None),
    ("GET", "/approvals", Scope.READ, None),
    ("GET", "/approvals/0123456789abcdef", Scope.READ, None),
    ("POST", "/approvals/0123456789abcdef/answer", Scope.APPROVE, {"approve": True}),
    ("GET", "/incidents", Scope.READ, None),
    ("GET", "/incidents/0123456789abcdef", Scope.READ, None),
    ("GET", "/incidents/0123456789abcdef/report", Scope.READ, None),
    ("POST", "/incidents/0123456789abcdef/acknowledge", Scope.RUN, {}),
    ("POST", "/incidents/0123456789abcdef/assign", Scope.RUN, {"to": "ann"}),
    ("POST", "/incidents/0123456789abcdef/notes", Scope.RUN, {"text": "told"}),
    ("POST", "/incidents/0123456789abcdef/resolve", Scope.RUN, {}),
    ("GET", "/silences", Scope.READ, None),
    ("POST", "/silences", Scope.RUN, SILENCE),
    ("DELETE", "/silences/0123456789abcdef", Scope.RUN, None),
    ("GET", "/objectives", Scope.READ, None),
    ("GET", "/rules", Scope.READ, None),
    ("POST", "/rules/test", Scope.READ, {"hours": 1}),
    ("GET", "/topology", Scope.READ, None),
    ("GET", "/deliveries", Scope.READ, None),
    ("GET", "/deliveries/0123456789abcdef", Scope.READ, None),
    ("POST", "/deliveries/0123456789abcdef/resend", Scope.APPROVE, {}),
    ("GET", "/endpoints", Scope.READ, None),
    ("POST", "/endpoints/nobody/test", Scope.APPROVE, {}),
    ("POST", "/endpoints/nobody/enable", Scope.APPROVE, {}),
    ("POST", "/endpoints/nobody/disable", Scope.APPROVE, {}),
    ("POST", "/endpoints/nobody/resend", Scope.APPROVE, {}),
]
OPEN = {"/livez", "/readyz"}
SIGNED = {"/webhooks/{connection}"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return api_settings(tmp_path, api_names="ops.example.com, ops.example.com:8443")


async def send(api: Api, method: str, path: str, body: object, **headers: str) -> httpx.Response:
    keyed = {"Idempotency-Key": uuid4().hex, **headers}
    return await api.client.request(method, path, json=body, headers=keyed)


def good(method: str, path: str) -> tuple[int, ...]:
    """What who may ask is answered; the things that these paths name are not there."""
    return (201,) if (method, path) == ("POST", "/silences") else (200, 202, 404)


async def test_every_route_needs_its_scope(api: Api) -> None:
    told = (await api.client.get("/openapi.json")).json()["paths"]
    documented = {(m.upper(), path) for path, operations in told.items() for m in operations}
    assert len({(m, p) for m, p in documented if p not in OPEN | SIGNED}) == len(ROUTES), (
        "all are here"
    )
    for given in Scope:
        headers = await api.token(given)
        for method, path, needed, body in ROUTES:
            answer = await send(api, method, path, body, **headers)
            if given.implies(needed):
                assert answer.status_code in good(method, path), (given, method, path, answer.text)
            else:
                assert answer.status_code == 403, (given, method, path)
                assert answer.json()["code"] == "scope-missing"
                assert f"--scope {needed}" in answer.json()["hint"]


async def test_without_a_token_all_is_open_until_there_is_one(api: Api) -> None:
    for method, path, _, body in ROUTES:
        assert (await send(api, method, path, body)).status_code in good(method, path)
    await api.token(Scope.READ)
    until = utc_now() + timedelta(seconds=2 * FRESH)
    while (await api.client.get("/orchestrate/status")).status_code != 401:
        assert utc_now() < until
    for method, path, _, body in ROUTES:
        answer = await send(api, method, path, body)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthorized"
    for path in OPEN:
        assert (await api.client.get(path)).status_code == 200


@pytest.mark.parametrize("state", ["revoked", "expired", "unknown", "changed"])
async def test_a_token_that_is_no_longer_or_never_was_valid_is_none(api: Api, state: str) -> None:
    now = utc_now()
    text, record = await api.ledger.tokens.create(
        "t", [Scope.ADMIN], by="t", now=now - timedelta(hours=2), expires_at=now + timedelta(days=1)
    )
    if state == "revoked":
        await api.ledger.tokens.revoke(record.id, now)
    elif state == "expired":
        text, _ = await api.ledger.tokens.create(
            "t",
            [Scope.ADMIN],
            by="t",
            now=now - timedelta(hours=2),
            expires_at=now - timedelta(hours=1),
        )
    elif state == "unknown":
        text = f"orc_{'0' * 12}_{'a' * 43}"
    else:
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    answer = await send(api, "GET", "/orchestrate/status", None, Authorization=f"Bearer {text}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert text not in answer.text


async def test_a_token_that_is_revoked_in_use_is_soon_none(api: Api) -> None:
    text, record = await api.ledger.tokens.create("t", [Scope.READ], by="t", now=utc_now())
    headers = {"Authorization": f"Bearer {text}"}
    assert (await api.client.get("/orchestrate/status", headers=headers)).status_code == 200
    await api.ledger.tokens.revoke(record.id, utc_now())
    until = utc_now() + timedelta(seconds=2 * FRESH)
    while (await api.client.get("/orchestrate/status", headers=headers)).status_code != 401:
        assert utc_now() < until


@pytest.mark.parametrize("header", ["Basic dXNlcjpw", "orc_x", "Bearer a b", "Bearer \xff" * 99])
async def test_garbage_is_no_token_even_where_none_is_needed(api: Api, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    answer = await api.client.get("/orchestrate/status", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_empty_token_is_none(api: Api) -> None:
    """As a shell sends it whose $TOKEN is not set."""
    headers = {"Authorization": "Bearer"}
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "t"}
    for status in (200, 401):
        answer = await api.client.get("/orchestrate/status", headers=headers)
        assert answer.status_code == status
        answer = await api.client.post("/events", json=event, headers=headers)
        assert answer.status_code == (202 if status == 200 else status)
        await api.token(Scope.READ)
        await asyncio.sleep(FRESH + 0.1)


@pytest.mark.parametrize(
    "path",
    [
        "/orchestrate/status/health",
        "/orchestrate/workflow/livez",
        "/orchestrate/runs/health",
        "/approvals/health",
        "/livez/../orchestrate/status",
        "/livez/%2e%2e/orchestrate/status",
        "/orchestrate/status?x=/livez",
        "/orchestrate/status;/livez",
        "//orchestrate/status",
        "/ORCHESTRATE/STATUS",
    ],
)
async def test_a_path_that_looks_like_a_health_check_is_no_way_in(api: Api, path: str) -> None:
    await api.token(Scope.READ)
    async with httpx.AsyncClient(trust_env=False) as client:
        target = httpx.URL(str(api.client.base_url)).copy_with(raw_path=path.encode())
        until = utc_now() + timedelta(seconds=2 * FRESH)
        while (await api.client.get("/metrics")).status_code != 401:
            assert utc_now() < until
        answer = await client.get(target)
    assert answer.status_code in (401, 404), answer.text
    assert "system_health" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Host": "ops.example.com"}, 200),
        ({"Host": "OPS.example.com:8443"}, 200),
        ({"Host": "ops.example.com", "Origin": "https://ops.example.com"}, 200),
        ({"Host": "ops.example.com", "Origin": "https://evil.example"}, 403),
        ({"Host": "ops.example.com.evil.example"}, 403),
    ],
)
async def test_pages_of_other_sites_are_refused_and_the_proxys_name_is_not(
    api: Api, headers: dict[str, str], status: int
) -> None:
    answer = await api.client.get("/orchestrate/status", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "foreign-page"
