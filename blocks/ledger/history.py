"""What went on over time, in few rows however much it was."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Column, ColumnElement, Select, Text, cast, func, literal_column, or_, select

from blocks.ledger.access import Access
from blocks.ledger.coordination_tables import EVENTS
from blocks.ledger.tables import REPLIES, REPORTS
from blocks.messages import CALLED_OFF, Outcome


class HourOfCalls(BaseModel):
    """The agents' calls that ended within an hour of the clock.

    Attributes:
        response_ms: Mean duration of those that ended with a result; None when none did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: AwareDatetime
    completed: int
    failed: int
    response_ms: float | None


class History:
    """The ledger, asked about hours instead of entries."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def calls(self, since: datetime) -> list[HourOfCalls]:
        """Calls that ended at ``since`` or later, hour by hour; what was called off counts not."""
        failed = REPLIES.c.outcome == Outcome.FAILED
        code = REPLIES.c.error["code"].as_string()
        query = self._per_hour(
            REPLIES.c.replied_at,
            since,
            (func.count() - func.count().filter(failed)).label("completed"),
            func.count().filter(failed).label("failed"),
            func.avg(REPLIES.c.duration_ms).filter(~failed).label("response_ms"),
        ).where(or_(code.is_(None), code != CALLED_OFF))
        return [
            HourOfCalls(**dict(row) | {"start": _instant(row["start"])})
            for row in await self._access.rows(query)
        ]

    async def events(self, since: datetime) -> dict[datetime, int]:
        """How many events came at ``since`` or later, by the start of the hour."""
        query = self._per_hour(EVENTS.c.received_at, since, func.count().label("events"))
        return {_instant(row["start"]): row["events"] for row in await self._access.rows(query)}

    async def headlines(self, run_ids: Collection[str]) -> dict[str, str]:
        """What each of these runs reports in short; those without a report are absent."""
        headline = REPORTS.c.body["headline"].as_string().label("headline")
        query = select(REPORTS.c.run_id, headline).where(REPORTS.c.run_id.in_(sorted(run_ids)))
        return {row["run_id"]: row["headline"] or "" for row in await self._access.rows(query)}

    def _per_hour(
        self, instant: Column[Any], since: datetime, *figures: ColumnElement[Any]
    ) -> Select[Any]:
        if self._access.dialect == "sqlite":
            hour: ColumnElement[Any] = func.substr(cast(instant, Text), 1, 13)
        else:
            hour = func.to_char(func.timezone("UTC", instant), "YYYY-MM-DD HH24")
        start: ColumnElement[Any] = literal_column("start")
        return (
            select(hour.label("start"), *figures)
            .where(instant >= since)
            .group_by(start)
            .order_by(start)
        )


def _instant(hour: str) -> datetime:
    return datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC)
