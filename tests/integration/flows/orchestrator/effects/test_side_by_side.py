"""Whoever is slow keeps nobody but itself waiting."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.ledger import EffectRecord, Ledger
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Came, Kind
from flows.orchestrator.effects.lanes import Lanes
from flows.orchestrator.effects.sweep import sweep
from tests.effects import ANY, Clerk


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


class Desks:
    """Desks of which ``slow`` answers once it is let; notes who was at one at once."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.at_once: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)

    async def act(self, effect: EffectRecord) -> Came:
        self.at_once[effect.target] += 1
        self.most[effect.target] = max(self.most[effect.target], self.at_once[effect.target])
        if effect.target == "slow":
            await self.let.wait()
        await asyncio.sleep(0)
        self.at_once[effect.target] -= 1
        return Came(EffectStatus.DONE, "It was taken.")


async def want(ledger: Ledger, need: str, target: str) -> None:
    now = utc_now()
    wanted = EffectRecord(kind="test", target=target, need_key=need, intended_at=now, next_at=now)
    assert await ledger.effects.intend(wanted)


async def done(ledger: Ledger) -> set[str]:
    return {each.need_key for each in await ledger.effects.list([EffectStatus.DONE])}


async def test_a_slow_target_delays_no_other_now_or_in_the_next_look(ledger: Ledger) -> None:
    desks = Desks()
    kinds = {"test": Kind("test", ANY, desks.act)}
    for need, target in [("s1", "slow"), ("s2", "slow"), ("a1", "acme"), ("a2", "acme")]:
        await want(ledger, need, target)
    async with Lanes(0.3) as lanes:
        await sweep(Clerk(ledger), kinds, utc_now(), lanes=lanes)
        assert await done(ledger) == {"a1", "a2"}
        await want(ledger, "a3", "acme")
        await sweep(Clerk(ledger), kinds, utc_now(), lanes=lanes)
        assert await done(ledger) == {"a1", "a2", "a3"}
        desks.let.set()
        await sweep(Clerk(ledger), kinds, utc_now(), lanes=lanes)
        assert await done(ledger) == {"a1", "a2", "a3", "s1", "s2"}
    assert desks.most == {"slow": 1, "acme": 1}, "one thing at a time on one target"


async def test_what_goes_on_is_called_off_with_whoever_waits(ledger: Ledger) -> None:
    desks = Desks()
    kinds = {"test": Kind("test", ANY, desks.act)}
    await want(ledger, "s1", "slow")
    async with Lanes(0.1) as lanes:
        await sweep(Clerk(ledger), kinds, utc_now(), lanes=lanes)
    [effect] = await ledger.effects.list()
    assert effect.status is EffectStatus.UNKNOWN, "it was begun, and nobody knows how far it came"


async def test_what_fails_in_one_lane_is_told_and_ends_no_other() -> None:
    heard = []

    async def well() -> list[str]:
        await asyncio.sleep(0.05)
        heard.append("well")
        return ["well"]

    async def badly() -> list[str]:
        raise ValueError("broken")

    async with Lanes() as lanes:
        lanes.start("a", badly)
        lanes.start("b", well)
        lanes.start("b", badly)  # its lane is taken
        with pytest.raises(ValueError, match="broken"):
            await lanes.wait()
        assert heard == ["well"]
        lanes.start("a", well)
        assert await lanes.wait() == ["well"]
