"""What the parts of the ledger share: how to write, how to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, Select

from blocks.ledger.database import Database
from blocks.ledger.writer import Entry, GroupWriter

T = TypeVar("T")


class Access:
    """Reads from, and the one writer to, a ledger's database.

    Attributes:
        dialect: ``sqlite`` or ``postgresql``.
    """

    def __init__(self, database: Database, writer: GroupWriter) -> None:
        self._database = database
        self._writer = writer
        self.dialect = database.engine.dialect.name

    def queue(self, *entries: Entry) -> None:
        """Queues rows for the next commit; never waits."""
        self._writer.add(entries)

    async def write(self, write: Callable[[Connection], T]) -> T:
        """Writes with whatever is queued; durable on return.

        ``write`` may be called again when a commit failed, so it starts from what it reads.
        """
        return await asyncio.wrap_future(self._writer.submit(write))

    async def read(self, read: Callable[[Connection], T]) -> T:
        """Reads what is committed, in another thread."""

        def in_thread() -> T:
            with self._database.reading() as connection:
                return read(connection)

        return await asyncio.to_thread(in_thread)

    async def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """The rows of a query."""
        return await self.read(lambda connection: connection.execute(query).mappings().all())
