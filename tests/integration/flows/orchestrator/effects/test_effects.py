"""An effect's life: intended, done once, closed; swept when who did it died."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from blocks.ledger import EffectRecord, Ledger, ReceiptKind
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.perform import intend, perform, undo
from flows.orchestrator.effects.sweep import sweep
from tests.effects import Clerk, Target

MINUTE = timedelta(minutes=1)
SCHEDULE = (timedelta(seconds=5), timedelta(minutes=5))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "acts")


def wanted(**fields: object) -> EffectRecord:
    now = utc_now()
    given = {"kind": "test", "target": "thing:pump", "need_key": new_id(), "intended_at": now}
    return EffectRecord.model_validate(given | {"next_at": now + MINUTE} | fields)


async def done(ledger: Ledger, kind: Kind, effect: EffectRecord) -> EffectRecord | None:
    by = Clerk(ledger)
    intent = await intend(by, kind, effect, "It is broken.")
    assert intent is not None
    assert kind.act is not None
    return await perform(by, kind, intent, kind.act, utc_now() + MINUTE)


async def receipts(ledger: Ledger) -> list[ReceiptKind]:
    await ledger.flush()
    return [receipt.kind for receipt in await ledger.receipts.of()][::-1]


async def test_what_is_done_is_on_record_before_during_and_after(
    ledger: Ledger, target: Target
) -> None:
    effect = await done(ledger, target.kind(), wanted())
    assert effect is not None
    assert target.acts == [effect.idempotency_key]
    assert (effect.status, effect.helped, effect.outcome.after) == ("done", True, {"acts": 1})
    assert await receipts(ledger) == [ReceiptKind.DECIDE, ReceiptKind.ACT, ReceiptKind.VERIFY]
    last = await ledger.receipts.get(str(effect.receipt))
    assert last is not None
    assert last.body["inputs"]["prediction"] == "it is whole"
    assert await ledger.approvals.list() == []


async def test_whose_need_is_taken_does_nothing(ledger: Ledger, target: Target) -> None:
    effect = await done(ledger, target.kind(), wanted(need_key="mend the pump"))
    assert effect is not None
    assert await intend(Clerk(ledger), target.kind(), wanted(need_key="mend the pump"), "") is None
    intent = effect.model_copy(update={"status": EffectStatus.INTENDED, "attempts": 0})
    assert await perform(Clerk(ledger), target.kind(), intent, target.act, utc_now()) is None
    assert len(target.acts) == 1


async def test_what_is_not_over_in_time_is_unknown_and_a_person_is_asked(
    ledger: Ledger, target: Target
) -> None:
    target.hangs = True
    effect = await done(ledger, target.kind(schedule=SCHEDULE), wanted())
    assert effect is not None
    assert effect.status is EffectStatus.UNKNOWN
    (question,) = await ledger.approvals.list()
    assert question.id == effect.approval_id
    assert question.title == "Nobody knows whether test on thing:pump was done"
    assert question.proposal["effect_id"] == effect.id
    assert await sweep(Clerk(ledger), {}, utc_now() + timedelta(days=1)) == []
    assert len(target.acts) == 1
    assert len(await ledger.approvals.list()) == 1


async def test_the_effect_of_a_task_is_asked_about_by_the_task(
    ledger: Ledger, target: Target
) -> None:
    target.hangs = True
    effect = await done(ledger, target.kind(), wanted(task_id="t"))
    assert effect is not None
    assert effect.status is EffectStatus.UNKNOWN
    await sweep(Clerk(ledger), {}, utc_now() + timedelta(days=1))
    assert await ledger.approvals.list() == []


async def test_who_is_called_off_leaves_the_outcome_unknown(ledger: Ledger, target: Target) -> None:
    begun = asyncio.Event()

    async def hang(effect: EffectRecord) -> None:
        begun.set()
        await asyncio.Event().wait()

    kind = Kind("test", target.kind().says, hang)  # type: ignore[arg-type]
    acting = asyncio.create_task(done(ledger, kind, wanted()))
    await begun.wait()
    acting.cancel()
    await asyncio.gather(acting, return_exceptions=True)
    (effect,) = await ledger.effects.list()
    assert effect.status is EffectStatus.UNKNOWN
    assert effect.outcome.detail.startswith("It was called off.")


async def test_what_fails_is_tried_again_by_its_schedule_and_is_a_dead_letter_then(
    ledger: Ledger, target: Target
) -> None:
    target.fails = -1
    kind = target.kind(schedule=SCHEDULE)
    before = utc_now()
    effect = await done(ledger, kind, wanted())
    assert effect is not None
    for attempts, pause in enumerate(SCHEDULE, start=1):
        assert (effect.status, effect.attempts) == (EffectStatus.INTENDED, attempts)
        assert effect.next_at is not None
        assert before + pause <= effect.next_at <= utc_now() + 1.2 * pause
        early = effect.next_at - timedelta(seconds=1)
        assert await sweep(Clerk(ledger), {"test": kind}, early) == []
        said = await sweep(Clerk(ledger), {"test": kind}, effect.next_at)
        effect = await ledger.effects.get(effect.id)
    assert said == ["test on thing:pump: It was refused."]
    assert (effect.status, effect.attempts, effect.next_at) == (EffectStatus.FAILED, 3, None)
    target.fails = 0
    assert await ledger.effects.reopen(effect, utc_now())
    assert await sweep(Clerk(ledger), {"test": kind}, utc_now()) == []
    assert target.acts == [effect.idempotency_key], "the same key, however often it is tried"


async def test_what_was_done_can_be_taken_back_once(ledger: Ledger, target: Target) -> None:
    effect = await done(ledger, target.kind(), wanted())
    assert effect is not None
    undone = await undo(Clerk(ledger), target.kind(), effect)
    assert undone is not None
    assert undone.status is EffectStatus.UNDONE
    assert undone.outcome.detail == "It is whole. It was taken back."
    assert target.acts == [effect.idempotency_key, f"undo-{effect.idempotency_key}"]
    assert (await receipts(ledger))[-1] is ReceiptKind.UNDO
    assert await undo(Clerk(ledger), target.kind(), effect) is None


async def test_of_those_who_sweep_at_once_one_settles(ledger: Ledger, target: Target) -> None:
    target.hangs = True
    intent = wanted(next_at=utc_now())
    assert await ledger.effects.intend(intent)
    kinds = {"test": target.kind()}
    said = await asyncio.gather(*(sweep(Clerk(ledger), kinds, utc_now()) for _ in range(3)))
    assert sorted(map(len, said)) == [0, 0, 1]
    assert len(target.acts) == len(await ledger.approvals.list()) == 1


async def test_of_a_kind_that_is_forgotten_a_person_is_asked(ledger: Ledger) -> None:
    intent = wanted()
    await ledger.effects.intend(intent)
    assert await ledger.effects.begin(intent, utc_now(), utc_now())
    (said,) = await sweep(Clerk(ledger), {}, utc_now())
    assert "Nobody knows whether it was done" in said
    (question,) = await ledger.approvals.list()
    assert "nobody knows any more" in question.detail
