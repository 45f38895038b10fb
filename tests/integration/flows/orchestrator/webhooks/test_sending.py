"""Partners are told by signed webhooks, each at its own pace, in the order that it asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest

from blocks.ledger import Ledger
from blocks.ledger.webhooks.deliveries import Search
from blocks.policy.endpoint_rules import EndpointRules
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.partner_events import EventType
from tests.effects import Clerk
from tests.endpoints import (
    OTHER_SECRET,
    SECRET,
    endpoint,
    event,
    in_time,
    look,
    numbers,
    webhook_id,
)
from tests.loopback import HANG, Reply, Request, serve

QUICK = Policy(endpoints=EndpointRules(timeout_seconds=1))
SECONDS = timedelta(seconds=10)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def test_each_endpoint_is_told_once_of_what_it_wants_signed_with_all_its_keys(
    ledger: Ledger,
) -> None:
    sent = [event(1), event(2, kind=EventType.REPORT_READY)]
    await ledger.partner_events.tell(sent)
    await ledger.partner_events.tell(sent)  # told again, it is told once
    async with serve(Reply("ok")) as one, serve(Reply("", status=204)) as two:
        both = (
            endpoint("acme", one.url, event_types=["order.*"], headers={"X-Key": "k-canary"}),
            endpoint("bolt", f"{two.url}/hooks?t=1", secret=OTHER_SECRET, previous_secret=SECRET),
        )
        assert await look(ledger, *both) == []
        assert await look(ledger, *both) == []
    [request] = one.requests
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert request.headers["x-key"] == "k-canary"
    payload = json.loads(request.body)
    assert payload == {
        "type": "order.sent",
        "timestamp": sent[0].at.isoformat(),
        "data": {"number": 1},
    }
    assert webhook_id(request) == sent[0].id
    assert sorted(numbers(two.requests)) == [1, 2]
    for each in two.requests:
        assert webhook_id(each, SECRET) == webhook_id(each, OTHER_SECRET)
    log = await ledger.deliveries.found(Search())
    assert {(each.endpoint, each.status, len(each.attempts)) for each in log} == {
        ("acme", EffectStatus.DONE, 1),
        ("bolt", EffectStatus.DONE, 1),
    }


FAULTS = [
    (Reply("<p>Oops</p>", status=500), 500, "It answered HTTP 500."),
    (Reply("", status=307, headers={"Location": "http://127.0.0.1:9/x"}), 307, "It redirects"),
    (HANG, None, "gave no complete answer within 1 s"),
    (Reply("slow as can be", pause=0.3), None, "gave no complete answer within 1 s"),
    (Reply(raw=b"SSH-2.0-OpenSSH\r\n"), None, "hung up in the middle"),
    (Reply("", status=429, headers={"Retry-After": "7200"}), 429, "It answered HTTP 429."),
]


@pytest.mark.parametrize(("reply", "status", "fault"), FAULTS, ids=range(len(FAULTS)))
async def test_what_is_not_taken_is_sent_again_with_the_same_id_and_signed_anew(
    ledger: Ledger, reply: Reply, status: int | None, fault: str
) -> None:
    await ledger.partner_events.tell([event(1)])
    replies = [reply, Reply("<html>Thanks</html>", content_type="text/html")]
    async with serve(lambda _: replies.pop(0)) as server:
        acme = endpoint("acme", server.url)
        await look(ledger, acme, by=Clerk(ledger, QUICK))
        await look(ledger, acme, by=Clerk(ledger, QUICK))
        assert len(server.requests) == 1, "it is tried again when its time has come"
        [waits] = await ledger.deliveries.found(Search())
        assert waits.status is EffectStatus.INTENDED
        assert waits.effect.next_at is not None
        wait = waits.effect.next_at - utc_now()
        longest = timedelta(hours=2) if status == 429 else timedelta(seconds=6)
        assert longest - timedelta(seconds=6) < wait <= longest
        await in_time(ledger, longest)
        await look(ledger, acme, by=Clerk(ledger, QUICK))
    first, second = server.requests
    assert webhook_id(first) == webhook_id(second)
    assert first.body == second.body
    [done] = await ledger.deliveries.found(Search())
    assert done.status is EffectStatus.DONE
    assert [each.status for each in done.attempts] == [status, 200]
    assert fault in done.attempts[0].fault
    assert done.attempts[1].answer == "<html>Thanks</html>"


# The HTTP library leaves the socket of a TLS handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*(<socket|_Selector):ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*(<socket|_Selector):pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "https://127.0.0.1:{port}/", "http://no.such.host.invalid/"]
)
async def test_who_cannot_be_reached_is_tried_again(ledger: Ledger, url: str) -> None:
    await ledger.partner_events.tell([event(1)])
    async with serve(Reply("not TLS")) as server:
        acme = endpoint("acme", url.format(port=server.port))
        await look(ledger, acme, by=Clerk(ledger, QUICK))
        assert server.requests == []
    [waits] = await ledger.deliveries.found(Search())
    assert waits.status is EffectStatus.INTENDED
    assert "endpoint 'acme'" in waits.attempts[0].fault


async def test_an_internal_host_that_is_not_named_is_not_called(ledger: Ledger) -> None:
    await ledger.partner_events.tell([event(1)])
    await look(ledger, endpoint("acme", "http://127.0.0.2:9/", internal_hosts=["127.0.0.1"]))
    [waits] = await ledger.deliveries.found(Search())
    assert "may not be called" in waits.attempts[0].fault


async def test_a_huge_answer_is_read_no_further_and_shows_no_secret(ledger: Ledger) -> None:
    await ledger.partner_events.tell([event(1)])

    def echo(request: Request) -> Reply:
        text = f"{request.headers['authorization']} {SECRET} at {request.path} "
        return Reply(text + "x" * 20_000_000, status=500)

    async with serve(echo) as server:
        acme = endpoint(
            "acme", f"{server.url}/t0-canary", headers={"Authorization": "Bearer s3cr3t"}
        )
        await look(ledger, acme)
    [waits] = await ledger.deliveries.found(Search())
    shown = waits.model_dump_json()
    assert len(waits.attempts[0].answer) <= 500
    for secret in ("s3cr3t", SECRET, "canary"):
        assert secret not in shown


async def test_a_retry_after_that_is_a_date_holds_the_whole_endpoint(ledger: Ledger) -> None:
    await ledger.partner_events.tell([event(1), event(2)])
    later = format_datetime(utc_now() + timedelta(minutes=20), usegmt=True)
    async with serve(Reply("", status=503, headers={"Retry-After": later})) as server:
        await look(ledger, endpoint("acme", server.url, ordered_by="all"))
        assert len(server.requests) == 1
        await in_time(ledger, SECONDS)
        await look(ledger, endpoint("acme", server.url, ordered_by="all"))
        assert len(server.requests) == 1
    state = await ledger.endpoints.get("acme")
    assert state.not_before is not None
    assert timedelta(minutes=19) < state.not_before - utc_now() < timedelta(minutes=21)


async def test_nothing_of_a_key_is_sent_before_what_was_told_earlier_is_over(
    ledger: Ledger,
) -> None:
    told = [event(1, "order:a"), event(2, "order:a"), event(3, "order:b"), event(4, "order:a")]
    await ledger.partner_events.tell(told)
    broken = {1}

    def answer(request: Request) -> Reply:
        return Reply("", status=500 if broken & set(numbers([request])) else 200)

    async with serve(answer) as server:
        acme = endpoint("acme", server.url, ordered_by="subject")
        await look(ledger, acme)
        assert sorted(numbers(server.requests)) == [1, 3], "other keys flow"
        await ledger.partner_events.tell([event(5, "order:a"), event(6, "order:b")])
        await look(ledger, acme)
        assert sorted(numbers(server.requests)) == [1, 3, 6]
        broken.clear()
        await in_time(ledger, SECONDS)
        await look(ledger, acme)
        assert numbers(server.requests[3:]) == [1, 2, 4, 5]


async def test_what_is_given_up_holds_up_nothing(ledger: Ledger) -> None:
    await ledger.partner_events.tell([event(1, "order:a"), event(2, "order:a")])

    def answer(request: Request) -> Reply:
        return Reply("", status=500 if numbers([request]) == [1] else 200)

    async with serve(answer) as server:
        acme = endpoint("acme", server.url, ordered_by="subject")
        for _ in range(10):
            await look(ledger, acme)
            await in_time(ledger, timedelta(days=2))
        assert numbers(server.requests) == [1] * 10
        await look(ledger, acme)
        assert numbers(server.requests) == [1] * 10 + [2]
    two, one = await ledger.deliveries.found(Search())
    assert (one.status, two.status) == (EffectStatus.FAILED, EffectStatus.DONE)
    assert len(one.attempts) == 10


async def test_who_is_gone_is_disabled_told_to_people_and_sent_what_it_missed_in_order(
    ledger: Ledger,
) -> None:
    from flows.orchestrator.webhooks.tending import enable

    await ledger.partner_events.tell([event(number) for number in range(1, 4)])
    replies = {"status": 410}
    async with serve(lambda _: Reply("", status=replies["status"])) as server:
        acme = endpoint("acme", server.url, ordered_by="all")
        await look(ledger, acme)
        await ledger.partner_events.tell([event(4)])
        await look(ledger, acme)
        assert numbers(server.requests) == [1]
        state = await ledger.endpoints.get("acme")
        assert (state.enabled, state.told_at is not None) == (False, True)
        log = await ledger.deliveries.found(Search())
        assert [each.status.value for each in log] == ["refused", "refused", "refused", "failed"]
        replies["status"] = 200
        await enable(Clerk(ledger), "acme", "ann", utc_now(), resend=True)
        await ledger.partner_events.tell([event(5)])
        await look(ledger, acme)
        assert numbers(server.requests) == [1, 1, 2, 3, 4, 5]
        assert webhook_id(server.requests[0]) == webhook_id(server.requests[1])


async def test_who_takes_nothing_for_days_is_disabled(ledger: Ledger) -> None:
    from sqlalchemy import update

    from blocks.ledger.webhooks.tables import ENDPOINTS

    await ledger.partner_events.tell([event(1)])
    async with serve(Reply("", status=500)) as server:
        acme = endpoint("acme", server.url)
        await look(ledger, acme)
        since = utc_now() - timedelta(days=5)
        await ledger._access.change(update(ENDPOINTS).values(failing_since=since))
        await in_time(ledger, SECONDS)
        await look(ledger, acme)
    state = await ledger.endpoints.get("acme")
    assert not state.enabled
    assert "It has taken nothing since" in state.why


@pytest.mark.soak
async def test_a_dead_endpoint_with_a_long_queue_is_left_alone_and_keeps_nobody_waiting(
    ledger: Ledger,
) -> None:
    await ledger.partner_events.tell([event(number) for number in range(300)])
    async with serve(HANG) as dead, serve(Reply("ok")) as well:
        both = (endpoint("dead", dead.url), endpoint("well", well.url))
        await look(ledger, *both, by=Clerk(ledger, QUICK))
        assert len(well.requests) == 300
        assert len(dead.requests) <= 8, "four at once, and then it is left alone"
        before = len(dead.requests)
        await look(ledger, *both, by=Clerk(ledger, QUICK))
        assert len(dead.requests) <= before + 1, "one at a time, and then it is left alone again"
    assert await ledger.endpoints.counts() == {"dead": 300}
    assert await ledger.effects.due(utc_now() + timedelta(days=1)) == []


async def test_two_who_sweep_at_once_send_each_once(ledger_url: str) -> None:
    import asyncio

    with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as two:
        await one.partner_events.tell(
            [event(number, f"order:{number % 7}") for number in range(60)]
        )
        async with serve(Reply("ok")) as server:
            acme = endpoint("acme", server.url, ordered_by="subject")
            await asyncio.gather(look(one, acme), look(two, acme))
            await look(one, acme)
        assert sorted(numbers(server.requests)) == list(range(60))
        for line in range(7):
            of_line = [number for number in numbers(server.requests) if number % 7 == line]
            assert of_line == sorted(of_line)


async def test_an_endpoint_that_cannot_be_read_just_now_misses_nothing(ledger: Ledger) -> None:
    from blocks.business.business import Business
    from flows.orchestrator.webhooks.sending import tell_endpoints

    async def broken() -> Business:
        return Business(store=None, left_out=("endpoints[0]: the variable KEY is not set.",))

    async def decider() -> Clerk:
        return Clerk(ledger)

    async with serve(Reply("ok")) as server:
        acme = endpoint("acme", server.url, event_types=["order.*"])
        await ledger.partner_events.tell([event(1)])
        await look(ledger, acme)
        await ledger.partner_events.tell([event(2), event(3, kind=EventType.REPORT_READY)])
        await tell_endpoints(ledger, decider, load=broken)
        assert numbers(server.requests) == [1]
        await look(ledger, acme)
        assert numbers(server.requests) == [1, 2]
