"""The time that waiting for partners goes by; a drill or a benchmark hands in a faster one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class Clock:
    """The real time."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return that much later."""
        await asyncio.sleep(seconds)
