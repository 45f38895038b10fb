"""What people were told of, and how it stood then: so that each change is told once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import AwareDatetime
from sqlalchemy import Connection, and_, select

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert, replacing
from blocks.ledger.incidents.entries import IncidentEntry, enter
from blocks.ledger.work.effects import EffectRecord, intend_in
from blocks.ledger.work.tables import TELLINGS
from blocks.models import Strict


class Telling(Strict):
    """One thing that an audience was told of.

    Attributes:
        audience: Its name in the policy.
        fingerprint: What it is about: a finding's fingerprint.
        state: How it stood when it was told: a finding's severity.
        title: What was told, in a line.
        source: Who saw it, ``agent.action``: only who looks there can say that it is over.
        since: When it was first told, this time.
        told_at: When it was last told.
        over_at: When it was over; None while it is open.
    """

    audience: str
    fingerprint: str
    state: str
    title: str
    source: str
    since: AwareDatetime
    told_at: AwareDatetime
    over_at: AwareDatetime | None = None


class Decided(Protocol):
    """What is decided about telling an audience something."""

    @property
    def tellings(self) -> Sequence[Telling]:
        """What it is told of, or is over, as it stands from now on."""

    @property
    def effects(self) -> Sequence[EffectRecord]:
        """By which it is told."""

    @property
    def entries(self) -> Sequence[IncidentEntry]:
        """The steps in the timelines of incidents that it is told of."""


D = TypeVar("D", bound=Decided)


class Tellings:
    """What audiences were told of, in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def tell(
        self, audience: str, now: datetime, decide: Callable[[Mapping[str, Telling]], D]
    ) -> D:
        """Decide what to tell an audience by what it knows, and put both on record, or nothing.

        Of callers at the same time each sees what was decided before it.

        Args:
            audience: Its name.
            now: The instant of the decision.
            decide: Given what is open of what the audience was told of, by its fingerprint, the
                decision. It may be called more than once.

        Returns:
            The decision.
        """
        itself = Telling(
            audience=audience, fingerprint="", state="", title="", source="", since=now, told_at=now
        )
        # A row there always is, so that its lock orders those who tell on PostgreSQL too.
        first = insert(self._access.dialect, TELLINGS).values(_row(itself)).on_conflict_do_nothing()
        lock = (
            select(TELLINGS.c.audience)
            .where(TELLINGS.c.audience == audience, TELLINGS.c.fingerprint == "")
            .with_for_update()
        )
        is_open = and_(TELLINGS.c.audience == audience, TELLINGS.c.over_at.is_(None))
        query = select(TELLINGS).where(is_open, TELLINGS.c.fingerprint != "")

        def write(connection: Connection) -> D:
            connection.execute(first)
            connection.execute(lock)
            known = [Telling(**row) for row in connection.execute(query).mappings()]
            decision = decide({each.fingerprint: each for each in known})
            for effect in decision.effects:
                intend_in(connection, effect)
            enter(connection, decision.entries)
            if decision.tellings:
                statement = replacing(connection.dialect.name, TELLINGS)
                connection.execute(statement, [_row(each) for each in decision.tellings])
            return decision

        return await self._access.write(write)

    async def open(self, audience: str) -> Sequence[Telling]:
        """What an audience was told of and is not over, oldest first."""
        is_open = and_(TELLINGS.c.audience == audience, TELLINGS.c.over_at.is_(None))
        query = select(TELLINGS).where(is_open, TELLINGS.c.fingerprint != "")
        rows = await self._access.rows(query.order_by(TELLINGS.c.since, TELLINGS.c.fingerprint))
        return [Telling(**row) for row in rows]


def _row(telling: Telling) -> dict[str, object]:
    return dict(telling)
