"""The client, as a program elsewhere uses it: alone, and against the real API."""

from __future__ import annotations

import ast
import base64
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from blocks.ledger.callers.tokens import Scope
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import utc_now
from deployments.api import client
from deployments.api.client import AsyncOrchestrator, Orchestrator
from tests.integration.deployments.api.conftest import Api
from tests.loopback import Reply, Request, serve

FILE = PROJECT_ROOT / "deployments/api/client.py"
ACCEPTED = '{"id": "r", "workflow": "w", "links": {"self": "/s", "page": "p"}}'


def test_it_imports_httpx_pydantic_and_the_standard_library_alone() -> None:
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(str(node.module).partition(".")[0])
    assert names - set(sys.stdlib_module_names) == {"httpx", "pydantic"}


def test_copied_elsewhere_it_works(tmp_path: Path) -> None:
    copy = tmp_path / "orchestrator_client.py"
    copy.write_text(FILE.read_text())
    code = "import orchestrator_client as c; print(c.workflow('x').headers['Idempotency-Key'])"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert len(ended.stdout.strip()) == 32


@pytest.mark.parametrize("body", [b"{}", b'{"test": 2432232314}', "käse".encode()])
def test_its_signature_is_that_of_the_official_library(body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    now = utc_now().replace(microsecond=0)
    signed = client.sign(secret, "msg_1", int(now.timestamp()), body)
    assert signed["webhook-signature"] == Webhook(secret).sign("msg_1", now, body.decode())


def answers(*replies: Reply) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_passes_is_sent_again_with_the_same_key(status: int) -> None:
    busy = Reply("{}", status, headers={"Retry-After": "0"})
    async with (
        serve(answers(busy, busy, Reply(ACCEPTED, 202))) as server,
        AsyncOrchestrator(server.url) as api,
    ):
        accepted = await api.send(client.workflow("w"))
    assert accepted.id == "r"
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert (len(server.requests), len(keys)) == (3, 1)


async def test_a_broken_connection_is_tried_again_with_the_same_key() -> None:
    broken = Reply(raw=b"HTTP/1.1 2")
    async with (
        serve(answers(broken, Reply(ACCEPTED, 202))) as server,
        AsyncOrchestrator(server.url) as api,
    ):
        assert (await api.send(client.task("t"))).id == "r"
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


async def test_a_request_in_flight_is_asked_for_again_and_a_rule_is_not() -> None:
    flying = Reply("{}", 409, headers={"Retry-After": "0"})
    async with (
        serve(answers(flying, Reply(ACCEPTED, 202))) as server,
        AsyncOrchestrator(server.url) as api,
    ):
        assert (await api.send(client.task("t"))).id == "r"
    async with serve(Reply("{}", 409)) as server, AsyncOrchestrator(server.url) as api:
        with pytest.raises(client.Conflict):
            await api.send(client.task("t"))
    assert len(server.requests) == 1


async def test_it_gives_up_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_BACKOFF", 0.001)
    async with serve(Reply("no JSON", 503)) as server, AsyncOrchestrator(server.url) as api:
        with pytest.raises(client.Unavailable) as error:
            await api.send(client.status())
    assert error.value.status == 503
    assert len(server.requests) == client.ATTEMPTS
    with Orchestrator("http://127.0.0.1:9") as nobody, pytest.raises(client.Unavailable) as error:
        nobody.send(client.status())
    assert error.value.code == "unreachable"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, client.Invalid),
        (401, client.Unauthorized),
        (403, client.Unauthorized),
        (404, client.NotFound),
        (413, client.Invalid),
        (422, client.Invalid),
        (500, client.Unavailable),
    ],
)
async def test_an_error_carries_its_problem(status: int, kind: type[client.ApiError]) -> None:
    body = '{"code": "c", "detail": "D.", "hint": "H.", "errors": [{"pointer": "#/x"}]}'
    async with serve(Reply(body, status)) as server, AsyncOrchestrator(server.url) as api:
        with pytest.raises(kind) as error:
            await api.send(client.status())
    assert (error.value.status, error.value.code, str(error.value)) == (status, "c", "D. H.")
    assert error.value.problem["errors"] == [{"pointer": "#/x"}]
    assert len(server.requests) == 1


@pytest.mark.prefect
async def test_everything_against_the_api(api: Api) -> None:
    now = utc_now()
    await api.ledger.approvals.ask(
        ApprovalRecord(
            need_key="k",
            title="May we?",
            proposal={"kind": "nothing"},
            asked_at=now,
            expires_at=now + timedelta(days=1),
        )
    )
    headers = await api.token(Scope.RUN, Scope.APPROVE)
    token = headers["Authorization"].removeprefix("Bearer ")
    async with AsyncOrchestrator(str(api.client.base_url), token) as orchestrator:
        call = client.workflow("system-status", {"hours": 2})
        first, again = await orchestrator.send(call), await orchestrator.send(call)
        assert first == again
        run = await orchestrator.send(client.run(first.id))
        assert (run.workflow, run.parameters) == ("system-status", {"hours": 2})
        assert not run.state.is_final
        with pytest.raises(TimeoutError):
            await orchestrator.wait(first.id, timeout=0.2, every=0.1)

        task = await orchestrator.send(client.task("inventory_sync", severity="info"))
        alert = await orchestrator.send(client.broadcast("Test", key=uuid4().hex))
        assert (task.workflow, alert.workflow) == ("route-task", "broadcast-alert")
        assert (await orchestrator.send(client.status()))["window_hours"] == 24
        assert {a["id"] for a in await orchestrator.send(client.agents())}
        assert "system_health" in await orchestrator.send(client.metrics())

        (question,) = await orchestrator.send(client.approvals("open"))
        answered = await orchestrator.send(client.answer(question.id[:8], True, "Fine."))
        assert answered.counted
        assert answered.approval.status == "approved"
        assert not (await orchestrator.send(client.answer(question.id, False))).counted

        with pytest.raises(client.NotFound, match="There is no run"):
            await orchestrator.send(client.run(str(uuid4())))
        with pytest.raises(client.Invalid) as error:
            await orchestrator.send(client.workflow("daily-helth-check"))
        assert error.value.hint == "Did you mean daily-health-check?"
    async with AsyncOrchestrator(str(api.client.base_url), "orc_no") as stranger:
        with pytest.raises(client.Unauthorized):
            await stranger.send(client.status())


@pytest.mark.prefect
async def test_the_one_that_waits_does_the_same(api: Api) -> None:
    import asyncio

    def work() -> tuple[Any, Any]:
        with Orchestrator(str(api.client.base_url)) as orchestrator:
            accepted = orchestrator.send(client.workflow("system-status", wait=0.6))
            return accepted, orchestrator.send(client.run(accepted.id))

    accepted, run = await asyncio.to_thread(work)
    assert (accepted.workflow, run.id) == ("system-status", accepted.id)
