"""Effects in the ledger: one intent per need, one attempt at a time, each closed once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.errors import NotFound, RequestError
from blocks.ledger import EffectOutcome, EffectRecord, Ledger
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.messages import new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HELPED = EffectOutcome(verdict=EffectVerdict.VERIFIED, detail="It answers.", after={"ms": 20})


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def effect(**fields: Any) -> EffectRecord:
    given = {"kind": "a.restart", "target": "service:shop", "need_key": new_id()}
    return EffectRecord.model_validate(given | {"intended_at": NOON} | fields)


async def begun(ledger: Ledger, wanted: EffectRecord) -> EffectRecord:
    assert await ledger.effects.intend(wanted)
    begun = await ledger.effects.begin(wanted, NOON, NOON + MINUTE)
    assert begun is not None
    return begun


async def test_an_effect_reads_back_as_it_was_kept_at_every_step(ledger: Ledger) -> None:
    payload = {"params": {"z": 1, "a": [0.5, None]}, "text": "€"}
    wanted = effect(payload=payload, cause="down/service:shop", run_id="r", task_id="t")
    acting = await begun(ledger, wanted)
    assert (acting.attempts, acting.lease) == (1, NOON + MINUTE)
    assert await ledger.effects.get(wanted.id[:6]) == acting
    done = await ledger.effects.close(acting, EffectStatus.DONE, HELPED, NOON, receipt="r1")
    assert done is not None
    assert (done.finished_at, done.lease, done.helped) == (NOON, None, True)
    assert await ledger.effects.of_key(wanted.idempotency_key) == done
    assert await ledger.effects.list([EffectStatus.DONE]) == [done]
    undoing = await ledger.effects.undo(done, NOON + MINUTE)
    assert undoing is not None
    undone = await ledger.effects.close(undoing, EffectStatus.UNDONE, HELPED, NOON)
    assert await ledger.effects.list() == [undone]


async def test_of_many_with_one_need_one_is_intended(ledger: Ledger, ledger_url: str) -> None:
    with Ledger.open(ledger_url) as other:
        rivals = [effect(need_key="mend the shop") for _ in range(10)]
        granted = await asyncio.gather(
            *((ledger, other)[i % 2].effects.intend(rival) for i, rival in enumerate(rivals))
        )
        assert sum(granted) == 1
        (mine,) = await ledger.effects.acts()
        assert mine == rivals[granted.index(True)]
        assert not await ledger.effects.intend(mine), "not even the same one again"
        begun = await asyncio.gather(
            *(one.effects.begin(mine, NOON, NOON + MINUTE) for one in (ledger, other) * 5)
        )
    assert sum(each is not None for each in begun) == 1


async def test_an_attempt_is_closed_by_who_made_it_even_after_it_was_given_up(
    ledger: Ledger,
) -> None:
    acting = await begun(ledger, effect())
    effects, lost = ledger.effects, EffectOutcome(detail="not heard of")
    swept = await asyncio.gather(
        *(effects.close(acting, EffectStatus.UNKNOWN, lost, NOON) for _ in range(3))
    )
    assert sum(each is not None for each in swept) == 1
    assert await effects.close(acting, EffectStatus.DONE, HELPED, NOON) is None
    late = await effects.close(acting, EffectStatus.DONE, HELPED, NOON, late=True)
    assert late is not None
    assert await effects.close(acting, EffectStatus.FAILED, lost, NOON, late=True) is None


async def test_who_made_an_earlier_attempt_says_nothing_of_the_next(ledger: Ledger) -> None:
    first = await begun(ledger, effect())
    unknown = await ledger.effects.close(first, EffectStatus.UNKNOWN, HELPED, NOON)
    assert unknown is not None
    again = await ledger.effects.reopen(unknown)
    assert again is not None
    assert await ledger.effects.reopen(unknown) is None, "it is open"
    second = await ledger.effects.begin(again, NOON, NOON + MINUTE)
    assert second is not None
    assert second.attempts == 2
    assert await ledger.effects.close(first, EffectStatus.DONE, HELPED, NOON, late=True) is None


async def test_what_is_due_is_whose_time_has_come_or_whose_actor_is_dead(ledger: Ledger) -> None:
    later = effect(next_at=NOON + MINUTE)
    waiting = effect(approval_id="q")
    now = effect(next_at=NOON, intended_at=NOON - MINUTE)
    for each in (later, waiting, now):
        await ledger.effects.intend(each)
    acting = await begun(ledger, effect())
    assert await ledger.effects.due(NOON - timedelta(seconds=1)) == []
    assert await ledger.effects.due(NOON) == [now]
    due = await ledger.effects.due(NOON + MINUTE)
    assert due[0] == now
    assert {each.id for each in due} == {now.id, later.id, acting.id}
    assert waiting.awaits_a_yes


async def test_acts_are_what_is_done_to_things(ledger: Ledger) -> None:
    told = effect(kind="notification", target="channel:ops")
    old = effect(run_id="r1")
    new = effect(target="sku:1", run_id="r2", intended_at=NOON + MINUTE)
    for each in (told, old, new):
        await ledger.effects.intend(each)
    assert await ledger.effects.acts() == [new, old]
    assert await ledger.effects.acts(since=NOON + MINUTE) == [new]
    assert await ledger.effects.acts(since=NOON, target="service:shop") == [old]
    assert await ledger.effects.acts(run_id="r2") == [new]
    assert await ledger.effects.acts(limit=1) == [new]


async def test_an_effect_is_named_by_enough_of_its_id(ledger: Ledger) -> None:
    one, other = effect(id="abcdef01"), effect(id="abcdef02")
    for each in (one, other):
        await ledger.effects.intend(each)
    assert await ledger.effects.get("abcdef01") == one
    with pytest.raises(RequestError, match="More than one"):
        await ledger.effects.get("abcdef")
    with pytest.raises(RequestError, match="too short"):
        await ledger.effects.get("abc")
    with pytest.raises(NotFound):
        await ledger.effects.get("fedcba")
