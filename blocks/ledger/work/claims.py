"""Claims of resources: of the workflows that want one thing, one at a time may act on it.

A claim is a lease with a fencing token. The token grows with every new holder, and every write on
behalf of a claim names it: a holder that was replaced, for instance because it slept beyond its
lease, is refused from then on. Who gets a claim is decided in
``flows.orchestrator.effects.arbitration``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.ledger.work.tables import CLAIMS
from blocks.models import Strict


class Claim(Strict):
    """How the claim of one resource stands.

    Attributes:
        token: Grows with every new holder; 0 when there never was one.
        holder: Who has it, unique to one claim of one run; None when nobody has.
        workflow: The holder's workflow, or the last one's.
        priority: The holder's rank: a Priority, or one above them all for a crisis.
        expires_at: From then on the holder is taken to be dead.
        acting: Whether the holder is in a stretch in which nobody may take over.
        wanted_by: Who asks the holder to yield, or waits next in line; always of a higher rank
            than the holder.
        wanted_until: From then on whoever asked is taken to be dead.
    """

    resource: str
    token: int = 0
    holder: str | None = None
    workflow: str = ""
    priority: int = 0
    taken_at: AwareDatetime
    expires_at: AwareDatetime
    acting: bool = False
    wanted_by: str | None = None
    wanted_priority: int | None = None
    wanted_until: AwareDatetime | None = None

    def is_held(self, now: datetime) -> bool:
        """Whether a holder has it that is taken to be alive."""
        return self.holder is not None and self.expires_at > now


class Decided(Protocol):
    """What a decision about a claim says to the ledger."""

    @property
    def claim(self) -> Claim:
        """How the claim stands from now on."""


D = TypeVar("D", bound=Decided)


class Claims:
    """The claims in the ledger. A token that is not that of the present holder is refused."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def request(self, resource: str, now: datetime, decide: Callable[[Claim], D]) -> D:
        """Decide about a claim by how it stands, and write that down, in one transaction.

        Of callers that ask at the same time each sees what was decided before it.

        Args:
            resource: What is wanted, ``type:name``.
            now: The instant of the request.
            decide: Given how the claim stands, the decision. It may be called more than once.

        Returns:
            The decision.
        """
        untouched = Claim(resource=resource, taken_at=now, expires_at=now)
        first = insert(self._access.dialect, CLAIMS).values(dict(untouched))
        # A row there always is, so that its lock orders those who ask on PostgreSQL too.
        first = first.on_conflict_do_nothing()
        query = select(CLAIMS).where(CLAIMS.c.resource == resource).with_for_update()

        def write(connection: Connection) -> D:
            connection.execute(first)
            claim = Claim(**connection.execute(query).mappings().one())
            decision = decide(claim)
            if decision.claim != claim:
                row = dict(decision.claim)
                connection.execute(update(CLAIMS).where(CLAIMS.c.resource == resource), row)
            return decision

        return await self._access.write(write)

    async def renew(self, resource: str, token: int, now: datetime, until: datetime) -> bool:
        """Keep a claim longer; False when it was lost, or is wanted by a higher priority."""
        return await self._change(_current(resource, token, now), _unwanted(now), expires_at=until)

    async def act(self, resource: str, token: int, now: datetime, until: datetime) -> bool:
        """Begin a stretch in which nobody takes over, until it is done or at most ``until``.

        Returns:
            False when the claim was lost, or is wanted by a higher priority.
        """
        mine = _current(resource, token, now)
        return await self._change(mine, _unwanted(now), acting=True, expires_at=until)

    async def done_acting(self, resource: str, token: int, now: datetime, until: datetime) -> bool:
        """End that stretch and keep the claim; False when the stretch was too long."""
        mine = _current(resource, token, now)
        return await self._change(mine, acting=False, expires_at=until)

    async def release(self, resource: str, token: int) -> bool:
        """Give a claim back; False when it was lost before."""
        mine = and_(_of(resource, token), CLAIMS.c.holder.is_not(None))
        return await self._change(mine, holder=None, acting=False)

    async def withdraw(self, resource: str, by: str) -> bool:
        """No longer ask the holder to yield; False when another asks, or nobody."""
        asked = and_(CLAIMS.c.resource == resource, CLAIMS.c.wanted_by == by)
        return await self._change(asked, wanted_by=None, wanted_priority=None, wanted_until=None)

    async def check(self, resource: str, token: int, now: datetime) -> bool:
        """Whether the token is that of the present holder."""
        return await self._access.read(lambda c: holds(c, resource, token, now))

    async def get(self, resource: str) -> Claim | None:
        """How the claim of a resource stands; None when it was never asked for."""
        found = await self._access.rows(select(CLAIMS).where(CLAIMS.c.resource == resource))
        return Claim(**found[0]) if found else None

    async def _change(self, *where: ColumnElement[bool], **values: Any) -> bool:
        statement = update(CLAIMS).where(*where).values(values)
        return bool(await self._access.change(statement))


def holds(connection: Connection, resource: str, token: int, now: datetime) -> bool:
    """Whether the token is that of the present holder; in a write, it stays so until the commit."""
    query = select(CLAIMS.c.token).where(_current(resource, token, now)).with_for_update()
    return connection.scalar(query) is not None


def _of(resource: str, token: int) -> ColumnElement[bool]:
    return and_(CLAIMS.c.resource == resource, CLAIMS.c.token == token)


def _current(resource: str, token: int, now: datetime) -> ColumnElement[bool]:
    return and_(_of(resource, token), CLAIMS.c.holder.is_not(None), CLAIMS.c.expires_at > now)


def _unwanted(now: datetime) -> ColumnElement[bool]:
    return or_(CLAIMS.c.wanted_by.is_(None), CLAIMS.c.wanted_until <= now)
