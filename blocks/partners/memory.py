"""What is remembered of partners from call to call, and from process to process.

Each run is a process of its own: a breaker that only one of them knew would let every run find out
for itself. So how we stand with a partner is a small file in the state folder, changed under a lock
of the operating system. That costs some microseconds and waits for no disk: what a power cut takes
is found out again by the next calls. It needs no ledger, as ``connect`` and ``doctor`` have none.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from pydantic import ValidationError

from blocks.partners.standing import Standing
from blocks.settings import get_settings

FOLDER = "partners"
"""Of the state folder; it may be thrown away."""

_LARGEST = 65536  # bytes of a file; they have some hundred

log = logging.getLogger("orchestrator.partners")

T = TypeVar("T")

Change = Callable[[Standing], tuple[Standing, T]]
"""Of how we stand with a partner: how we stand from now on, and what the caller is told."""


class Memory(Protocol):
    """Where it is kept how we stand with partners."""

    async def change(self, partner: str, change: Change[T]) -> T:
        """Change how we stand with a partner, in one piece.

        Of callers that do so at the same time each sees what those before it made of it.
        """


class OwnMemory:
    """The memory of one process, for as long as it lives."""

    def __init__(self) -> None:
        self._known: dict[str, Standing] = {}
        self._lock = Lock()

    async def change(self, partner: str, change: Change[T]) -> T:
        """See Memory."""
        with self._lock:
            self._known[partner], told = change(self._known.get(partner, Standing()))
        return told


class SharedMemory:
    """The memory of all processes of this machine.

    Where its files cannot be written, the process goes on with a memory of its own: that a disk is
    full must not keep anybody from asking a supplier.

    Args:
        folder: Where it lies; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = OwnMemory()

    async def change(self, partner: str, change: Change[T]) -> T:
        """See Memory."""
        try:
            return await asyncio.to_thread(self._change, partner, change)
        except OSError as error:
            log.warning("What is known of partners is not shared: %s", error)
            return await self._own.change(partner, change)

    def _change(self, partner: str, change: Change[T]) -> T:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / _file_of(partner)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go of when the file is closed
            written = os.read(file, _LARGEST)
            known = _read(written)
            after, told = change(known)
            if after != known:
                # One write over the old text: who is killed leaves all of it or nothing of it.
                text = after.model_dump_json(exclude_defaults=True).encode()
                os.pwrite(file, text.ljust(len(written)), 0)
        finally:
            os.close(file)
        return told


def memory_of_this_machine() -> Memory:
    """What all processes that share a state folder know; the process's own if there is none."""
    folder = get_settings().state_dir
    return SharedMemory(folder / FOLDER) if folder.is_dir() else _OWN


_OWN = OwnMemory()


def _read(written: bytes) -> Standing:
    try:
        return Standing.model_validate_json(written or b"{}")
    except ValidationError:  # cut off by a power cut, or of another release
        return Standing()


def _file_of(partner: str) -> str:
    readable = re.sub(r"[^a-z0-9]+", "-", partner.lower()).strip("-")[:60]
    return f"{readable}-{sha256(partner.encode()).hexdigest()[:12]}.json"
