"""How long something is tried again while a database is locked, restarting, or cut off from us."""

from __future__ import annotations

import random
import sqlite3
import time

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_FIRST, _LONGEST = 0.02, 1.0  # seconds between two tries, at most

_jitter = random.Random()  # noqa: S311  no secret; of its own, so that nobody's seed is disturbed

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DAMAGED_STATES = {"XX001", "XX002"}  # PostgreSQL's data_corrupted and index_corrupted


class Patience:
    """Counts down from the first try on; full jitter, so that those who wait spread out.

    Args:
        seconds: From now on, until there is no other try.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._delay = _FIRST

    def pause(self) -> float | None:
        """Seconds until the next try; None when there is to be none."""
        if time.monotonic() + self._delay > self._until:
            return None
        pause = _jitter.uniform(0, self._delay)
        self._delay = min(2 * self._delay, _LONGEST)
        return pause


def passes(error: BaseException) -> bool:
    """Whether what a driver says may be over in a moment: a lock, a restart, a lost connection."""
    if isinstance(error, PoolTimeout):
        return True
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _primary_code(cause) in _BUSY
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, OperationalError)


def tells_of_damage(error: BaseException) -> bool:
    """Whether a driver says that what the database holds is no longer what was written."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _primary_code(cause) in _DAMAGED
    return getattr(cause, "sqlstate", None) in _DAMAGED_STATES


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's code without the details in its upper bytes; errors of Python's own have none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
