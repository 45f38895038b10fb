"""Clocks for partners."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from blocks.partners.clock import Clock


class Fast(Clock):
    """A clock that sleeps in no time."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)
