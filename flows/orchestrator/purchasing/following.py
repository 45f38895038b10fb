"""Orders followed to their end: suppliers are asked, what is late is chased, people are told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from blocks.business.business import Business
from blocks.business.ordering.answers import held_against
from blocks.business.ordering.placing import find
from blocks.business.suppliers import SupplierConnection
from blocks.errors import OrchestratorError, SourceGarbled
from blocks.ledger.purchasing.entries import entry_of
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.purchasing.stages import due_on, still_to_come
from flows.orchestrator.effects.notifications import notify
from flows.orchestrator.effects.perform import Doer
from flows.reports.model import count

CHASE_EVERY = timedelta(days=2)
"""How often somebody is reminded of an order that is late."""

NEWS = timedelta(days=2)
"""For how long somebody is told what a supplier said, if that was not possible at once."""

US = "orchestrator"
"""Who says what nobody else said."""

_MAY_BE_THERE = (
    OrderStage.SENT,
    OrderStage.CONFIRMED,
    OrderStage.PARTLY,
    OrderStage.LATE,
    OrderStage.UNKNOWN,
)
_MAY_BE_LATE = (OrderStage.SENT, OrderStage.CONFIRMED, OrderStage.PARTLY)
_NOT_AS_ORDERED = (OrderStage.PARTLY, OrderStage.REJECTED)


async def follow_orders(by: Doer, business: Business, now: datetime) -> list[str]:
    """See how the orders under way stand, and tell people what they have to know.

    Safe to call at any time, from several processes: each thing is entered, and told, once.

    Args:
        by: Who follows them.
        business: With the suppliers, who are asked where they can be, and the store's time zone.
        now: The instant to judge at.

    Returns:
        What could not be found out or told, in words.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    orders = by.ledger.orders
    faults = await _ask_suppliers(by, business, now)
    today = now.astimezone(ZoneInfo(business.timezone)).date()
    for order in await orders.under_way():
        if order.stage in _MAY_BE_LATE and due_on(order) < today:
            await orders.enter(order.id, _late(order, now))
    for order in await orders.under_way():
        if order.stage is OrderStage.LATE or _is_forgotten(order, now):
            faults += await _chase(by, order, now)
    for order in await orders.heard_of(now - NEWS):
        if order.stage in _NOT_AS_ORDERED:
            faults += await _tell_news(by, order, now)
    return list(dict.fromkeys(faults))


async def _ask_suppliers(by: Doer, business: Business, now: datetime) -> list[str]:
    of_supplier: dict[str, list[OrderRecord]] = defaultdict(list)
    for order in await by.ledger.orders.under_way():
        if order.stage in _MAY_BE_THERE:
            of_supplier[order.supplier].append(order)
    asked = [
        _ask(by, supplier, orders, now)
        for supplier in business.suppliers
        if (orders := of_supplier.get(supplier.name))
        and supplier.ordering is not None
        and supplier.ordering.can_be_asked
    ]
    return [fault for fault in await asyncio.gather(*asked) if fault]


async def _ask(
    by: Doer, supplier: SupplierConnection, orders: Sequence[OrderRecord], now: datetime
) -> str:
    """Ask a supplier about its orders, one after another; of which it did not tell, and why."""
    fault = ""
    for order in orders:
        try:
            said = await find(supplier, order.reference)
        except SourceGarbled as error:  # of the others it may tell all the same
            fault = fault or f"{order.supplier} did not tell of {order.reference}: {error.what}"
            continue
        except OrchestratorError as error:  # it will not tell of the others either
            return f"{order.supplier} was not asked about its orders: {error.what}"
        if said is None:
            entry = None if order.stage is OrderStage.UNKNOWN else _not_there(order, now)
        else:
            entry = entry_of(order, held_against(order.as_sent, said), now)
        if entry:
            await by.ledger.orders.enter(order.id, entry)
    return fault


def _not_there(order: OrderRecord, now: datetime) -> OrderEntry:
    detail = f"{order.supplier} was asked, and says that it does not have the order."
    return OrderEntry(key="not there", kind=EntryKind.NOTE, at=now, by=US, detail=detail)


def _late(order: OrderRecord, now: datetime) -> OrderEntry:
    day = due_on(order)
    return OrderEntry(
        key=f"late {day}",
        kind=EntryKind.LATE,
        at=now,
        by=US,
        detail=f"It was due on {day:%d %B}, and is not all there.",
    )


def _is_forgotten(order: OrderRecord, now: datetime) -> bool:
    """Whether the question about an order is over, and still nobody knows whether it came."""
    return order.stage is OrderStage.UNKNOWN and now - order.proposed_at > CHASE_EVERY


async def _chase(by: Doer, order: OrderRecord, now: datetime) -> list[str]:
    """Remind somebody of an order, at first and then every so often."""
    chases = [entry for entry in order.entries if entry.kind is EntryKind.CHASED]
    if chases and now - chases[-1].at < CHASE_EVERY:
        return []
    number = len(chases) + 1
    subject, body = _of_unknown(order) if order.stage is OrderStage.UNKNOWN else _of_late(order)
    faults = await notify(by, f"order {order.id} late {number}", subject, body)
    detail = "" if faults else "Whoever is to be told was told."
    entry = OrderEntry(key=f"chased {number}", kind=EntryKind.CHASED, at=now, by=US, detail=detail)
    await by.ledger.orders.enter(order.id, entry)
    return faults


def _of_unknown(order: OrderRecord) -> tuple[str, str]:
    reference, supplier = order.reference, order.supplier
    return (
        f"Does {supplier} have order {reference}?",
        f"{reference} was begun to be sent, and nobody has told whether {supplier} has it. Until "
        "somebody does, its items are not ordered again.\n\n"
        f"Ask {supplier}, and tell what it says: ./orchestrator orders answered {reference} "
        "confirmed, or rejected",
    )


def _of_late(order: OrderRecord) -> tuple[str, str]:
    left = still_to_come(order)
    body = (
        f"{order.supplier} was to deliver {order.reference} by {due_on(order):%d %B %Y}. "
        f"{count(sum(left.values()), 'unit')} of {count(len(left), 'item')} are not there.\n\n"
        + "\n".join(f"- {units:,} of {sku}" for sku, units in list(left.items())[:20])
        + f"\n\nAsk {order.supplier}. When it came: ./orchestrator orders received "
        f"{order.reference}"
    )
    return f"{order.supplier} is late with {order.reference}", body


async def _tell_news(by: Doer, order: OrderRecord, now: datetime) -> list[str]:
    """Tell of what a supplier delivers otherwise than ordered; of each word once."""
    said = [entry for entry in order.entries if entry.says and now - entry.at < NEWS]
    if not said:
        return []
    word = said[-1]
    delivers = "nothing of" if order.stage is OrderStage.REJECTED else "not all as ordered of"
    body = (
        f"{order.supplier} delivers {delivers} {order.reference}"
        f"{f' ({word.number})' if word.number else ''}.\n\n{word.detail}\n\n"
        f"All of it: ./orchestrator orders show {order.reference}"
    )
    subject = f"{order.supplier} changes {order.reference}"
    return await notify(by, f"order {order.id} {word.key}", subject, body)
