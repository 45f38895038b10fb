"""The process of a run, as its worker sees it: a child of the fork server, not of the worker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ForkedProcess:
    """A run's process, with what Prefect wants to know of one.

    Attributes:
        pid: Its number, also of its process group.
        go: Has it begin the run; until then it makes itself ready.
        returncode: As in ``subprocess``; None while it lives.
    """

    pid: int
    go: Callable[[], None]
    returncode: int | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, returncode: int) -> None:
        """Note that it ended."""
        self.returncode = returncode
        self._ended.set()

    async def wait(self) -> int:
        """Wait for its end; its return code."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


async def ended_elsewhere(pid: int) -> int | None:
    """Wait for the end of another process's child; its return code, None when nobody knows it.

    The kernel keeps it until the parent asks for it, which one that hangs never does.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
        return _returncode(pid)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _returncode(zombie: int) -> int | None:
    try:
        status = Path(f"/proc/{zombie}/stat").read_text().rpartition(" ")[2]
    except FileNotFoundError:  # its parent has asked meanwhile, and will tell
        return None
    return os.waitstatus_to_exitcode(int(status))
