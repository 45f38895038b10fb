"""Several things at once, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any


async def together(*work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> list[Any]:
    """Do things at once; the first failure ends the others and is raised as itself."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
