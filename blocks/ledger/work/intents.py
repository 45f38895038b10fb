"""Remediations that were intended and never settled: whoever was at it is dead."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update

from blocks.ledger.calls.records import RemediationRecord, RemediationStatus
from blocks.ledger.engine.access import Access
from blocks.ledger.work.tables import REMEDIATIONS

_IS_OPEN = and_(
    REMEDIATIONS.c.finished_at.is_(None), REMEDIATIONS.c.status == RemediationStatus.INTENDED
)


class Intents:
    """The open intents in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def overdue(self, now: datetime, usual: timedelta) -> list[RemediationRecord]:
        """Those whose deadline is over, oldest first.

        Args:
            now: The instant to judge at.
            usual: How long those may go on that have no deadline.
        """
        no_deadline = and_(
            REMEDIATIONS.c.deadline.is_(None), REMEDIATIONS.c.started_at <= now - usual
        )
        query = (
            select(REMEDIATIONS)
            .where(_IS_OPEN, or_(REMEDIATIONS.c.deadline <= now, no_deadline))
            .order_by(REMEDIATIONS.c.started_at)
        )
        return [RemediationRecord(**row) for row in await self._access.rows(query)]

    async def give_up(self, intent_id: str, ended: datetime, detail: str) -> bool:
        """Settle one as unknown; of those who do so at once, one does.

        A run that lives after all settles it anew, with what it knows.

        Returns:
            False when it is settled.
        """
        statement = (
            update(REMEDIATIONS)
            .where(REMEDIATIONS.c.id == intent_id, _IS_OPEN)
            .values(status=RemediationStatus.UNKNOWN, finished_at=ended, detail=detail)
        )
        return bool(await self._access.change(statement))
