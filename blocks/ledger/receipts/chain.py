"""The chain of receipts: numbered without a gap, each chained to the one before, signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, Text, bindparam, func, select

from blocks.errors import LedgerError
from blocks.ledger.calls.records import ReceiptRecord
from blocks.ledger.engine.dialect_sql import unpacked
from blocks.ledger.engine.locks import lock
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.values import clean_text, to_json
from blocks.ledger.engine.writer import WriteRows
from blocks.ledger.receipts.signing import GENESIS, Head, Seal, chained_hash, instant_text
from blocks.ledger.receipts.tables import RECEIPTS

_TOO_FAR = 2**62  # a number beyond, or (on SQLite) a text, was planted: the chain goes on before it

_LAST = Prepared(
    select(RECEIPTS.c.seq, RECEIPTS.c.hash, RECEIPTS.c.mac)
    .where(RECEIPTS.c.seq < _TOO_FAR)
    .order_by(RECEIPTS.c.seq.desc())
    .limit(1)
)
_KNOWN = Prepared(
    lambda dialect: select(RECEIPTS.c.id).where(
        RECEIPTS.c.id.in_(select(unpacked(dialect, bindparam("ids", type_=Text)).c.value))
    )
)
_INSERT = Prepared(RECEIPTS.insert())


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
        head = head_of(connection)
        anchor_fits = _continues(connection, head, seal.anchor())
        if links := _chained(_unknown(connection, rows), head):
            last = links[-1]
            last["mac"] = seal.sign(links[0]["seq"], last["seq"], last["hash"])
            _INSERT.execute(connection, links)
            head = Head(seq=last["seq"], hash=last["hash"], mac=last["mac"])
        # An anchor that this chain does not reach is evidence: it stays for verify to find.
        return partial(seal.move_anchor, head) if head and anchor_fits else None

    return append


def _unknown(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each receipt once, without those that an earlier try has committed."""
    wanted: dict[str, dict[str, Any]] = {}
    for row in rows:
        wanted.setdefault(row["id"], row)
    ids = json.dumps(list(wanted))
    known = set(_KNOWN.execute(connection, {"ids": ids}).scalars())
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


def head_of(connection: Connection) -> Head | None:
    """The end of the chain; None when there are no receipts."""
    row = _LAST.execute(connection, {}).first()
    return Head(seq=row[0], hash=row[1], mac=row[2]) if row else None


def _continues(connection: Connection, head: Head | None, anchor: Head | None) -> bool:
    """Whether the chain goes through the anchor, or begins after it: what is older was cut."""
    if anchor is None or (head and anchor.seq == head.seq and anchor.hash == head.hash):
        return True
    there = connection.scalar(select(RECEIPTS.c.hash).where(RECEIPTS.c.seq == anchor.seq))
    if there is None and head and head.seq > anchor.seq:
        return bool(connection.scalar(select(func.min(RECEIPTS.c.seq) > anchor.seq)))
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
