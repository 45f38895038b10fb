"""Effects that are wanted for a while only, each in a process that dies at a named point."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from blocks.crash_points import VARIABLE
from blocks.ledger import EffectRecord, Ledger
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.kinds import Kind
from flows.orchestrator.effects.perform import intend, perform, undo
from tests.effects import ANY, Clerk, Target

HOUR = timedelta(hours=1)

POINTS = (
    "effect.intended",
    "effect.acting",
    "effect.acted",
    "effect.closed",
    "effect.undoing",
    "effect.taken-back",
)


def target_of(folder: Path, point: str) -> Target:
    return Target(folder / point)


def passing(folder: Path, point: str) -> Kind:
    """A kind that a run alone can do, and that lasts an hour."""
    target = target_of(folder, point)
    return Kind(point, replace(ANY, undo="undo", lasts=HOUR), undo=target.undo)


async def live(url: str, folder: Path, point: str) -> None:
    """From the intent until it is taken back."""
    now, kind = utc_now(), passing(folder, point)
    with Ledger.open(url, migrate=False) as ledger:
        by = Clerk(ledger)
        wanted = EffectRecord(
            kind=point,
            target=f"thing:{point}",
            need_key=point,
            idempotency_key=point,
            intended_at=now,
            next_at=now,
        )
        intent = await intend(by, kind, wanted, "It is needed for a while.")
        assert intent is not None
        done = await perform(by, kind, intent, target_of(folder, point).act, now)
        assert done is not None
        await undo(by, kind, done)


def die_all(url: str, folder: str) -> None:
    """Live each life in a process of its own; prints its point and how that process ended."""
    for point in POINTS:
        if (child := os.fork()) == 0:
            os.environ[VARIABLE] = point
            asyncio.run(live(url, Path(folder), point))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(point, os.waitstatus_to_exitcode(status))
