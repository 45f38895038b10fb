"""Whether a process that lives also works: one that hangs leaves probe after probe unanswered."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

MISSES = 3
"""So many probes in a row that are not answered make a process count as hung."""

PATIENCE = 15.0
"""Seconds that a process has to answer a probe."""

Probe = Callable[[], Awaitable[bool]]
"""Asks a process once; whether it answered."""


async def until_hung(probe: Probe, patience: float) -> None:
    """Return when a process leaves several probes in a row unanswered: after 4 times the patience.

    Args:
        probe: Asks it; may wait for the answer for ever.
        patience: Seconds that it has for an answer. Between two probes a third of that passes.
    """
    pause, missed = patience / 3, 0
    while missed < MISSES:
        began = monotonic()
        await asyncio.sleep(pause)
        try:
            async with asyncio.timeout(patience):
                answered = await probe()
        except TimeoutError:
            answered = False
        # We were not served ourselves: the machine slept, or is too busy to tell.
        starved = monotonic() - began > patience + 2 * pause
        missed = 0 if answered or starved else missed + 1


class Echo:
    """Probes a process that serves nothing: it sends back what comes on its standard input.

    Attributes:
        theirs: The process's end, for all its lives.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)

    async def probe(self) -> bool:
        """Ask; the answer to an earlier question will do."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._ours, b"?")
        return bool(await loop.sock_recv(self._ours, 64))

    def close(self) -> None:
        """Ask no more."""
        self._ours.close()
        self.theirs.close()


def answer_probes() -> None:
    """Send back what comes on standard input, from the event loop that is to be seen at work."""
    asked = socket.socket(fileno=os.dup(0))
    asked.setblocking(False)
    with open(os.devnull) as nothing:  # nobody whom we start may take our questions
        os.dup2(nothing.fileno(), 0)
    loop = asyncio.get_running_loop()

    def answer() -> None:
        with suppress(OSError):
            if question := asked.recv(64):
                asked.send(question)
                return
        loop.remove_reader(asked)  # nobody is left who asks

    loop.add_reader(asked, answer)
