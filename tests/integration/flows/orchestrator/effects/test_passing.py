"""What is wanted for a while only is taken back by itself, whatever became of who did it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from blocks.errors import SourceUnavailable
from blocks.ledger import EffectRecord, Ledger
from blocks.policy.effect_rules import EffectRules
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import new_id, utc_now
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.perform import UNDO_AGAIN, intend, perform, undo
from flows.orchestrator.effects.sweep import sweep
from tests.effects import Clerk, Target
from tests.forked import run_script
from tests.integration.flows.orchestrator.effects.passing import HOUR, POINTS, passing, target_of

SECOND = timedelta(seconds=1)

DIE = """
import sys
from tests.integration.flows.orchestrator.effects.passing import die_all
die_all(*sys.argv[1:])
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    return passing(tmp_path, "test")


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return target_of(tmp_path, "test")


async def done(by: Clerk, kind: Kind, target: Target) -> EffectRecord:
    now = utc_now()
    wanted = EffectRecord(kind="test", target="thing:a", need_key=new_id(), intended_at=now)
    intent = await intend(by, kind, wanted, "It is needed for a while.")
    assert intent is not None
    effect = await perform(by, kind, intent, target.act, now + HOUR)
    assert effect is not None
    return effect


async def swept(by: Clerk, kind: Kind, now: datetime) -> list[str]:
    """A sweep that takes back as a run would."""

    async def take_back(effect: EffectRecord) -> None:
        await undo(by, kind, effect)

    return await sweep(by, {kind.name: kind}, now, take_back)


async def test_it_is_taken_back_when_it_has_lasted_long_enough_and_not_before(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    by, before = Clerk(ledger), utc_now()
    effect = await done(by, kind, target)
    assert effect.status is EffectStatus.DONE
    assert effect.next_at is not None
    assert before + HOUR <= effect.next_at <= utc_now() + HOUR
    assert await swept(by, kind, effect.next_at - SECOND) == []
    assert len(target.acts) == 1
    for _ in range(2):
        assert await swept(by, kind, effect.next_at) == []
    assert target.acts == [effect.idempotency_key, f"undo-{effect.idempotency_key}"]
    kept = await ledger.effects.get(effect.id)
    assert (kept.status, kept.next_at, kept.helped) == (EffectStatus.UNDONE, None, True)


async def test_a_person_says_how_long_it_lasts(ledger: Ledger, kind: Kind, target: Target) -> None:
    rules = EffectRules(lasts_minutes={"test": 5})
    effect = await done(Clerk(ledger, Policy(effects=rules)), kind, target)
    assert effect.next_at is not None
    assert effect.next_at < utc_now() + timedelta(minutes=6)


async def test_what_nobody_knows_of_is_taken_back_and_nobody_is_asked(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    target.hangs = True
    by = Clerk(ledger)
    effect = await done(by, kind, target)
    assert effect.status is EffectStatus.UNKNOWN
    assert await swept(by, kind, utc_now()) == []
    assert (await ledger.effects.get(effect.id)).status is EffectStatus.UNDONE
    assert target.acts[-1] == f"undo-{effect.idempotency_key}"
    assert await ledger.approvals.list() == []


async def test_what_cannot_be_taken_back_now_is_tried_again(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    by = Clerk(ledger)
    effect = await done(by, kind, target)

    async def refused(effect: EffectRecord) -> Came:
        return Came(EffectStatus.FAILED, "Not now.")

    async def hangs(effect: EffectRecord) -> Came:
        raise TimeoutError

    for attempt in (refused, hangs):
        broken = Kind("test", kind.says, undo=attempt)
        tried = await undo(by, broken, await ledger.effects.get(effect.id))
        assert tried is not None
        assert tried.status is EffectStatus.DONE
        assert tried.next_at is not None
        assert tried.next_at <= utc_now() + UNDO_AGAIN
    assert await swept(by, kind, utc_now() + UNDO_AGAIN) == []
    assert (await ledger.effects.get(effect.id)).status is EffectStatus.UNDONE
    assert await ledger.approvals.list() == []


async def test_nobody_else_is_at_it_while_it_is_taken_back(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    effect = await done(Clerk(ledger), kind, target)
    assert await ledger.effects.undo(effect, utc_now() + 3 * HOUR)
    assert await ledger.effects.due(utc_now() + 2 * HOUR) == []


async def test_who_cannot_take_back_leaves_it_and_says_nothing(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    by = Clerk(ledger)
    effect = await done(by, kind, target)
    later = utc_now() + 2 * HOUR
    assert await sweep(by, {"test": kind}, later) == []
    assert await ledger.effects.due(later) == [effect]


async def test_one_that_cannot_be_taken_back_keeps_no_other_from_it(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    by = Clerk(ledger)
    first, second = await done(by, kind, target), await done(by, kind, target)

    async def take_back(effect: EffectRecord) -> None:
        if effect.id == first.id:
            raise SourceUnavailable("Prefect is away.")
        await undo(by, kind, effect)

    (said,) = await sweep(by, {"test": kind}, utc_now() + 2 * HOUR, take_back)
    assert said == "test on thing:a could not be taken back: Prefect is away."
    assert (await ledger.effects.get(second.id)).status is EffectStatus.UNDONE


async def test_of_those_who_take_it_back_at_once_one_does(
    ledger: Ledger, kind: Kind, target: Target
) -> None:
    by = Clerk(ledger)
    await done(by, kind, target)
    await asyncio.gather(*(swept(by, kind, utc_now() + 2 * HOUR) for _ in range(3)))
    assert len(target.acts) == 2


async def test_it_is_taken_back_whenever_its_process_was_killed(
    ledger_url: str, tmp_path: Path
) -> None:
    Ledger.open(ledger_url).close()
    died = await asyncio.to_thread(run_script, DIE, ledger_url, str(tmp_path))
    expected = [word for point in POINTS for word in (point, str(-signal.SIGKILL))]
    assert died.stdout.split() == expected, died.stderr
    kinds = {point: passing(tmp_path, point) for point in POINTS}
    with Ledger.open(ledger_url) as ledger:
        by = Clerk(ledger)

        async def take_back(effect: EffectRecord) -> None:
            await undo(by, kinds[effect.kind], effect)

        for days in (1, 2, 3):
            now = utc_now() + timedelta(days=days)
            await asyncio.gather(*(sweep(by, kinds, now, take_back) for _ in range(2)))
        for effect in await ledger.effects.list():
            acts = target_of(tmp_path, effect.kind).acts
            begun = effect.kind != "effect.intended"
            assert effect.status.value == ("undone" if begun else "refused"), effect.kind
            assert acts[-1:] == ([f"undo-{effect.kind}"] if begun else [])
            assert acts.count(effect.kind) == (0 if effect.kind in NOT_DONE else 1)
        assert await ledger.approvals.list() == []
        assert (await ledger.receipts.verify()).faults == []


NOT_DONE = {"effect.intended", "effect.acting"}
"""Where the process died before it acted."""
