"""What becomes known of an order, as entries: each thing once, a change of mind as a correction."""

from __future__ import annotations

import hashlib
from datetime import datetime

from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord
from blocks.vocabulary.purchasing import OrderAnswer, SupplierSays

SUPPLIER = "supplier"
"""Who said what a supplier's desk answered."""

_SETTLES = (SupplierSays.CONFIRMED, SupplierSays.PARTLY, SupplierSays.REJECTED)
"""Words by which a supplier says what it delivers."""


def words_of(order: OrderRecord) -> list[OrderEntry]:
    """What the supplier said of an order, oldest first, whoever passed it on."""
    return [e for e in order.entries if e.kind in (EntryKind.ANSWERED, EntryKind.CORRECTED)]


def entry_of(
    order: OrderRecord, answer: OrderAnswer, now: datetime, by: str = SUPPLIER
) -> OrderEntry | None:
    """A supplier's word as an entry of an order; None when it said the same the last time.

    It is a correction where the supplier had said before what it delivers, and says otherwise now.
    Two who hear the same word at the same time make the same entry of it.

    Args:
        order: With all that is known of it.
        answer: What the supplier says, held against the order.
        now: When we learnt it.
        by: Who says so: the supplier's desk, or a person who passes it on.
    """
    words = words_of(order)
    told = (
        answer.says.value,
        list(answer.lines),
        answer.number or (words[-1].number if words else ""),
    )
    if words and (words[-1].says, words[-1].lines, words[-1].number) == told:
        return None
    settled = [word for word in words if word.says in _SETTLES]
    is_correction = bool(settled) and (answer.says in _SETTLES or bool(answer.lines))
    return OrderEntry(
        key=f"word {len(words) + 1}: {_digest(answer)}",
        kind=EntryKind.CORRECTED if is_correction else EntryKind.ANSWERED,
        at=now,
        by=by,
        says=told[0],
        number=told[2],
        lines=told[1],
        detail=answer.detail,
    )


def _digest(answer: OrderAnswer) -> str:
    said = answer.model_dump_json(include={"says", "lines", "number"})
    return hashlib.sha256(said.encode()).hexdigest()[:16]
