"""Calls to a real server on loopback: each way to fail ends in the error that says so."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest

from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.partners import http
from blocks.partners.answers import require_success
from blocks.partners.http import fetch
from blocks.vocabulary.messages import utc_now
from tests.loopback import HANG, Reply, serve

CANARY = "canary-9f2c"


async def test_an_answer_comes_with_its_latency_and_clock() -> None:
    ahead = format_datetime(utc_now() + timedelta(seconds=90), usegmt=True)
    async with serve(Reply('{"a": 1}', headers={"Date": ahead})) as server:
        answer = await fetch(f"{server.url}/x", source="it", timeout=5, params={"q": "a b&c"})
    assert (answer.ok, answer.text(), answer.content_type) == (True, '{"a": 1}', "application/json")
    assert answer.clock_skew_s == pytest.approx(90, abs=2)
    assert answer.latency_ms > 0
    assert server.requests[0].query == {"q": "a b&c"}


def packed(body: bytes, packing: str = "gzip") -> Reply:
    return Reply(body, headers={"Content-Encoding": packing})


@pytest.mark.parametrize(
    ("packing", "pack"),
    [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)],
)
async def test_what_comes_packed_unasked_is_unpacked(
    packing: str, pack: Callable[[bytes], bytes]
) -> None:
    async with serve(packed(pack(b"a" * 100_000), packing)) as server:
        answer = await fetch(server.url, source="it", timeout=5)
    assert answer.body == b"a" * 100_000
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (HANG, SourceTimeout, "no complete answer within 0.3 s"),
        (Reply("x" * 100, pause=0.05), SourceTimeout, "no complete answer within 0.3 s"),
        (Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), SourceGarbled, "does not speak HTTP"),
        (Reply(raw=b""), SourceUnavailable, "hung up in the middle"),
        (Reply("ab", headers={"Content-Length": "100"}), SourceUnavailable, "hung up"),
        (Reply(b"?", headers={"Content-Encoding": "br"}), SourceGarbled, "packed as 'br', unasked"),
        (packed(b"not packed"), SourceGarbled, "cannot be unpacked"),
        (packed(gzip.compress(b"{}")[:-4]), SourceUnavailable, "middle of a compressed answer"),
    ],
    ids=[
        "hangs",
        "drips",
        "other protocol",
        "hangs up",
        "cut short",
        "packed unknown",
        "packed wrongly",
        "packed and cut short",
    ],
)
async def test_a_bad_answer_ends_in_the_error_that_says_so(
    reply: Reply, error: type[OrchestratorError], says: str
) -> None:
    # Reply(raw=b"") closes at once; HANG, its equal, is recognised by identity.
    async with serve(reply) as server:
        with pytest.raises(error, match=says):
            await fetch(server.url, source="it", timeout=0.3)


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BYTES", 1024 * 1024)
    async with serve(Reply(b"x" * (1024 * 1024 + 1))) as server:
        with pytest.raises(SourceGarbled, match="more than 1 MB"):
            await fetch(server.url, source="it", timeout=5)


async def test_a_small_answer_that_unpacks_into_a_large_one_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "MAX_BYTES", 1024 * 1024)
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    assert len(bomb) < 100_000
    async with serve(packed(bomb)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(SourceGarbled, match="more than 1 MB"):
                await fetch(server.url, source="it", timeout=30)
            assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(b"x" * 500), b"x" * 100),
        (Reply(b"x" * 50), b"x" * 50),
        (packed(gzip.compress(b"x" * 500)), b"x" * 100),
        (packed(b"x" * 500, "br"), b"x" * 100),
        (packed(b"x" * 500), b""),
    ],
    ids=["long", "short", "packed", "packed unknown", "packed wrongly"],
)
async def test_who_wants_an_excerpt_gets_it_of_any_answer(reply: Reply, body: bytes) -> None:
    async with serve(reply) as server:
        answer = await fetch(server.url, source="it", timeout=5, excerpt=100)
    assert (answer.status, answer.body) == (200, body)


async def test_nobody_there_says_so_in_the_systems_words() -> None:
    async with serve(Reply()) as server:
        url = server.url
    with pytest.raises(SourceUnavailable, match="Connection refused"):
        await fetch(url, source="it", timeout=5)


async def test_a_date_beyond_all_time_tells_no_clock() -> None:
    date = "Thu, 01 Jan 10000000000000000000 00:00:00 GMT"
    async with serve(Reply("ok", headers={"Date": date})) as server:
        answer = await fetch(server.url, source="it", timeout=5)
    assert answer.clock_skew_s is None


async def test_redirects_are_not_followed() -> None:
    async with serve(Reply(status=307, headers={"Location": "http://127.0.0.1/"})) as server:
        answer = await fetch(server.url, source="it", timeout=5)
        with pytest.raises(SourceGarbled, match="HTTP 307 instead of data"):
            require_success(answer, "it")
    assert len(server.requests) == 1
    assert answer.location == "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/x/", "{url}/x/"),
        (f"https://u:{CANARY}@far.example/p?token={CANARY}#{CANARY}", "https://far.example/p"),
    ],
)
async def test_where_a_redirect_leads_is_told_without_its_secrets(location: str, told: str) -> None:
    async with serve(Reply(status=307, headers={"Location": location})) as server:
        answer = await fetch(f"{server.url}/x?token={CANARY}", source="it", timeout=5)
    assert answer.location == told.format(url=server.url)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, SourceRefused),
        (403, SourceRefused),
        (404, SourceRefused),
        (429, SourceUnavailable),
        (500, SourceUnavailable),
        (503, SourceUnavailable),
    ],
)
async def test_statuses_become_errors(status: int, error: type[OrchestratorError]) -> None:
    async with serve(Reply(status=status)) as server:
        answer = await fetch(server.url, source="it", timeout=5)
    with pytest.raises(error, match=f"HTTP {status}"):
        require_success(answer, "it")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "host/path",
        "http://",
        "",
        "http://[::1",
        "\0",
        "http://host:99999",
    ],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an http or https URL"):
        await fetch(url, source="it", timeout=5)


@pytest.mark.parametrize(
    "secret", [f"{CANARY}\r\nX: y", f"{CANARY}\n", f"{CANARY}é", f"{CANARY}\0"]
)
async def test_a_secret_that_cannot_be_sent_is_not_shown(
    secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with serve(Reply()) as server:
        with pytest.raises(ConfigurationError) as caught:
            await fetch(server.url, source="it", timeout=5, headers={"X-API-Key": secret})
    assert CANARY not in str(caught.value)
    assert "character that HTTP cannot carry" in str(caught.value)
    assert CANARY not in caplog.text


async def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        await fetch(f"http://user:{CANARY}@127.0.0.1/", source="it", timeout=5)
    assert CANARY not in str(caught.value)


async def test_a_post_carries_its_body_and_a_get_has_none() -> None:
    async with serve(Reply("ok")) as server:
        await fetch(
            server.url,
            source="it",
            timeout=5,
            method="POST",
            body="9,50 €".encode(),
            content_type="text/plain; charset=utf-8",
        )
        await fetch(server.url, source="it", timeout=5)
    post, get = server.requests
    assert (post.method, post.body.decode()) == ("POST", "9,50 €")
    assert post.headers["content-type"] == "text/plain; charset=utf-8"
    assert (get.method, get.body, "content-type" in get.headers) == ("GET", b"", False)


async def test_an_answer_tells_its_headers_and_its_charset() -> None:
    reply = Reply(
        "9,50 €".encode("cp1252"),
        content_type='text/csv; header=present; charset="Windows-1252"',
        headers={"X-Rate-Limit-Remaining": "3"},
    )
    async with serve(reply) as server:
        answer = await fetch(server.url, source="it", timeout=5)
    assert (answer.content_type, answer.charset) == ("text/csv", "windows-1252")
    assert answer.text() == "9,50 €"
    assert answer.headers["x-rate-limit-remaining"] == "3"


@pytest.mark.parametrize(
    ("reply", "nothing_sent"),
    [(HANG, False), (Reply(raw=b""), False), (Reply(raw=b"SSH-2.0\r\n\r\n"), False), (None, True)],
    ids=["hangs", "hangs up", "other protocol", "nobody there"],
)
async def test_an_error_says_whether_anything_was_sent(
    reply: Reply | None, nothing_sent: bool
) -> None:
    async with serve(reply or Reply()) as server:
        url = server.url if reply else "http://127.0.0.1:1"
        with pytest.raises(SourceError) as caught:
            await fetch(url, source="it", timeout=0.3, method="POST", body=b"{}")
    assert caught.value.nothing_sent is nothing_sent


async def test_what_never_finishes_to_connect_sent_nothing() -> None:
    """TLS with a server that says nothing: connected, and no request was sent."""
    async with serve(HANG) as server:
        with pytest.raises(SourceTimeout) as caught:
            await fetch(
                server.url.replace("http", "https"),
                source="it",
                timeout=0.3,
                method="POST",
                body=b"{}",
            )
    assert caught.value.nothing_sent
