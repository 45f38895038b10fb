"""What the parts of the ledger share: how to write, how to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, RowMapping, Select

from blocks.ledger.engine.database import Database
from blocks.ledger.engine.patience import Patience, passes
from blocks.ledger.engine.writer import Entry, GroupWriter

T = TypeVar("T")


class Access:
    """Reads from, and the one writer to, a ledger's database.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.

    Args:
        database: Where it is.
        writer: Who writes.
        patience: Seconds for which a read is tried again while the database is away.
    """

    def __init__(self, database: Database, writer: GroupWriter, patience: float) -> None:
        self._database = database
        self._writer = writer
        self._patience = patience
        self.dialect = database.engine.dialect.name

    def queue(self, *entries: Entry) -> None:
        """Queues rows for the next commit; never waits."""
        self._writer.add(entries)

    async def write(self, write: Callable[[Connection], T]) -> T:
        """Writes with whatever is queued; durable on return.

        ``write`` may be called again when a commit failed, so it starts from what it reads. When
        only the news of a commit was lost, it is not: the writer finds out what became of it.
        """
        return await asyncio.wrap_future(self._writer.submit(write))

    async def change(self, statement: Executable) -> int:
        """Writes by one statement, as ``write`` does; how many rows an UPDATE or DELETE met."""
        return await self.write(lambda connection: connection.execute(statement).rowcount)

    async def read(self, read: Callable[[Connection], T]) -> T:
        """Reads what is committed, in another thread.

        ``read`` may be called again when the database was away for a moment, or has cut us off.

        Raises:
            LedgerUnavailable: It remained so, or cannot be read.
        """
        patience = Patience(self._patience)
        with self._database.explained("read"):
            while True:
                try:
                    return await asyncio.to_thread(self._read_once, read)
                except Exception as error:
                    pause = patience.pause() if passes(error) else None
                    if pause is None:
                        raise
                await asyncio.sleep(pause)

    def _read_once(self, read: Callable[[Connection], T]) -> T:
        answers: list[T] = []
        try:
            with self._database.engine.connect() as connection:
                answers.append(read(connection))
        except Exception:
            if not answers:  # else it is read, however the connection ended
                raise
        return answers[0]

    async def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """The rows of a query."""
        return await self.read(lambda connection: connection.execute(query).mappings().all())
