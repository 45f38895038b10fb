"""Checkpoints: receipts that say up to which number receipts are cut, written before they are.

A checkpoint is a receipt itself: chained, signed and anchored as all are, and always newer than
what it cuts. It holds the hash that the first receipt after the cut follows on, and what was wrong
with those before. So ``verify`` goes on from there; whatever is missing after it, was changed in
it, or stands there without a signature is found as it is anywhere in the chain.
"""

from __future__ import annotations

import json
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Connection, func, select

from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.receipts.faults import Fault
from blocks.ledger.receipts.outcomes import first_open
from blocks.ledger.receipts.tables import RECEIPTS

SUBJECT = "receipts"
"""What a checkpoint is about, as a receipt."""


class Checkpoint(BaseModel):
    """Up to where receipts are cut.

    Attributes:
        cut_to: Number of the last one that is cut; all before it are, too.
        hash: Its hash.
        before: What was decided at that instant or later is kept.
        faults: What was wrong with those that are cut, and with those cut earlier.
        more_faults: How many more there were.
    """

    model_config = ConfigDict(frozen=True)

    cut_to: int
    hash: str
    before: AwareDatetime
    faults: list[Fault]
    more_faults: int

    def receipt(self, now: datetime) -> ReceiptRecord:
        """The receipt that it is."""
        return ReceiptRecord(
            at=now,
            kind=ReceiptKind.RETENTION,
            subject=SUBJECT,
            body={
                "decision": self.model_dump(mode="json"),
                "why": f"Receipts up to number {self.cut_to} are older than those that are kept.",
            },
        )


def last_checkpoint(connection: Connection) -> Checkpoint | None:
    """The newest one; None when there is none, or it was changed into something unreadable."""
    query = (
        select(RECEIPTS.c.body)
        .where(RECEIPTS.c.kind == ReceiptKind.RETENTION, RECEIPTS.c.subject == SUBJECT)
        .order_by(RECEIPTS.c.seq.desc())
        .limit(1)
    )
    try:
        return Checkpoint.model_validate(json.loads(connection.scalar(query) or "")["decision"])
    except (ValueError, TypeError, KeyError):
        return None


def left_of_cut(connection: Connection) -> int:
    """How many receipts are there that the last checkpoint says are cut."""
    checkpoint = last_checkpoint(connection)
    query = select(func.count()).where(RECEIPTS.c.seq <= (checkpoint.cut_to if checkpoint else 0))
    return connection.scalar(query) or 0


def last_before(
    connection: Connection, instant: datetime, checkpoint: Checkpoint | None
) -> int | None:
    """Up to which number receipts may be cut next: the last of a commit, so that all are signed.

    Returns:
        None when none may be cut: of those before that instant none has a signature, or it was
        decided before that what has no outcome yet.
    """
    after = RECEIPTS.c.seq > (checkpoint.cut_to if checkpoint else 0)
    kept = select(RECEIPTS.c.seq).where(after, RECEIPTS.c.at >= instant)
    first_kept = connection.scalar(kept.order_by(RECEIPTS.c.seq).limit(1))
    signed = select(RECEIPTS.c.seq).where(after, RECEIPTS.c.mac.is_not(None))
    for first in (first_kept, first_open(connection)):
        if first is not None:
            signed = signed.where(RECEIPTS.c.seq < first)
    return connection.scalar(signed.order_by(RECEIPTS.c.seq.desc()).limit(1))
