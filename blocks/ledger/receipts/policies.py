"""The policies that decisions were made under, by version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.receipts.tables import POLICIES


class Policies:
    """Every policy version that a decision names."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, version: str, body: dict[str, Any], now: datetime) -> None:
        """Keep a version; one that is known stays as it is."""
        statement = (
            insert(self._access.dialect, POLICIES)
            .values(version=version, first_used_at=now, body=to_json(body))
            .on_conflict_do_nothing()
        )

        def write(connection: Connection) -> None:
            connection.execute(statement)

        if await self.body(version) is None:  # most often it is known, and nothing is written
            await self._access.write(write)

    async def body(self, version: str) -> dict[str, Any] | None:
        """A policy by its version; None when no decision was made under it."""
        query = select(POLICIES.c.body).where(POLICIES.c.version == version)
        return await self._access.read(lambda connection: connection.scalar(query))

    async def latest(self) -> dict[str, Any] | None:
        """The policy that was first used last."""
        query = select(POLICIES.c.body).order_by(POLICIES.c.first_used_at.desc()).limit(1)
        return await self._access.read(lambda connection: connection.scalar(query))
