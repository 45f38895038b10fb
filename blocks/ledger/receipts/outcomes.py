"""What became of automatic decisions: each compared once with what then happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, exists, func, select

from blocks.ledger.calls.queries import matching, newest
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert, replacing
from blocks.ledger.engine.values import to_json
from blocks.ledger.receipts.chain import receipt_record
from blocks.ledger.receipts.tables import OUTCOMES, RECEIPTS, SETTLING
from blocks.models import Strict

_AT_ONCE = 500  # numbers in a query


JUDGED = (ReceiptKind.SELECT, ReceiptKind.ROUTE)
"""The kinds of decisions that are compared with what then happened."""


class Verdict(StrEnum):
    """What became of a decision."""

    SUCCEEDED = "succeeded"
    DEGRADED = "degraded"
    RECURRED = "recurred"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeRecord(Strict):
    """One decision, and what became of it.

    Attributes:
        receipt_id: The decision's receipt.
        subject: What it was about.
        instance: The agent instance that was chosen, where one was.
        cost_ms: How long what was decided took, in milliseconds.
    """

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


@dataclass(frozen=True)
class OpenDecisions:
    """Decisions of a kind whose outcome is not known.

    Attributes:
        receipts: In the order in which they were recorded, each with its number.
        read_to: The number up to which every decision of the kind is settled, or among these.
    """

    kind: ReceiptKind
    receipts: dict[int, ReceiptRecord]
    read_to: int

    def row(self, settled: Collection[str]) -> dict[str, Any]:
        """How far it was read, and what is still open once these receipts are settled."""
        held = [number for number, receipt in self.receipts.items() if receipt.id not in settled]
        return {"kind": self.kind, "read_to": self.read_to, "held": to_json(held)}


class Outcomes:
    """The outcomes in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, outcomes: Sequence[OutcomeRecord], *looks: OpenDecisions) -> None:
        """Keep what became of decisions; what is known of one stays as it is.

        Args:
            outcomes: What became known.
            looks: What was looked at for it. What is settled need not be read again; of two that
                look at once, either may have the last word: what is kept twice is kept once.
        """
        statement = insert(self._access.dialect, OUTCOMES).on_conflict_do_nothing()
        rows = [dict(outcome) | {"detail": to_json(outcome.detail)} for outcome in outcomes]
        settled = {outcome.receipt_id for outcome in outcomes}
        read = replacing(self._access.dialect, SETTLING)

        def write(connection: Connection) -> None:
            if rows:
                connection.execute(statement, rows)
            for look in looks:
                connection.execute(read, look.row(settled))

        await self._access.write(write)

    async def open_decisions(self, kind: ReceiptKind, limit: int) -> OpenDecisions:
        """Decisions whose outcome is not known yet: those that were left open, and new ones.

        Args:
            kind: What was decided.
            limit: How many new ones at most, the oldest first.
        """
        return await self._access.read(partial(_open_decisions, kind=kind, limit=limit))

    async def list(
        self, *, since: datetime | None = None, verdict: Verdict | None = None, limit: int = 1000
    ) -> list[OutcomeRecord]:
        """Outcomes of decisions made at ``since`` or later, newest first."""
        query = matching(newest(OUTCOMES.c.decided_at, limit), OUTCOMES, verdict=verdict)
        if since is not None:
            query = query.where(OUTCOMES.c.decided_at >= since)
        return [OutcomeRecord(**row) for row in await self._access.rows(query)]


def first_open(connection: Connection) -> int | None:
    """Number of the first decision whose outcome is to be known, and is not yet."""
    found: list[int] = []
    for kind in JUDGED:
        read_to, held = _standing(connection, kind)
        new = select(func.min(RECEIPTS.c.seq)).where(
            RECEIPTS.c.kind == kind, RECEIPTS.c.seq > read_to
        )
        found += held
        if (first := connection.scalar(new)) is not None:
            found.append(first)
    return min(found, default=None)


def _standing(connection: Connection, kind: ReceiptKind) -> tuple[int, list[int]]:
    """Up to which number decisions were read, and those of them that were left open."""
    row = connection.execute(select(SETTLING).where(SETTLING.c.kind == kind)).first()
    return (row.read_to, row.held) if row else (0, [])


def _open_decisions(connection: Connection, kind: ReceiptKind, limit: int) -> OpenDecisions:
    read_to, held = _standing(connection, kind)
    of_kind = RECEIPTS.c.kind == kind
    # Read first: what is recorded from now on is left to the next look, whatever is read of it.
    last = connection.scalar(select(func.max(RECEIPTS.c.seq)).where(of_kind)) or 0
    settled = exists().where(OUTCOMES.c.receipt_id == RECEIPTS.c.id)
    # Lists and ranges of numbers apart: of both in one condition SQLite makes no use of an index.
    conditions = [
        RECEIPTS.c.seq.in_(held[start : start + _AT_ONCE])
        for start in range(0, len(held), _AT_ONCE)
    ]
    queries = [select(RECEIPTS).where(of_kind, numbers, ~settled) for numbers in conditions]
    new = select(RECEIPTS).where(
        of_kind, RECEIPTS.c.seq > read_to, RECEIPTS.c.seq <= last, ~settled
    )
    rows = [row for query in queries for row in connection.execute(query).mappings()]
    found = connection.execute(new.order_by(RECEIPTS.c.seq).limit(limit)).mappings().all()
    return OpenDecisions(
        kind=kind,
        receipts={row["seq"]: receipt_record(row) for row in [*rows, *found]},
        read_to=found[-1]["seq"] if len(found) == limit else max(read_to, last),
    )
