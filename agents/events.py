"""Many events answered in one call, none of them kept waiting by another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from blocks.errors import OrchestratorError
from blocks.vocabulary.responses import EventResponse, EventResponses

MOMENT = 1.0
"""Seconds that the others wait for one answer."""

AT_ONCE = 8
"""Events that are answered side by side."""


async def answer_each(
    events: Sequence[dict[str, Any]],
    answer: Callable[[dict[str, Any]], Awaitable[EventResponse]],
) -> EventResponses:
    """Answer each event; what fails, or takes more than a moment, is left to be asked for alone.

    Args:
        events: SystemEvents as JSON.
        answer: The agent's answer to one of them.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(event: dict[str, Any]) -> EventResponse | None:
        try:
            async with room, asyncio.timeout(MOMENT):
                return await answer(event)
        except (OrchestratorError, TimeoutError):
            return None

    return EventResponses(responses=await asyncio.gather(*map(one, events)))
