"""The ledger forgets what is over, old enough, and needed by nothing that is kept.

The keys of what may go are read page by page, which holds up nobody. They are deleted in
transactions that look once more, each so small that others wait for milliseconds, with as long a
pause after it. A crash in the middle leaves what is found the next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, func, select

from blocks.crash_points import reach
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.engine.access import Access
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.receipts.checkpoints import last_before, last_checkpoint
from blocks.ledger.receipts.outcomes import first_open
from blocks.ledger.receipts.receipts import Receipts
from blocks.ledger.receipts.tables import RECEIPTS
from blocks.ledger.retention.rules import RULES, Rule
from blocks.ledger.work.tables import APPROVALS, TASKS
from blocks.settings import Retention as Days

PAGE = 2000
"""Keys that are read at once."""

HOLD = 0.02
"""Seconds that a transaction takes, about."""

_EVER = datetime.min.replace(tzinfo=UTC)
_MARGIN = timedelta(days=1)  # what belongs together is not all of the same instant
_SPARE = 8  # one page in so many of SQLite's file may be free: what goes is soon written again

# The decisions about what is open are kept.
_OPEN = (
    (TASKS.c.requested_at, TASKS.c.finished_at),
    (APPROVALS.c.asked_at, APPROVALS.c.applied_at),
    (INCIDENTS.c.opened_at, INCIDENTS.c.settled_at),
)

T = TypeVar("T")


@dataclass(frozen=True)
class Due:
    """What of a table may go.

    Attributes:
        kind: The setting that says how long its rows are kept.
        rows: How many there are.
        oldest: Their first instant.
        due: How many may go.
    """

    kind: str
    table: str
    rows: int
    oldest: datetime | None
    due: int


class Retention:
    """Forgets what need not be kept.

    Args:
        access: For reading.
        pieces: For writing, beside all else that is written.
        receipts: They are cut too, and say what is cut.
    """

    def __init__(self, access: Access, pieces: Access, receipts: Receipts) -> None:
        self._access, self._pieces, self._receipts = access, pieces, receipts

    async def due(self, days: Days, now: datetime) -> list[Due]:
        """What may go by now, table by table; writes nothing."""
        since = await self._access.read(partial(_kept_since, days=days, now=now))
        return await self._due(since)

    async def size(self) -> int:
        """Bytes that the database takes."""
        return await self._access.read(_size)

    async def cut(self, days: Days, now: datetime) -> dict[str, int]:
        """Forget what may go by now, after a receipt that says so.

        Returns:
            How many rows went, by table.

        Raises:
            LedgerError: That receipt cannot be signed, and nothing went.
            LedgerUnavailable: The database is locked or gone; some may have gone.
        """
        since = await self._access.read(partial(_kept_since, days=days, now=now))
        due = {one.table: one.due for one in await self._due(since) if one.due}
        if not due:
            return {}
        await self._receipts.keep(_receipt(due, since, now))
        reach("retention.told")
        gone = {rule.table.name: await self._cut(rule, since[rule.kind]) for rule in RULES}
        gone[RECEIPTS.name] = await self._cut_receipts(since["receipts"], now)
        await self._give_back()
        return {table: rows for table, rows in gone.items() if rows}

    async def _due(self, since: Mapping[str, datetime]) -> list[Due]:
        counts = [partial(_of_rule, rule=rule, since=since[rule.kind]) for rule in RULES]
        counts.append(partial(_of_receipts, since=since["receipts"]))
        return [await self._access.read(count) for count in counts]

    async def _cut(self, rule: Rule, since: datetime) -> int:
        keys = list(rule.table.primary_key)
        this = and_(*(key == bindparam(f"of_{key.name}") for key in keys))
        statement = delete(rule.table).where(this, rule.due)

        def write(connection: Connection, these: Sequence[dict[str, Any]]) -> int:
            return connection.execute(statement, these).rowcount

        total, after = 0, _EVER
        while True:
            page = await self._access.read(partial(next_page, rule=rule, since=since, after=after))
            rows = [{f"of_{k.name}": row[k.name] for k in keys} | {"before": since} for row in page]
            gone = await self._in_steps(rows, write)
            total += gone
            if len(page) < PAGE or not gone:
                return total
            after = page[-1]["age"]

    async def _cut_receipts(self, since: datetime, now: datetime) -> int:
        checkpoint = await self._receipts.cut(since, now)
        first = await self._access.read(lambda c: c.scalar(select(func.min(RECEIPTS.c.seq))))
        if checkpoint is None or first is None:
            return 0
        reach("retention.checkpoint")

        def write(connection: Connection, these: Sequence[int]) -> int:
            numbers = RECEIPTS.c.seq.between(these[0], these[-1])
            return connection.execute(delete(RECEIPTS).where(numbers)).rowcount

        return await self._in_steps(range(first, checkpoint.cut_to + 1), write)

    async def _in_steps(
        self, things: Sequence[T], write: Callable[[Connection, Sequence[T]], int]
    ) -> int:
        """Write about all things, as many at once as take ``HOLD``; the sum of what that gives."""
        total, start, size = 0, 0, 20
        while some := things[start : start + size]:
            began = perf_counter()
            total += await self._pieces.write(partial(_call, write, some))
            reach("retention.step")
            took = perf_counter() - began
            start += size
            size = max(1, min(2 * size, int(size * HOLD / took)))
            await asyncio.sleep(took)
        return total

    async def _give_back(self) -> None:
        """Have SQLite's file shrink, where more of it is free than is soon written again.

        PostgreSQL's autovacuum sees to that itself.
        """
        if self._access.dialect == "sqlite":
            pages, free = await self._access.read(_pages)
            await self._in_steps(range(free - pages // _SPARE), _shrink)


def _kept_since(connection: Connection, days: Days, now: datetime) -> dict[str, datetime]:
    """By kind, from when on all is kept: for as long as it should be, and as it is needed."""
    since = {
        kind: _EVER if kept is None else now - timedelta(days=kept)
        for kind, kept in days.model_dump().items()
    }
    undecided = select(RECEIPTS.c.at).where(RECEIPTS.c.seq == first_open(connection))
    needed = connection.scalar(undecided) or now
    since["calls"] = min(since["calls"], needed - _MARGIN)
    for begun_at, ended_at in _OPEN:
        oldest = connection.scalar(select(func.min(begun_at)).where(ended_at.is_(None))) or now
        since["receipts"] = min(since["receipts"], oldest - _MARGIN)
    return since


def _receipt(due: Mapping[str, int], since: Mapping[str, datetime], now: datetime) -> ReceiptRecord:
    return ReceiptRecord(
        at=now,
        kind=ReceiptKind.RETENTION,
        subject="ledger",
        body={
            "inputs": {"kept_since": since},
            "decision": due,
            "why": "These rows are over, older than what is kept, and nothing kept needs them.",
        },
    )


def _of_rule(connection: Connection, rule: Rule, since: datetime) -> Due:
    rows = select(func.count(), func.min(rule.age)).select_from(rule.table)
    number, oldest = connection.execute(rows).one()
    due = select(func.count()).select_from(rule.table).where(rule.due)
    count = connection.scalar(due, {"before": since}) or 0
    return Due(rule.kind, rule.table.name, number, oldest, count)


def _of_receipts(connection: Connection, since: datetime) -> Due:
    number, oldest = connection.execute(select(func.count(), func.min(RECEIPTS.c.at))).one()
    checkpoint = last_checkpoint(connection)
    up_to = last_before(connection, since, checkpoint) or (checkpoint.cut_to if checkpoint else 0)
    due = connection.scalar(select(func.count()).where(RECEIPTS.c.seq <= up_to)) or 0
    return Due("receipts", RECEIPTS.name, number, oldest, due)


def next_page(
    connection: Connection, rule: Rule, since: datetime, after: datetime
) -> Sequence[RowMapping]:
    """The keys of the oldest rows that may go, with their ``age``."""
    age = rule.age.label("age")
    query = select(*rule.table.primary_key, age).where(rule.age >= after, rule.due)
    query = query.order_by(age).limit(PAGE)
    return connection.execute(query, {"before": since}).mappings().all()


def _pages(connection: Connection) -> tuple[int, int]:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return pages, connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()


def _size(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        page = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        return int(page * _pages(connection)[0])
    return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)


def _call(
    write: Callable[[Connection, Sequence[T]], int], these: Sequence[T], connection: Connection
) -> int:
    return write(connection, these)


def _shrink(connection: Connection, these: Sequence[int]) -> int:
    for _ in these:  # told of many at once, SQLite stops after each, and Python does not go on
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return len(these)
