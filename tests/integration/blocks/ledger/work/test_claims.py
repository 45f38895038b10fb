"""Claims in the ledger, on SQLite and PostgreSQL alike: one holder, and no stale token."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.work.claims import holds
from blocks.policy.claim_rules import ClaimRules
from blocks.vocabulary.messages import Priority
from flows.orchestrator.effects.arbitration import Decision, Request, Verdict, decide

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULES = ClaimRules()
CHECKOUT = "service:checkout"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def ask(
    ledger: Ledger,
    holder: str,
    priority: Priority = Priority.NORMAL,
    *,
    now: datetime = NOON,
    patience: float = 30,
    resource: str = CHECKOUT,
) -> Decision:
    request = Request(resource, holder, "optimize", priority, now + patience * SECOND)
    judge = partial(decide, request=request, now=now, rules=RULES)
    return await ledger.claims.request(resource, now, judge)


async def take(ledger: Ledger, holder: str, priority: Priority = Priority.NORMAL) -> int:
    decision = await ask(ledger, holder, priority)
    assert decision.granted
    return decision.claim.token


def effect(fence: int, number: int = 0, **fields: object) -> EffectRecord:
    given = {"kind": "a.restart", "target": CHECKOUT, "need_key": f"k{number}"}
    given |= {"fence": fence, "intended_at": NOON}
    return EffectRecord.model_validate(given | fields)


async def test_a_claim_reads_back_as_it_was_decided(ledger: Ledger) -> None:
    assert await ledger.claims.get(CHECKOUT) is None
    decision = await ask(ledger, "a", Priority.HIGH)
    kept = await ledger.claims.get(CHECKOUT)
    assert kept == decision.claim
    assert (kept.token, kept.holder, kept.priority, kept.workflow) == (1, "a", 3, "optimize")
    assert kept.expires_at == NOON + 60 * SECOND


async def test_a_request_that_is_refused_changes_nothing(ledger: Ledger) -> None:
    await take(ledger, "a")
    before = await ledger.claims.get(CHECKOUT)
    assert (await ask(ledger, "b", patience=0)).verdict is Verdict.REFUSE
    assert await ledger.claims.get(CHECKOUT) == before


async def test_resources_do_not_know_each_other(ledger: Ledger) -> None:
    await take(ledger, "a")
    other = await ask(ledger, "b", Priority.LOW, resource="sku:85048")
    assert (other.granted, other.claim.token) == (True, 1)


async def test_a_stale_token_is_refused_everywhere(ledger: Ledger) -> None:
    stale = await take(ledger, "a", Priority.LOW)
    token = await take(ledger, "b", Priority.HIGH)
    assert token == stale + 1
    after = await ledger.claims.get(CHECKOUT)
    claims, until = ledger.claims, NOON + 600 * SECOND
    assert not await claims.renew(CHECKOUT, stale, NOON, until)
    assert not await claims.act(CHECKOUT, stale, NOON, until)
    assert not await claims.done_acting(CHECKOUT, stale, NOON, until)
    assert not await claims.release(CHECKOUT, stale)
    assert not await claims.check(CHECKOUT, stale, NOON)
    assert not await ledger.effects.intend(effect(stale))
    assert await ledger.effects.acts() == []
    assert await claims.get(CHECKOUT) == after


@pytest.mark.parametrize("how", ["released", "expired"])
async def test_a_token_without_a_holder_is_as_good_as_stale(ledger: Ledger, how: str) -> None:
    token = await take(ledger, "a")
    now = NOON
    if how == "released":
        assert await ledger.claims.release(CHECKOUT, token)
    else:
        now = NOON + 60 * SECOND
    until = now + 60 * SECOND
    assert not await ledger.claims.renew(CHECKOUT, token, now, until)
    assert not await ledger.claims.act(CHECKOUT, token, now, until)
    assert not await ledger.claims.done_acting(CHECKOUT, token, now, until)
    assert not await ledger.claims.check(CHECKOUT, token, now)
    assert not await ledger.effects.intend(effect(token, intended_at=now))
    again = await ask(ledger, "a", now=now)
    assert again.claim.token == token + 1


async def test_the_present_token_opens_everything(ledger: Ledger) -> None:
    token, claims = await take(ledger, "a"), ledger.claims
    assert await claims.renew(CHECKOUT, token, NOON, NOON + 90 * SECOND)
    assert await claims.check(CHECKOUT, token, NOON + 89 * SECOND)
    assert await claims.act(CHECKOUT, token, NOON, NOON + 600 * SECOND)
    assert await ledger.effects.intend(effect(token))
    acting = await claims.get(CHECKOUT)
    assert acting
    assert (acting.acting, acting.expires_at) == (True, NOON + 600 * SECOND)
    assert await claims.done_acting(CHECKOUT, token, NOON, NOON + 60 * SECOND)
    assert await claims.release(CHECKOUT, token)
    free = await claims.get(CHECKOUT)
    assert free
    assert (free.holder, free.acting, free.token) == (None, False, token)


async def test_a_need_that_is_taken_stays_taken_under_a_claim(ledger: Ledger) -> None:
    token = await take(ledger, "a")
    assert await ledger.effects.intend(effect(token))
    assert not await ledger.effects.intend(effect(token))


async def test_who_lost_the_claim_since_the_intent_does_not_begin(ledger: Ledger) -> None:
    intent, until = effect(await take(ledger, "a", Priority.LOW)), NOON + 60 * SECOND
    assert await ledger.effects.intend(intent)
    token = await take(ledger, "b", Priority.HIGH)
    assert await ledger.effects.begin(intent, NOON, until) is None
    renewed = intent.model_copy(update={"fence": token})
    assert await ledger.effects.begin(renewed, NOON, until) is not None


async def test_who_is_asked_to_yield_neither_renews_nor_begins_to_act_again(
    ledger: Ledger,
) -> None:
    token, claims, until = await take(ledger, "a"), ledger.claims, NOON + 600 * SECOND
    assert await claims.act(CHECKOUT, token, NOON, until)
    asked = await ask(ledger, "b", Priority.HIGH)
    assert asked.verdict is Verdict.ASK_TO_YIELD
    assert await claims.check(CHECKOUT, token, NOON), "it acts to its end"
    assert await claims.done_acting(CHECKOUT, token, NOON, until)
    assert not await claims.renew(CHECKOUT, token, NOON, until)
    assert not await claims.act(CHECKOUT, token, NOON, until)
    # Who asked fell silent: its wish is forgotten after 15 s.
    later = NOON + 15 * SECOND
    assert await claims.act(CHECKOUT, token, later, until)


async def test_who_withdraws_is_no_longer_in_anybodys_way(ledger: Ledger) -> None:
    token, claims, until = await take(ledger, "a"), ledger.claims, NOON + 600 * SECOND
    await claims.act(CHECKOUT, token, NOON, until)
    await ask(ledger, "b", Priority.HIGH)
    await claims.done_acting(CHECKOUT, token, NOON, until)
    assert not await claims.withdraw(CHECKOUT, "c"), "nobody withdraws for another"
    assert not await claims.renew(CHECKOUT, token, NOON, until)
    assert await claims.withdraw(CHECKOUT, "b")
    assert await claims.renew(CHECKOUT, token, NOON, until)


async def test_of_many_that_ask_at_once_through_two_ledgers_one_is_granted(
    ledger: Ledger, ledger_url: str
) -> None:
    with Ledger.open(ledger_url) as other:
        for turn in range(5):
            resource = f"sku:{turn}"
            decisions = await asyncio.gather(
                *(ask(one, f"{one is other}{n}", resource=resource)
                  for n in range(5) for one in (ledger, other))
            )  # fmt: skip
            assert [d.granted for d in decisions].count(True) == 1
            assert {d.claim.token for d in decisions} == {1}


async def test_an_intent_and_a_take_over_at_once_never_both_stand_on_the_old_token(
    ledger: Ledger, ledger_url: str
) -> None:
    """Either the intent came first, under a token that held then, or it was refused."""
    with Ledger.open(ledger_url) as other:
        for turn in range(10):
            resource = f"sku:{turn}"
            low = await ask(ledger, "low", Priority.LOW, resource=resource)
            intent = effect(low.claim.token, turn, target=resource)
            acts, taken = await asyncio.gather(
                _act_then_intend(ledger, intent),
                ask(other, "high", Priority.HIGH, resource=resource),
            )
            assert taken.granted != acts, "nobody is replaced while acting, or acts afterwards"


async def test_a_token_that_is_checked_in_a_write_holds_until_the_commit(
    ledger: Ledger, ledger_url: str
) -> None:
    token = await take(ledger, "low", Priority.LOW)
    checked, go_on = threading.Event(), threading.Event()

    def write(connection: Connection) -> bool:
        held = holds(connection, CHECKOUT, token, NOON)
        checked.set()
        go_on.wait()
        return held

    with Ledger.open(ledger_url) as other:
        writing = asyncio.create_task(ledger._access.write(write))
        await asyncio.to_thread(checked.wait)
        taking = asyncio.create_task(ask(other, "high", Priority.HIGH))
        done, _ = await asyncio.wait([taking], timeout=0.5)
        go_on.set()
        assert not done, "it was taken over in the middle of the write"
        assert await writing
        assert (await taking).verdict is Verdict.TAKE_OVER


async def _act_then_intend(ledger: Ledger, intent: EffectRecord) -> bool:
    assert intent.fence
    acts = await ledger.claims.act(intent.target, intent.fence, NOON, NOON + 600 * SECOND)
    intended = await ledger.effects.intend(intent)
    assert intended == acts
    return acts
