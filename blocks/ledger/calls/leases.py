"""Slots of agent instances: who works on how much, across processes and after crashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, bindparam, delete, func, select

from blocks.ledger.calls.tables import LEASES
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.locks import lock
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.tables import Instant
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.writer import Entry, WriteRows
from blocks.models import Strict


class Lease(Strict):
    """One slot of one instance, held until it is released or expires.

    A crash never leaves an agent busy for ever: after ``expires_at`` the slot is free.
    """

    id: str
    instance: str
    agent: str
    taken_at: AwareDatetime
    expires_at: AwareDatetime


class Leases:
    """The leases in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def take(
        self, now: datetime, choose: Callable[[Mapping[str, int]], Lease | None]
    ) -> bool:
        """Choose an instance by how busy each is, and take a slot of it, in one transaction.

        Of callers that choose at the same time each sees the slots of those before it.

        Args:
            now: Slots that have expired by then are free.
            choose: Given the slots in use by instance (absent: none), the lease to take; None
                when none is to be taken. It may be called more than once.

        Returns:
            Whether a lease was taken.
        """

        def write(connection: Connection) -> bool:
            lock(connection, "leases")
            chosen = choose(_in_use(connection, now))
            if chosen is not None:
                _TAKE.execute(connection, dict(chosen))
            return chosen is not None

        return await self._access.write(write)

    def release(self, lease_id: str) -> None:
        """Give a slot back with the next commit; never waits."""
        self._access.queue(Entry("released", {"lease_id": lease_id}))

    async def workload(self, now: datetime) -> dict[str, int]:
        """Slots in use by instance; instances without any are absent."""
        return await self._access.read(lambda connection: _in_use(connection, now))


def writes() -> Mapping[str, WriteRows]:
    """How what Leases queues is written."""

    def release(connection: Connection, rows: list[dict[str, Any]]) -> None:
        _RELEASE.execute(connection, rows)

    return {"released": release}


_TAKE = Prepared(lambda dialect: insert(dialect, LEASES).on_conflict_do_nothing())
_RELEASE = Prepared(delete(LEASES).where(LEASES.c.id == bindparam("lease_id")))
_WORKLOAD = Prepared(
    select(LEASES.c.instance, func.count())
    .where(LEASES.c.expires_at > bindparam("now", type_=Instant))
    .group_by(LEASES.c.instance)
)


def _in_use(connection: Connection, now: datetime) -> dict[str, int]:
    return {row[0]: row[1] for row in _WORKLOAD.execute(connection, {"now": now})}
