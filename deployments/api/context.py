"""What the routes work with: one ledger, one Prefect client, one team, for the whole process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from agents.registry import Registry, registry
from agents.sre_reliability.objectives.reading import last_figures
from agents.sre_reliability.objectives.standing import ObjectiveStanding
from blocks.ledger import Ledger
from blocks.ledger.events.records import Depth
from blocks.ledger.status import SystemStatus
from blocks.prefect_api.env import RunningStack
from blocks.prefect_api.runs import Runs
from blocks.settings import Settings
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.dispatch.policy import last_used_policy, policy_in_force
from flows.orchestrator.runs.starting import is_over
from flows.orchestrator.watching.objectives import objectives_now
from flows.status.reading import read_system_status

if TYPE_CHECKING:
    from blocks.policy.policy import Policy

T = TypeVar("T")

FRESH = 1.0
"""Seconds for which a computed status is given to everybody who asks."""

DAY = timedelta(hours=24)


class Shared(Generic[T]):
    """A value that is costly to make: made once for all who ask within a moment.

    Of a large ledger it takes long, and while somebody watches, others must be served, too.

    Args:
        make: Makes it.
        fresh: Seconds for which it is given out, at least.
        share: The part of the time that may go into making it, at most.
    """

    def __init__(
        self, make: Callable[[], Awaitable[T]], fresh: float = FRESH, share: float = 0.5
    ) -> None:
        self._make, self._fresh, self._share = make, fresh, share
        self._made: tuple[float, T] | None = None  # until when it counts, and the value
        self._making: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The value; raises what its maker raises, to all who wait for it, and then tries anew."""
        if self._made is not None and time.monotonic() <= self._made[0]:
            return self._made[1]
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make_once())
        # Waited for, not awaited: who is called off, or leaves, takes nothing from the others.
        await asyncio.wait([self._making])
        return self._making.result()

    async def _make_once(self) -> T:
        began = time.monotonic()
        value = await self._make()
        ended = time.monotonic()
        rest = (ended - began) * (1 / self._share - 1)
        self._made = ended + max(self._fresh, rest), value
        return value


class Readiness(BaseModel):
    """Whether each part that requests need answers."""

    ledger: Literal["ok", "unavailable"]
    prefect: Literal["ok", "unavailable"]
    why: str = Field(default="", description="What is wrong with the ledger; else empty.")

    @property
    def everything(self) -> bool:
        """Whether all of them do."""
        return self.ledger == self.prefect == "ok"


@dataclass(frozen=True)
class Context:
    """What the routes work with.

    Attributes:
        settings: Of this process.
        ledger: Open as long as the application is.
        runs: Starts and watches runs.
        team: All agents of this installation.
        status: Of the last 24 hours.
        depth: What waits in the inbox.
        objectives: How the objectives stand.
        objective_figures: What the last looks at them measured.
        reachable: Whether Prefect's server answers.
        readiness: Whether that does, and the ledger takes writes.
    """

    settings: Settings
    ledger: Ledger
    runs: Runs
    team: Registry
    status: Shared[SystemStatus]
    depth: Shared[Depth]
    objectives: Shared[list[ObjectiveStanding]]
    objective_figures: Shared[dict[str, dict[str, float]]]
    reachable: Shared[bool]
    readiness: Shared[Readiness]

    async def policy(self) -> Policy:
        """The policy that decisions are made under now."""
        return (await policy_in_force(self.ledger, self.team)).policy


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Open what the routes work with.

    Raises:
        LedgerError: The ledger cannot be opened.
    """
    team = registry()
    with Ledger.open(settings.effective_ledger_url) as ledger:

        async def status() -> SystemStatus:
            running = RunningStack.find(settings.state_dir)
            policy = await last_used_policy(ledger, team)
            uptime = running.uptime_s if running else None
            return await read_system_status(ledger, policy, team, utc_now(), DAY, uptime)

        async with Runs.open(
            hint="Nothing was lost: send the request again, with the same Idempotency-Key.",
            is_over=lambda run: is_over(run, utc_now()),
        ) as runs:
            reachable = Shared(runs.is_reachable)
            yield Context(
                settings,
                ledger,
                runs,
                team,
                Shared(status, share=0.1),
                Shared(lambda: ledger.inbox.depth(utc_now())),
                Shared(lambda: objectives_now(ledger, utc_now()), fresh=10.0, share=0.1),
                Shared(lambda: last_figures(ledger, utc_now()), fresh=5.0, share=0.1),
                reachable,
                Shared(lambda: _readiness(ledger, reachable)),
            )


async def _readiness(ledger: Ledger, reachable: Shared[bool]) -> Readiness:
    fault, reached = await asyncio.gather(ledger.health.fault(), reachable.get())
    return Readiness(
        ledger="unavailable" if fault else "ok",
        prefect="ok" if reached else "unavailable",
        why=fault and f"The ledger {fault}.",
    )


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(_context)]
