"""Whether the ledger takes writes and is sound, as this process finds by trying.

What is wrong with a ledger cannot stand in it: each process that reports on it tries for itself.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from concurrent.futures import Future

from sqlalchemy import Connection

from blocks.errors import LedgerUnavailable
from blocks.ledger.engine.database import Database
from blocks.ledger.engine.integrity import Soundness, check_file, check_server
from blocks.ledger.engine.writer import GroupWriter

FRESH = 2.0
"""Seconds for which an answer is given to everybody who asks."""

DEADLINE = 3.0
"""Seconds that a write may take before the ledger counts as one that takes none."""

LITTLE_SPACE = 16 * 1024**2
"""Bytes: with less on its disk a ledger still overwrites what it has, and cannot grow."""


class Health:
    """How the ledger is.

    Args:
        database: Where it is.
        writer: The one through which everything durable goes.
    """

    def __init__(self, database: Database, writer: GroupWriter) -> None:
        self._database, self._writer = database, writer
        self._known: tuple[float, str] = (0.0, "")  # until when it counts, and the answer
        self._trying: Future[str] | None = None

    @property
    def refused(self) -> int:
        """How many entries and other writes of this process the database did not take."""
        return self._writer.refused

    @property
    def suspected(self) -> bool:
        """Whether something in this process came upon damage since the last ``examine``."""
        return bool(self._database.damage)

    async def fault(self) -> str:
        """What is wrong, to follow "The ledger"; empty when a small write was durable in time.

        Whatever is queued is written with it, or not: while entries cannot be written, this is
        not either.
        """
        until, known = self._known
        if time.monotonic() > until:
            known = await self._look()
            self._known = time.monotonic() + FRESH, known
        return known

    async def check(self) -> None:
        """Go on only with a ledger that takes writes and is sound, as far as is known.

        Raises:
            LedgerDamaged: It is damaged.
            LedgerUnavailable: It takes no writes.
        """
        if fault := await self.fault():
            if self._database.damage:
                raise self._database.damaged(self._database.damage[0])
            raise LedgerUnavailable(
                f"The ledger {self._database.where} {fault}.", hint=self._database.hint()
            )

    async def examine(self, seconds: float) -> Soundness:
        """Look whether what it holds can be read, in another thread.

        Args:
            seconds: How long that may take.

        Raises:
            LedgerUnavailable: It is locked or gone.
        """
        with self._database.explained("examined"):
            if self._database.path is None:
                found = await asyncio.to_thread(check_server, self._database.engine)
            else:
                found = await asyncio.to_thread(check_file, self._database.path, seconds)
        if found.faults or found.whole:  # else what is known stands
            self._database.damage[:] = found.faults
        self._known = (0.0, "")
        return found

    async def require_sound(self, seconds: float) -> Soundness:
        """As ``examine``, for who goes on with a sound ledger alone.

        Raises:
            LedgerDamaged: It is damaged; says what to do.
            LedgerUnavailable: It is locked or gone.
        """
        found = await self.examine(seconds)
        if found.faults:
            raise self._database.damaged("; ".join(found.faults))
        return found

    async def _look(self) -> str:
        if self._database.damage:
            return f"is damaged: {self._database.damage[0]}"
        if self._trying is None or self._trying.done():  # else the last one waits still
            self._trying = self._try()
        trying = self._trying  # another may begin the next before we are told of the end of this
        await asyncio.wait([asyncio.wrap_future(trying)], timeout=DEADLINE)
        over = trying.done()
        if trouble := trying.result() if over else self._writer.trouble:
            return f"cannot be written: {trouble}"
        if not over:
            return f"has taken no write for {DEADLINE:.0f} s"
        if (path := self._database.path) is not None:
            free = shutil.disk_usage(path.parent).free
            if free < LITTLE_SPACE:
                return f"has {free / 1024**2:.1f} MB left on its disk"
        return ""

    def _try(self) -> Future[str]:
        """A write: why it was refused, by what the writer says then; empty when it is durable."""
        over: Future[str] = Future()

        def tell(done: Future[None]) -> None:
            over.set_result(self._writer.trouble or "refused" if done.exception() else "")

        self._writer.submit(_touch).add_done_callback(tell)
        return over


def _touch(connection: Connection) -> None:
    """The smallest change there is; nobody reads it, and it needs no table of its own.

    SQLite leaves out what would not change a page: hence another number each time. On PostgreSQL,
    of two who try at once neither waits for the other.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {secrets.randbelow(2**31)}")
    else:
        connection.exec_driver_sql(
            "UPDATE alembic_version SET version_num = version_num WHERE version_num IN "
            "(SELECT version_num FROM alembic_version FOR UPDATE SKIP LOCKED)"
        )
