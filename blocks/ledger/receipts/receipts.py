"""Receipts of decisions: numbered without a gap, each chained to the one before, signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select

from blocks.errors import LedgerError
from blocks.ledger.calls.queries import newest
from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.engine.access import Access
from blocks.ledger.engine.locks import lock
from blocks.ledger.engine.values import clean_text, to_json
from blocks.ledger.engine.writer import WriteRows
from blocks.ledger.receipts.signing import GENESIS, Head, Seal, chained_hash, instant_text
from blocks.ledger.receipts.tables import RECEIPTS
from blocks.ledger.receipts.verification import PAGE, Checker, Verification, page, undecided

_IDS_PER_QUERY = 500
_TOO_FAR = 2**62  # a number beyond, or (on SQLite) a text, was planted: the chain goes on before it

# Built once: every commit with a receipt runs them.
_LAST = (
    select(RECEIPTS.c.seq, RECEIPTS.c.hash, RECEIPTS.c.mac)
    .where(RECEIPTS.c.seq < _TOO_FAR)
    .order_by(RECEIPTS.c.seq.desc())
    .limit(1)
)
_KNOWN = select(RECEIPTS.c.id).where(RECEIPTS.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = RECEIPTS.insert()


class Receipts:
    """The receipts in the ledger; ``Ledger.record`` adds to them."""

    def __init__(self, access: Access, seal: Seal) -> None:
        self._access = access
        self._seal = seal

    async def get(self, receipt_id: str) -> ReceiptRecord | None:
        """One receipt."""
        found = await self._access.rows(select(RECEIPTS).where(RECEIPTS.c.id == receipt_id))
        return receipt_record(found[0]) if found else None

    async def of(
        self,
        *,
        subject: str | None = None,
        run_id: str | None = None,
        kind: ReceiptKind | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> list[ReceiptRecord]:
        """Receipts of decisions made at ``since`` or later, the last recorded first.

        Raises:
            LedgerError: A receipt was changed into something that cannot be read.
        """
        query = newest(RECEIPTS.c.seq, limit, subject=subject, run_id=run_id, kind=kind)
        if since is not None:
            query = query.where(RECEIPTS.c.at >= since)
        return [receipt_record(row) for row in await self._access.rows(query)]

    async def head(self) -> Head | None:
        """The end of the chain; None when there are no receipts."""
        return await self._access.read(_head)

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Recomputes the whole chain, and compares it with its signatures and its anchor.

        Reads page by page, so that memory does not grow with the ledger; receipts that come in
        meanwhile do no harm.

        Args:
            progress: Called with the receipts read so far and those expected.
        """
        checker = Checker(self._seal)
        head = await self.head()
        last: int | None = None
        while True:
            last, size = await self._access.read(partial(page, checker=checker, after=last))
            if progress:
                progress(checker.count, max(checker.count, head.seq if head else 0))
            if size < PAGE:
                return checker.finish(await self._access.read(undecided))


def receipt_row(receipt: ReceiptRecord) -> dict[str, Any]:
    """The row of a receipt, but for its place in the chain."""
    return {
        "id": clean_text(receipt.id),
        "at": receipt.at,
        "kind": receipt.kind.value,
        "subject": clean_text(receipt.subject),
        "run_id": None if receipt.run_id is None else clean_text(receipt.run_id),
        "policy_version": clean_text(receipt.policy_version),
        "body": to_json(receipt.body),
    }


def appending(seal: Seal) -> WriteRows:
    """Appends receipts to the chain, signs the last, and moves the anchor after the commit."""

    def append(connection: Connection, rows: list[dict[str, Any]]) -> Callable[[], object] | None:
        lock(connection, "receipts")
        head = _head(connection)
        anchor_fits = _continues(connection, head, seal.anchor())
        if links := _chained(_unknown(connection, rows), head):
            last = links[-1]
            last["mac"] = seal.sign(links[0]["seq"], last["seq"], last["hash"])
            connection.execute(_INSERT, links)
            head = Head(seq=last["seq"], hash=last["hash"], mac=last["mac"])
        # An anchor that this chain does not reach is evidence: it stays for verify to find.
        return partial(seal.move_anchor, head) if head and anchor_fits else None

    return append


def _unknown(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each receipt once, without those that an earlier try has committed."""
    wanted: dict[str, dict[str, Any]] = {}
    for row in rows:
        wanted.setdefault(row["id"], row)
    ids = list(wanted)
    known: set[str] = set()
    for start in range(0, len(ids), _IDS_PER_QUERY):
        some = ids[start : start + _IDS_PER_QUERY]
        known.update(connection.scalars(_KNOWN, {"ids": some}))
    return [row for id_, row in wanted.items() if id_ not in known]


def _chained(rows: Sequence[dict[str, Any]], head: Head | None) -> list[dict[str, Any]]:
    seq, previous = (head.seq, head.hash) if head else (0, GENESIS)
    links = []
    for row in rows:
        seq += 1
        digest = chained_hash(row | {"at": instant_text(row["at"])}, previous)
        links.append(row | {"seq": seq, "previous": previous, "hash": digest, "mac": None})
        previous = digest
    return links


def _head(connection: Connection) -> Head | None:
    row = connection.execute(_LAST).first()
    return Head(seq=row.seq, hash=row.hash, mac=row.mac) if row else None


def _continues(connection: Connection, head: Head | None, anchor: Head | None) -> bool:
    """Whether the chain goes through the anchor."""
    if anchor is None or (head and anchor.seq == head.seq and anchor.hash == head.hash):
        return True
    there = connection.scalar(select(RECEIPTS.c.hash).where(RECEIPTS.c.seq == anchor.seq))
    return there == anchor.hash


def receipt_record(row: RowMapping) -> ReceiptRecord:
    """A row of a receipt.

    Raises:
        LedgerError: It was changed into something that cannot be read.
    """
    fields = {name: row[name] for name in ReceiptRecord.model_fields}
    try:
        return ReceiptRecord.model_validate(fields | {"body": json.loads(row["body"])})
    except ValueError:
        raise LedgerError(
            f"Receipt {row['id']!r} (number {row['seq']}) cannot be read.",
            hint="It was changed from outside: ./orchestrator verify tells what else was.",
        ) from None
