"""Calls to a partner on loopback: made again, left out, waited with, and told in words."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from blocks.egress import PERSON, Reach
from blocks.errors import ConfigurationError, SourceGarbled, SourceTimeout, SourceUnavailable
from blocks.partners.call import ATTEMPTS
from blocks.partners.clock import Clock
from blocks.partners.memory import OwnMemory
from blocks.partners.partner import Partner
from blocks.settings import get_settings
from tests.integration.blocks.partners.clocks import Fast
from tests.loopback import HANG, Loopback, Reply, Request, serve


def partner(clock: Clock | None = None, timeout: float = 5.0) -> Partner:
    return Partner("it", reach=PERSON, timeout=timeout, memory=OwnMemory(), clock=clock or Fast())


@pytest.fixture
def nothing_internal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No internal host is named."""
    monkeypatch.delenv("ORCHESTRATOR_INTERNAL_HOSTS")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def first(*replies: Reply) -> Callable[[Request], Reply]:
    """Replies in their order, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def of(server: Loopback) -> list[str]:
    return [request.method for request in server.requests]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_get_is_made_again_while_it_may_help(status: int) -> None:
    async with serve(first(Reply(status=status), Reply(status=status), Reply("ok"))) as server:
        answer = await partner().get(server.url)
    assert (answer.text(), of(server)) == ("ok", ["GET"] * 3)
    assert ATTEMPTS == 3


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 409, 422])
async def test_what_would_be_answered_alike_is_asked_once(status: int) -> None:
    async with serve(Reply(status=status)) as server:
        answer = await partner().get(server.url)
    assert (answer.status, len(server.requests)) == (status, 1)


async def test_the_last_attempts_error_is_told_and_nobody_is_to_try_again() -> None:
    async with serve(Reply(status=503)) as server:
        with pytest.raises(SourceUnavailable, match="it answered HTTP 503") as caught:
            await partner().get(server.url)
    assert len(server.requests) == ATTEMPTS
    assert (caught.value.retryable, caught.value.worth_repeating) == (True, False)


async def test_a_post_without_a_key_is_made_once() -> None:
    async with serve(Reply(status=503)) as server:
        with pytest.raises(SourceUnavailable) as caught:
            await partner().post(server.url, b"{}", content_type="application/json")
    assert of(server) == ["POST"]
    assert not caught.value.nothing_sent


async def test_a_post_with_a_key_is_made_again_with_the_same() -> None:
    async with serve(first(Reply(status=503), Reply(raw=b""), Reply("ok"))) as server:
        answer = await partner().post(
            server.url, b'{"q": 1}', content_type="application/json", idempotency_key="k-1"
        )
    assert answer.text() == "ok"
    assert [
        (r.body, r.headers["idempotency-key"], r.headers["content-type"]) for r in server.requests
    ] == [(b'{"q": 1}', "k-1", "application/json")] * 3


async def test_a_post_that_hangs_may_have_been_done() -> None:
    async with serve(HANG) as server:
        with pytest.raises(SourceTimeout) as caught:
            await partner(timeout=0.2).post(server.url, b"{}", content_type="application/json")
    assert len(server.requests) == 1
    assert not caught.value.nothing_sent


async def test_a_post_that_never_left_is_made_again_and_did_not_happen() -> None:
    clock = Fast()
    async with serve(Reply()) as server:
        url = server.url
    with pytest.raises(SourceUnavailable, match="Connection refused") as caught:
        await partner(clock).post(url, b"{}", content_type="application/json")
    assert len(clock.slept) == ATTEMPTS - 1
    assert caught.value.nothing_sent


async def test_what_may_have_been_sent_once_stays_so() -> None:
    """The first attempt arrived and got no answer; the second found nobody there."""
    clock = Fast()
    async with serve(Reply(raw=b"")) as server:

        async def gone(seconds: float) -> None:
            server_gone.set()
            await asyncio.sleep(0.05)

        server_gone = asyncio.Event()
        clock.sleep = gone  # type: ignore[method-assign]
        call = asyncio.create_task(
            partner(clock).post(
                server.url, b"{}", content_type="application/json", idempotency_key="k"
            )
        )
        await server_gone.wait()
    with pytest.raises(SourceUnavailable, match="Connection refused") as caught:
        await call
    assert len(server.requests) == 1
    assert not caught.value.nothing_sent


async def test_pauses_grow_and_are_spread() -> None:
    first_pauses, second_pauses = [], []
    async with serve(Reply(status=503)) as server:
        for _ in range(12):  # each with a memory of its own: neither breaker nor quota is met
            clock = Fast()
            with pytest.raises(SourceUnavailable):
                await partner(clock).get(server.url)
            first_pauses.append(clock.slept[0])
            second_pauses.append(clock.slept[1])
    assert len(set(first_pauses)) == 12
    assert all(0 <= pause <= 0.5 for pause in first_pauses)
    assert all(0 <= pause <= 1.0 for pause in second_pauses)
    assert max(second_pauses) > 0.5


async def test_no_pause_reaches_beyond_the_deadline() -> None:
    clock = Fast()

    def slow(_: Request) -> Reply:
        clock.at += timedelta(seconds=9)
        return Reply(status=503)

    async with serve(slow) as server:
        with pytest.raises(SourceUnavailable):
            await partner(clock).get(server.url, deadline=9)
    assert (clock.slept, len(server.requests)) == ([], 1)


async def test_a_partner_that_drips_is_given_up_at_the_deadline_of_all_attempts() -> None:
    began = asyncio.get_running_loop().time()
    async with serve(Reply("x" * 1000, pause=0.05)) as server:
        with pytest.raises(SourceTimeout):
            await partner(Clock(), timeout=0.3).get(server.url, deadline=0.5)
    assert asyncio.get_running_loop().time() - began < 5
    assert len(server.requests) <= ATTEMPTS


async def test_retry_after_is_waited_for_where_it_fits_the_deadline() -> None:
    clock = Fast()
    busy = Reply(status=429, headers={"Retry-After": "4"})
    async with serve(first(busy, Reply("ok"))) as server:
        assert (await partner(clock).get(server.url)).ok
    assert sum(clock.slept) == pytest.approx(4, abs=0.1)


async def test_retry_after_beyond_the_deadline_is_told_with_its_end() -> None:
    clock = Fast()
    busy = Reply(status=503, headers={"Retry-After": "3600"})
    it = partner(clock)
    async with serve(busy) as server:
        with pytest.raises(SourceUnavailable, match="answered HTTP 503") as caught:
            await it.get(server.url)
        assert "not called before 2026-03-02 10:00:0" in caught.value.hint
        with pytest.raises(SourceUnavailable, match="no more calls until then") as caught:
            await it.get(server.url)
    assert len(server.requests) == 1  # nor by those who come later
    assert caught.value.nothing_sent


async def test_a_limit_that_is_used_up_is_waited_for_before_the_next_call() -> None:
    clock = Fast()
    told = {"RateLimit": '"default";r=0;t=6', "RateLimit-Policy": '"default";q=10;w=60'}
    it = partner(clock)
    async with serve(Reply("ok", headers=told)) as server:
        await it.get(server.url)
        assert clock.slept == []
        await it.get(server.url)
    assert clock.slept == [pytest.approx(6, abs=0.01)]


async def test_what_remains_of_a_limit_is_counted_down_where_it_is_told_once() -> None:
    clock = Fast()
    told = {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "6"}
    it = partner(clock)
    async with serve(first(Reply(headers=told), Reply())) as server:
        for _ in range(2):
            await it.get(server.url)
        assert clock.slept == []
        await it.get(server.url)
    assert clock.slept == [pytest.approx(6, abs=0.01)]


async def test_a_partner_whose_calls_fail_is_left_alone_and_comes_back() -> None:
    clock, well = Fast(), False
    it = partner(clock)
    async with serve(lambda _: Reply("ok") if well else Reply(status=503)) as server:
        while True:
            with pytest.raises(SourceUnavailable) as caught:
                await it.get(server.url)
            if "HTTP 503" not in caught.value.what:
                break
        assert len(server.requests) == 10
        assert "half of its calls failed, since 2026-03-02 09:00:" in caught.value.what
        assert "not called before 2026-03-02 09:01:" in caught.value.what
        assert (caught.value.nothing_sent, caught.value.worth_repeating) == (True, False)
        well = True
        clock.at += timedelta(seconds=61)
        for _ in range(20):
            assert (await it.get(server.url)).ok


async def test_refusals_are_the_callers_fault_and_open_nothing() -> None:
    it = partner()
    async with serve(Reply(status=404)) as server:
        for _ in range(30):
            assert (await it.get(server.url)).status == 404
    assert len(server.requests) == 30


async def test_a_call_that_is_called_off_says_nothing_of_the_partner() -> None:
    it, asked = partner(Clock()), asyncio.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        return HANG

    async with serve(hang) as server:
        for _ in range(12):
            call = asyncio.create_task(it.get(server.url))
            await asked.wait()
            asked.clear()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        server.answer = lambda _: Reply("ok")
        assert (await it.get(server.url)).ok


async def test_at_another_address_it_is_another_partner() -> None:
    it = partner()
    async with serve(Reply(status=503)) as bad, serve(Reply("ok")) as good:
        for _ in range(5):
            with pytest.raises(SourceUnavailable):
                await it.get(bad.url)
        assert (await it.get(good.url)).ok


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://0x7f.1"],
)
@pytest.mark.usefixtures("nothing_internal")
async def test_neither_a_get_nor_a_post_reaches_what_is_internal(url: str) -> None:
    it = Partner("it", reach=Reach(), timeout=5, memory=OwnMemory())
    with pytest.raises(ConfigurationError, match="internal hosts must be named"):
        await it.get(url)
    with pytest.raises(ConfigurationError, match="internal hosts must be named"):
        await it.post(url, b"{}", content_type="application/json", idempotency_key="k")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://good@evil/", "gopher://x", "\0", ""])
async def test_what_is_no_address_of_a_partner_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="The address of it"):
        await partner().post(url, b"{}", content_type="application/json")


@pytest.mark.parametrize("key", ["a\r\nX: y", "schlüssel", " k", "k\0"])
async def test_a_key_that_cannot_be_sent_is_refused_before_anything_is(key: str) -> None:
    async with serve(Reply("ok")) as server:
        with pytest.raises(ConfigurationError, match="cannot be built"):
            await partner().post(server.url, b"", content_type="text/plain", idempotency_key=key)
    assert server.requests == []


async def test_a_post_follows_no_redirect() -> None:
    there = Reply(status=307, headers={"Location": "http://127.0.0.1:1/"})
    async with serve(there) as server:
        answer = await partner().post(server.url, b"{}", content_type="application/json")
    assert (answer.status, len(server.requests)) == (307, 1)


async def test_a_small_answer_to_a_post_that_unpacks_into_a_large_one_is_told_once() -> None:
    bomb = Reply(gzip.compress(bytes(64 * 1024 * 1024)), headers={"Content-Encoding": "gzip"})
    async with serve(bomb) as server:
        with pytest.raises(SourceGarbled, match="more than 5 MB") as caught:
            await partner().post(
                server.url, b"{}", content_type="application/json", idempotency_key="k"
            )
    assert len(server.requests) == 1
    assert not caught.value.nothing_sent
