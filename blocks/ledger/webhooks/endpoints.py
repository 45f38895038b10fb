"""How endpoints stand: what they want, whether they take what they are sent, who disabled them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, func, or_, select, update

from blocks.errors import NotFound
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert, replacing
from blocks.ledger.engine.values import to_json
from blocks.ledger.webhooks.records import QUEUE, DeliveryAttempt, EndpointState
from blocks.ledger.webhooks.tables import DELIVERY_ATTEMPTS, ENDPOINTS
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.partner_events import OrderedBy

Change = Callable[[EndpointState], EndpointState]

_WAITS = and_(
    EFFECTS.c.queue == QUEUE + ENDPOINTS.c.name,
    EFFECTS.c.finished_at.is_(None),
)


class Endpoints:
    """The endpoints in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def all(self) -> dict[str, EndpointState]:
        """Every endpoint that was ever configured, by its name."""
        rows = await self._access.rows(select(ENDPOINTS).order_by(ENDPOINTS.c.name))
        return {row["name"]: _state(row) for row in rows}

    async def get(self, name: str) -> EndpointState:
        """One of them.

        Raises:
            NotFound: There is none of that name.
        """
        rows = await self._access.rows(select(ENDPOINTS).where(ENDPOINTS.c.name == name))
        if not rows:
            raise NotFound(
                f"There is no endpoint {name!r}.", hint="See ./orchestrator webhooks endpoints."
            )
        return _state(rows[0])

    async def seen(
        self, configured: Mapping[str, tuple[Collection[str], OrderedBy]], now: datetime
    ) -> dict[str, EndpointState]:
        """Remember what is configured; nothing is written while that is known already.

        Args:
            configured: Patterns of the types that each endpoint wants, and its order.
            now: When.

        Returns:
            As ``all``, afterwards.
        """
        known = await self.all()
        fresh = [
            EndpointState(name=name, wants=list(wants), ordered_by=ordered_by, changed_at=now)
            for name, (wants, ordered_by) in configured.items()
            if name not in known
            or (known[name].wants, known[name].ordered_by) != (list(wants), ordered_by)
        ]
        if not fresh:
            return known
        statement = insert(self._access.dialect, ENDPOINTS)
        said = {name: statement.excluded[name] for name in ("wants", "ordered_by")}
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=said)
        await self._access.write(
            lambda connection: connection.execute(statement, [_row(each) for each in fresh])
        )
        return await self.all()

    async def change(
        self, name: str, how: Change, attempt: DeliveryAttempt | None = None
    ) -> EndpointState | None:
        """Change how an endpoint stands, along with the attempt by which that is known.

        Returns:
            How it stands then; None when it is not known.
        """
        this = ENDPOINTS.c.name == name

        def write(connection: Connection) -> EndpointState | None:
            if attempt is not None:
                kept = replacing(connection.dialect.name, DELIVERY_ATTEMPTS)
                connection.execute(kept, dict(attempt))
            row = connection.execute(select(ENDPOINTS).where(this).with_for_update())
            if (found := row.mappings().one_or_none()) is None:
                return None
            before = _state(found)
            after = how(before)
            if after != before:
                connection.execute(update(ENDPOINTS).where(this).values(_row(after)))
            return after

        return await self._access.write(write)

    async def waiting(self, now: datetime) -> list[str]:
        """The endpoints for which something is due, without those that are left alone just now."""
        due = select(EFFECTS.c.id).where(_WAITS, EFFECTS.c.next_at <= now)
        is_ready = or_(ENDPOINTS.c.not_before.is_(None), ENDPOINTS.c.not_before <= now)
        query = select(ENDPOINTS.c.name).where(is_ready, due.correlate(ENDPOINTS).exists())
        return [row["name"] for row in await self._access.rows(query)]

    async def counts(self) -> dict[str, int]:
        """How many deliveries wait for each endpoint for which any do."""
        query = (
            select(EFFECTS.c.queue, func.count().label("deliveries"))
            .where(EFFECTS.c.queue.is_not(None), EFFECTS.c.finished_at.is_(None))
            .group_by(EFFECTS.c.queue)
        )
        rows = await self._access.rows(query)
        return {row["queue"].removeprefix(QUEUE): row["deliveries"] for row in rows}


def _row(state: EndpointState) -> dict[str, object]:
    return dict(state) | {"wants": to_json(state.wants)}


def _state(row: RowMapping) -> EndpointState:
    return EndpointState(**row)
