"""Turns at writing: the processes that write to one SQLite file go one after the other.

SQLite keeps no queue. Who finds the file locked looks again after up to 100 ms, and a process that
writes without a pause has locked it again by then: the others would wait for many seconds. So a
writer first takes its place at the head of the queue, there waits for its turn, and leaves the head
to the next one: who has just written finds it taken, and cannot overtake.

Both places are advisory locks (``flock``) on files beside the ledger, which a process that dies
leaves by itself. They keep the order only; what keeps the file sound is SQLite's own lock.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK = 0.002
"""Seconds between two looks, at most."""

_jitter = random.Random()  # noqa: S311  no secret; of its own, so that nobody's seed is disturbed


@contextmanager
def turn(path: Path | None, patience: float) -> Iterator[None]:
    """Wait for the turn at writing to a file, and hold it.

    Args:
        path: The ledger's file; None on a server, which has a queue of its own.
        patience: Seconds after which it goes on without a turn, and SQLite's lock decides.
    """
    places = _places(path) if path is not None else []
    try:
        if places:
            head, at_work = places
            deadline = time.monotonic() + patience
            if _take(head, deadline) and _take(at_work, deadline):
                fcntl.flock(head, fcntl.LOCK_UN)
        yield
    finally:
        for place in places:
            os.close(place)


def _places(path: Path) -> list[int]:
    """The two files, opened anew: two writers of one process must wait for each other too."""
    if not path.exists():
        return []  # nothing is left beside a ledger that is gone
    names = (f"{path.name}-next", f"{path.name}-turn")
    try:
        return [os.open(path.with_name(n), os.O_RDWR | os.O_CREAT, 0o600) for n in names]
    except OSError:  # whatever is wrong with the folder, the database says it better
        return []


def _take(place: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_jitter.uniform(0, _LOOK))
        except OSError:  # a file system without such locks
            return False
        else:
            return True
