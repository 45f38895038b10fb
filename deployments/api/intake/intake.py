"""Events on their way into the ledger: acknowledged when durable, many in one commit.

Durability costs a disk sync per commit, whatever the commit holds. So what arrives while one is
being written waits, and goes into the next one together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel, Field

from blocks.errors import LedgerError, LedgerUnavailable
from blocks.ledger.events.inbox import Inbox
from blocks.ledger.events.records import Entered
from blocks.vocabulary.messages import SystemEvent, utc_now
from deployments.api.http.problems import RETRY_SOON, Refused
from deployments.api.intake.event_runs import EventRuns

DEADLINE = 10.0
"""Seconds that one commit may take before its senders are told to come again."""

MOST_WAITING = 10_000
"""Events that may wait for their commit."""

MOST_BYTES = 64 * 1024 * 1024
"""What the bodies that they came in may have together."""

_MOST_TOGETHER = 1000  # events in one commit


class Kept(BaseModel):
    """What became of events that were accepted: they are durable."""

    new: int = Field(description="Events that were not known.")
    known: int = Field(description="Events whose source and id were known: nothing happens again.")
    ids: list[str] = Field(
        description="What the inbox knows them by, in the order in which they came."
    )
    notes: list[str] = Field(
        default=[], description="What was not as it is usual, and how it was read."
    )


@dataclass(frozen=True, eq=False)
class _Handed:
    """Events that somebody waits for."""

    events: Sequence[SystemEvent]
    size: int
    kept: asyncio.Future[list[Entered]]


class Intake:
    """Gathers events of all requests, and keeps them together.

    Args:
        inbox: Where to.
        runs: Told of what is new.
    """

    def __init__(self, inbox: Inbox, runs: EventRuns) -> None:
        self._inbox, self._runs = inbox, runs
        self._waiting: list[_Handed] = []
        self._events = self._bytes = 0
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, inbox: Inbox, runs: EventRuns) -> AsyncIterator[Intake]:
        """An intake that keeps everything it was handed before it closes."""
        intake = cls(inbox, runs)
        yield intake
        if intake._keeper is not None:
            with suppress(asyncio.CancelledError):
                await intake._keeper

    async def accept(self, events: Sequence[SystemEvent], size: int) -> list[Entered]:
        """Keep events; durable on return.

        Args:
            events: Of one request.
            size: Bytes of the body that they came in.

        Returns:
            The id of each, and whether it was not known.

        Raises:
            Refused: 503: too many wait, or the ledger takes too long.
            LedgerError: They cannot be kept.
        """
        if not events:
            return []
        if self._events + len(events) > MOST_WAITING or self._bytes + size > MOST_BYTES:
            raise Refused(
                503,
                "intake-full",
                f"{self._events:,} events wait to be written.",
                hint="Send it again in a moment.",
                headers=RETRY_SOON,
            )
        handed = _Handed(events, size, asyncio.get_running_loop().create_future())
        self._waiting.append(handed)
        self._events += len(events)
        self._bytes += size
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_all())
        return await handed.kept

    async def _keep_all(self) -> None:
        while self._waiting:
            batch = self._next()
            try:
                await self._keep(batch)
            except Exception as error:  # whatever it is, nobody is left waiting
                # Who came meanwhile would wait as long, and in vain.
                for handed in [*batch, *self._waiting]:
                    _fail(handed, error)
                self._forget(self._waiting)
                self._waiting = []
            finally:
                self._forget(batch)

    def _next(self) -> list[_Handed]:
        events = taken = 0
        for handed in self._waiting:
            events += len(handed.events)
            if taken and events > _MOST_TOGETHER:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch

    def _forget(self, batch: Collection[_Handed]) -> None:
        self._events -= sum(len(handed.events) for handed in batch)
        self._bytes -= sum(handed.size for handed in batch)

    async def _keep(self, batch: Sequence[_Handed]) -> None:
        events = [event for handed in batch for event in handed.events]
        try:
            async with asyncio.timeout(DEADLINE):
                kept = await self._inbox.keep(events, utc_now())
        except TimeoutError:
            raise LedgerUnavailable(
                f"The ledger did not take the events within {DEADLINE:.0f} s.",
                hint="Send them again; those that it took are known then.",
            ) from None
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            half = len(batch) // 2  # what the database refuses must not hold up the others
            await self._keep(batch[:half])
            await self._keep(batch[half:])
            return
        self._tell(batch, kept)

    def _tell(self, batch: Sequence[_Handed], kept: Sequence[Entered]) -> None:
        events = (event for handed in batch for event in handed.events)
        fresh = [event.severity for event, one in zip(events, kept, strict=True) if one.new]
        if fresh:
            self._runs.heed(max(fresh))
        each = iter(kept)
        for handed in batch:
            own = list(islice(each, len(handed.events)))
            if not handed.kept.done():
                handed.kept.set_result(own)


def _fail(handed: _Handed, error: Exception) -> None:
    if not handed.kept.done():
        handed.kept.set_exception(error)
