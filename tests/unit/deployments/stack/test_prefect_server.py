"""The two wrappers around Prefect's application."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from prefect.client.base import PrefectHttpxAsyncClient

from deployments.processes.own_pages import OwnPagesOnly
from deployments.stack.prefect_server import RetrySoon


class Application:
    """Answers with the given status and headers, and counts."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, headers = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        raw = [(k.encode(), v.encode()) for k, v in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": b"{}"})


def client(app: Any, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4200", **options)


async def test_a_503_says_when_to_come_back() -> None:
    async with client(RetrySoon(Application((503, {})))) as http:
        assert 0 < float((await http.get("/")).headers["retry-after"]) < 0.5


@pytest.mark.parametrize("answer", [(503, {"Retry-After": "30"}), (200, {}), (429, {})])
async def test_other_answers_pass_unchanged(answer: tuple[int, dict[str, str]]) -> None:
    async with client(RetrySoon(Application(answer))) as http:
        assert (await http.get("/")).headers.get("retry-after") == answer[1].get("Retry-After")


async def test_prefects_client_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("prefect.client.base.anyio.sleep", sleep)
    app = RetrySoon(Application((503, {}), (503, {}), (200, {})))
    async with PrefectHttpxAsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://server", enable_csrf_support=False
    ) as http:
        assert (await http.get("/")).status_code == 200
    assert len(slept) == 2
    assert max(slept) < 0.5, "two and four seconds otherwise"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:4200", None, 200),  # a program
        ("127.0.0.1:4200", "http://127.0.0.1:4200", 200),  # the UI
        ("localhost:4200", "http://localhost:4200", 200),
        ("127.0.0.1:4200", "http://evil.example", 403),
        ("127.0.0.1:4200", "http://127.0.0.1:8080", 403),  # another program's page
        ("127.0.0.1:4200", "null", 403),  # a sandboxed frame, a file
        ("evil.example:4200", "http://evil.example:4200", 403),  # a name that resolves to us
        ("evil.example:4200", None, 403),
        ("127.0.0.1:9999", None, 403),
    ],
)
async def test_pages_of_other_sites_are_refused(host: str, origin: str | None, status: int) -> None:
    app = Application((200, {}))
    headers = {"Host": host} | ({"Origin": origin} if origin else {})
    async with client(OwnPagesOnly(app, "127.0.0.1", 4200)) as http:
        assert (await http.post("/api/deployments/", headers=headers)).status_code == status
    assert app.asked == (status == 200)


async def test_on_an_open_address_any_name_may_be_ours_but_pages_must_match_it() -> None:
    async with client(OwnPagesOnly(Application((200, {})), "0.0.0.0", 4200)) as http:
        own = {"Host": "ops.shop.example", "Origin": "https://ops.shop.example"}
        assert (await http.post("/", headers=own)).status_code == 200
        foreign = own | {"Origin": "https://evil.example"}
        assert (await http.post("/", headers=foreign)).status_code == 403


async def test_a_foreign_websocket_is_closed() -> None:
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = Application((200, {}))
    headers = [(b"host", b"127.0.0.1:4200"), (b"origin", b"http://evil.example")]
    scope = {"type": "websocket", "headers": headers}
    await OwnPagesOnly(app, "127.0.0.1", 4200)(scope, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert app.asked == 0
