"""Saying again and again that something is still being worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from blocks.errors import OrchestratorError


@asynccontextmanager
async def beating(every: timedelta, beat: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Call ``beat`` again and again while the context is open; one that fails is made up for.

    Whoever works finds out by the outcome of its work whether it was taken to be dead meanwhile.
    """

    async def go_on() -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            with suppress(OrchestratorError):  # the next beat tries again
                await beat()

    heart = asyncio.create_task(go_on())
    try:
        yield
    finally:
        heart.cancel()
        with suppress(asyncio.CancelledError):
            await heart
