"""Work side by side, so that whoever is slow keeps nobody but itself waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

AT_ONCE = 32


class Lanes:
    """Lanes of work: one for each target, in which one thing is done at a time.

    What is not over when somebody stops waiting for it goes on, and keeps its lane; leaving the
    context calls it off.

    Args:
        patience: Seconds that ``wait`` waits; None: until all is over.
        at_once: Lanes in which something goes on at once.
    """

    def __init__(self, patience: float | None = None, at_once: int = AT_ONCE) -> None:
        self._patience = patience
        self._slots = asyncio.Semaphore(at_once)
        self._lanes: dict[str, asyncio.Task[list[str]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._lanes.values():
            task.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)

    def start(self, target: str, work: Callable[[], Awaitable[list[str]]]) -> None:
        """Begin some work, unless its lane is taken: whoever looks again finds what is left."""
        if target not in self._lanes:
            self._lanes[target] = asyncio.create_task(self._run(work))

    async def wait(self) -> list[str]:
        """What was said by all work that is over by now, or soon.

        Raises:
            Exception: What work failed with, once all that is over was looked at.
        """
        if self._lanes:
            await asyncio.wait(self._lanes.values(), timeout=self._patience)
        over = {target: task for target, task in self._lanes.items() if task.done()}
        said: list[str] = []
        fault: BaseException | None = None
        for target, task in over.items():
            del self._lanes[target]
            if error := task.exception():
                fault = fault or error
            else:
                said += task.result()
        if fault is not None:
            raise fault
        return said

    async def _run(self, work: Callable[[], Awaitable[list[str]]]) -> list[str]:
        async with self._slots:
            return await work()
