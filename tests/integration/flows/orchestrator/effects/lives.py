"""Lives of effects, each in a process that dies at a named point."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from blocks.crash_points import VARIABLE
from blocks.ledger import EffectRecord, Ledger
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.perform import intend, perform, undo
from flows.orchestrator.effects.sweep import sweep
from tests.effects import Clerk, Target


@dataclass(frozen=True)
class Life:
    """One effect, and where its process dies.

    Attributes:
        point: The crash point; "" when it lives on.
        can_be_asked: Whether the target can be asked what came of it.
    """

    point: str
    can_be_asked: bool

    @property
    def name(self) -> str:
        return f"{self.point}/{'asked' if self.can_be_asked else 'silent'}"

    def target(self, folder: Path) -> Target:
        return Target(folder / self.name.replace("/", "-"), hangs=self.point == "effect.asked")

    def kind(self, folder: Path) -> Kind:
        pauses = (timedelta(seconds=1),) if self.can_be_asked else ()
        target = self.target(folder)
        return target.kind(self.name, can_be_asked=self.can_be_asked, schedule=pauses)

    async def live(self, url: str, folder: Path) -> None:
        """From the intent to the end, and taken back where that is the point."""
        now, kind = utc_now(), self.kind(folder)
        with Ledger.open(url, migrate=False) as ledger:
            by = Clerk(ledger)
            wanted = EffectRecord(
                kind=self.name,
                target=f"thing:{self.name}",
                need_key=self.name,
                idempotency_key=self.name,
                intended_at=now,
                next_at=now,
            )
            intent = await intend(by, kind, wanted, "It is broken.")
            assert intent is not None
            if self.point == "effect.looked-up":  # who sweeps after a death dies too
                await ledger.effects.begin(intent, now, now)
                await self.target(folder).act(intent)
                await sweep(by, {self.name: kind}, now)
            assert kind.act is not None
            done = await perform(by, kind, intent, kind.act, now)
            assert done is not None
            await undo(by, kind, done)


LIVES = [
    Life(point, can_be_asked)
    for point in (
        "effect.looked-up",  # first: it sweeps, and what the others leave is for the test
        "effect.intended",
        "effect.acting",
        "effect.acted",
        "effect.closed",
        "effect.asked",
        "effect.undoing",
        "effect.taken-back",
    )
    for can_be_asked in (False, True)
    if can_be_asked or point != "effect.looked-up"
]


def die_all(url: str, folder: str) -> None:
    """Live each life in a process of its own; prints its name and how that process ended."""
    for life in LIVES:
        if (child := os.fork()) == 0:
            os.environ[VARIABLE] = life.point
            asyncio.run(life.live(url, Path(folder)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(life.name, os.waitstatus_to_exitcode(status))
