"""Probes over HTTP: what counts as a good answer, and who is told who we are."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from blocks.business.probes import Probe
from blocks.business.probing.web import HttpCheck
from blocks.errors import ConfigurationError
from tests.loopback import HANG, Loopback, Reply, Request, serve

SECRET = "canary-7f3a"


def probe(url: str, timeout: float = 5.0, **check: Any) -> Probe:
    return Probe(name="front", check=HttpCheck(url=url, **check), timeout=timeout)


async def fault_of(reply: Reply, **check: Any) -> str:
    async with serve(reply) as server:
        seen = await probe(server.url, **check).look()
    return seen.fault.what if seen.fault else ""


@pytest.mark.parametrize(
    ("reply", "check", "told"),
    [
        (Reply("{}"), {}, ""),
        (Reply("{}", status=503), {}, "HTTP 503 instead of 2xx"),
        (Reply("{}", status=401), {"status": [401]}, ""),
        (Reply("{}", status=200), {"status": [204, 301]}, "HTTP 200 instead of 204 or 301"),
        (Reply("Welcome to the shop"), {"contains": "the shop"}, ""),
        (Reply("Fatal error"), {"contains": "the shop"}, "does not contain 'the shop'"),
        (Reply('{"db": [{"ok": true}]}'), {"fields": {"db.0.ok": True}}, ""),
        (Reply('{"db": [{"ok": 1}]}'), {"fields": {"db.0.ok": True}}, "'db.0.ok' is not True"),
        (Reply('{"db": null}'), {"fields": {"db": None}}, ""),
        (Reply("{}"), {"fields": {"db.ok": True}}, "has no field 'db.ok'"),
        (Reply("<html>"), {"fields": {"db": 1}}, "answer is no JSON"),
        (Reply(raw=b"SSH-2.0 it is\r\n\r\n"), {}, "does not speak HTTP"),
    ],
)
async def test_what_counts_as_a_good_answer(reply: Reply, check: dict[str, Any], told: str) -> None:
    fault = await fault_of(reply, **check)
    assert told in fault
    assert bool(told) == bool(fault)


async def test_one_that_hangs_is_given_up_after_its_timeout() -> None:
    async with serve(HANG) as server:
        seen = await probe(server.url, timeout=0.2).look()
    assert not seen.up
    assert seen.latency_ms is None
    assert seen.fault
    assert "within 0.2 s" in seen.fault.what


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"auth": "bearer"}, "authorization", f"Bearer {SECRET}"),
        (
            {"auth": "basic", "username": "ops"},
            "authorization",
            f"Basic {base64.b64encode(f'ops:{SECRET}'.encode()).decode()}",
        ),
        ({"auth": "api-key", "api_key_header": "X-Key"}, "x-key", SECRET),
    ],
)
async def test_it_says_who_we_are_and_no_error_tells_how(
    auth: dict[str, str], header: str, value: str
) -> None:
    async with serve(Reply("no", status=403)) as server:
        front = probe(f"{server.url}/?token={SECRET}", credential=SECRET, **auth)
        seen = await front.look()
        assert server.requests[0].headers[header] == value
    assert seen.fault
    assert SECRET not in f"{seen}{front.check!r}".replace(f"token={SECRET}", "")


def _to(there: str) -> Reply:
    return Reply(status=302, headers={"Location": there})


async def test_redirects_are_followed_where_that_is_wanted_and_credentials_stay_behind() -> None:
    async with serve(Reply("the shop")) as other:

        def answer(request: Request) -> Reply:
            return _to("/two?a=1") if request.path == "/" else _to(f"{other.url}/three")

        async with serve(answer) as server:
            check = {"auth": "bearer", "credential": SECRET, "headers": {"X-Own": "yes"}}
            seen = await probe(server.url, follow_redirects=True, contains="shop", **check).look()
            stays = await probe(server.url, **check).look()
        assert seen.up
        assert [r.path for r in server.requests] == ["/", "/two", "/"]
        assert server.requests[1].query == {"a": "1"}
        assert server.requests[1].headers["authorization"] == f"Bearer {SECRET}"
        assert "x-own" not in other.requests[0].headers
        assert SECRET not in str(other.requests)
    assert stays.fault
    assert "HTTP 302, a redirect to" in stays.fault.what


async def test_an_endless_redirect_ends() -> None:
    async with serve(_to("/")) as server:
        seen = await probe(server.url, follow_redirects=True).look()
        assert len(server.requests) == 6
    assert seen.fault
    assert "HTTP 302" in seen.fault.what


async def test_it_may_not_be_led_to_an_internal_host() -> None:
    async with serve(_to("http://169.254.169.254/latest/meta-data")) as server:
        with pytest.raises(ConfigurationError, match="internal hosts must be named"):
            await probe(server.url, follow_redirects=True).look()


async def test_a_post_carries_its_body() -> None:
    bodies: list[bytes] = []

    def answer(request: Request) -> Reply:
        bodies.append(request.body)
        return Reply("{}", status=201 if request.method == "POST" else 405)

    server: Loopback
    async with serve(answer) as server:
        seen = await probe(server.url, method="POST", body='{"ping": 1}').look()
        assert server.requests[0].headers["content-type"] == "application/json"
    assert seen.up
    assert bodies == [b'{"ping": 1}']
