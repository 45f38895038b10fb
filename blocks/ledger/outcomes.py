"""What became of automatic decisions: each compared once with what then happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection, exists, select

from blocks.ledger.access import Access
from blocks.ledger.coordination_tables import OUTCOMES, RECEIPTS
from blocks.ledger.queries import matching, newest
from blocks.ledger.receipts import receipt_record
from blocks.ledger.records import ReceiptKind, ReceiptRecord
from blocks.ledger.rows import insert
from blocks.ledger.values import to_json


class Verdict(StrEnum):
    """What became of a decision."""

    SUCCEEDED = "succeeded"
    DEGRADED = "degraded"
    RECURRED = "recurred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeRecord(BaseModel):
    """One decision, and what became of it.

    Attributes:
        receipt_id: The decision's receipt.
        subject: What it was about.
        instance: The agent instance that was chosen, where one was.
        cost_ms: How long what was decided took, in milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt_id: str
    kind: ReceiptKind
    subject: str
    task_type: str | None = None
    instance: str | None = None
    decided_at: AwareDatetime
    settled_at: AwareDatetime
    verdict: Verdict
    cost_ms: float | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


class Outcomes:
    """The outcomes in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, outcomes: Sequence[OutcomeRecord]) -> None:
        """Keep what became of decisions; what is known of one stays as it is."""
        if not outcomes:
            return
        statement = insert(self._access.dialect, OUTCOMES).on_conflict_do_nothing()
        rows = [dict(outcome) | {"detail": to_json(outcome.detail)} for outcome in outcomes]

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        await self._access.write(write)

    async def open_decisions(
        self, kind: ReceiptKind, before: datetime, limit: int
    ) -> list[ReceiptRecord]:
        """Decisions made before an instant whose outcome is not known yet, oldest first."""
        settled = exists().where(OUTCOMES.c.receipt_id == RECEIPTS.c.id)
        query = (
            select(RECEIPTS)
            .where(RECEIPTS.c.kind == kind, RECEIPTS.c.at < before, ~settled)
            .order_by(RECEIPTS.c.seq)
            .limit(limit)
        )
        return [receipt_record(row) for row in await self._access.rows(query)]

    async def list(
        self, *, since: datetime | None = None, verdict: Verdict | None = None, limit: int = 1000
    ) -> list[OutcomeRecord]:
        """Outcomes of decisions made at ``since`` or later, newest first."""
        query = matching(newest(OUTCOMES.c.decided_at, limit), OUTCOMES, verdict=verdict)
        if since is not None:
            query = query.where(OUTCOMES.c.decided_at >= since)
        return [OutcomeRecord(**row) for row in await self._access.rows(query)]
