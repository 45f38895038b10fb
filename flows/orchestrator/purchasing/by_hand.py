"""What a person says of an order: it came, a note, the supplier's word, or no."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from blocks.errors import InvalidMessage, RequestError
from blocks.ledger import Ledger
from blocks.ledger.purchasing.entries import entry_of
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.purchasing.stages import units_of
from blocks.text import did_you_mean
from blocks.vocabulary.purchasing import ConfirmedLine, OrderAnswer, SupplierSays
from flows.orchestrator.approvals.answering import Answered, answer_question
from flows.orchestrator.approvals.escalation import Apply

_NEVER_SENT = (
    OrderStage.PROPOSED,
    OrderStage.APPROVED,
    OrderStage.SENDING,
    OrderStage.DECLINED,
    OrderStage.FAILED,
    OrderStage.SHADOW,
)

BEYOND_BELIEF = 100
"""Times what was ordered: more of it is a slip of who types."""


async def mark_received(
    ledger: Ledger,
    which: str,
    units: Mapping[str, int],
    *,
    by: str,
    now: datetime,
    note: str = "",
) -> OrderRecord:
    """Say that goods of an order came.

    Args:
        ledger: Where the order is.
        which: Its reference, or enough of its beginning.
        units: Pieces that came, by SKU; none: all that was expected, or nothing more will come.
        by: Who says so.
        now: When.
        note: What else there is to say.

    Returns:
        The order as it stands then.

    Raises:
        NotFound: There is no such order.
        RequestError: It was never sent, is over, has no such item, or not so many of it.
        LedgerError: The ledger cannot be read or written.
    """
    order = _require_sent(await ledger.orders.get(which))
    return await _enter(ledger, order, EntryKind.RECEIVED, _lines(order, units), by, now, note)


async def add_note(ledger: Ledger, which: str, text: str, *, by: str, now: datetime) -> OrderRecord:
    """Put a note to an order, wherever it stands.

    Raises:
        NotFound: There is no such order.
        RequestError: The note is empty.
        LedgerError: The ledger cannot be read or written.
    """
    order = await ledger.orders.get(which)
    if not text.strip():
        raise RequestError("The note is empty.", hint="Say what there is to remember.")
    return await _enter(ledger, order, EntryKind.NOTE, [], by, now, text.strip())


async def pass_on(
    ledger: Ledger,
    which: str,
    says: SupplierSays,
    units: Mapping[str, int],
    *,
    by: str,
    now: datetime,
    number: str = "",
    note: str = "",
) -> OrderRecord:
    """Pass on what a supplier said of an order, by mail or on the telephone.

    Args:
        ledger: Where the order is.
        which: Its reference, or enough of its beginning.
        says: The supplier's word.
        units: Pieces that it delivers, by SKU; items that are not named stay as they are.
        by: Who passes it on.
        now: When.
        number: The supplier's own number of the order.
        note: What else it said.

    Raises:
        NotFound: There is no such order.
        RequestError: It was never sent, is over, has no such item, or not so many of it.
        LedgerError: The ledger cannot be read or written.
    """
    order = _require_sent(await ledger.orders.get(which))
    word = OrderAnswer(
        reference=order.reference,
        number=number.strip(),
        says=says,
        lines=tuple(_lines(order, units)),
        detail=note.strip(),
    )
    if entry := entry_of(order, word, now, by):
        await ledger.orders.enter(order.id, entry)
    return await ledger.orders.get(order.id)


async def cancel(
    ledger: Ledger, which: str, *, by: str, via: str, note: str = "", apply: Apply | None = None
) -> Answered:
    """Say no to an order that waits for a yes.

    Raises:
        NotFound: There is no such order.
        RequestError: Nobody is asked about it (any more).
        LedgerError: The ledger cannot be read or written.
    """
    order = await ledger.orders.get(which)
    if order.stage is not OrderStage.PROPOSED or not order.approval_id:
        raise RequestError(
            f"{order.reference} waits for no yes: it is {order.stage}.",
            hint="What was sent, only its supplier can cancel: call, and pass on what it says with "
            f"./orchestrator orders answered {order.reference} rejected",
        )
    return await answer_question(
        ledger, order.approval_id, False, by=by, via=via, note=note, apply=apply
    )


def _require_sent(order: OrderRecord) -> OrderRecord:
    if order.stage in _NEVER_SENT:
        raise RequestError(
            f"{order.reference} was not sent: it is {order.stage}.",
            hint="Nothing can have come of it. What was ordered otherwise, enter in the store.",
        )
    if order.stage is OrderStage.RECEIVED:
        raise RequestError(f"{order.reference} is received already.", hint="Add a note instead.")
    return order


def _lines(order: OrderRecord, units: Mapping[str, int]) -> list[ConfirmedLine]:
    ordered = units_of(order)
    for sku in units:
        if sku not in ordered:
            raise RequestError(
                f"{order.reference} has no item {sku!r}.", hint=did_you_mean(sku, ordered)
            )
    try:
        lines = [ConfirmedLine(sku=sku, units=number) for sku, number in units.items()]
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise InvalidMessage(
            f"units {fault['input']!r}: {fault['msg']}.", hint="Give whole pieces, from 0 on."
        ) from None
    for sku, number in units.items():
        if number > BEYOND_BELIEF * ordered[sku]:
            raise RequestError(
                f"{number:,} pieces of {sku!r} are beyond belief: {ordered[sku]:,} were ordered.",
                hint="Give pieces of this item. What is odd and true, put in a note.",
            )
    return lines


async def _enter(
    ledger: Ledger,
    order: OrderRecord,
    kind: EntryKind,
    lines: list[ConfirmedLine],
    by: str,
    now: datetime,
    detail: str,
) -> OrderRecord:
    # Of two who say something at once of the order as it stands, one does: a double click is one.
    key = f"{kind} {len(order.entries) + 1}"
    entry = OrderEntry(key=key, kind=kind, at=now, by=by, lines=lines, detail=detail)
    await ledger.orders.enter(order.id, entry)
    return await ledger.orders.get(order.id)
