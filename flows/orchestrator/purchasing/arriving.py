"""Goods that came, as the store's list of open orders tells it. Pure but for what it enters.

A store that lists our orders among its own lets them go from there as goods come in. What it listed
is kept with the order, so that the next look tells what came in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import STORE, EntryKind, OrderEntry, OrderRecord
from blocks.vocabulary.frames import Snapshot
from blocks.vocabulary.purchasing import MOST_UNITS, ConfirmedLine


async def take_arrivals(
    ledger: Ledger, orders: Sequence[OrderRecord], snapshot: Snapshot, now: datetime
) -> None:
    """Enter what came of orders under way, by a store that lists them.

    Args:
        ledger: Where the orders are.
        orders: Under way before the store was read.
        snapshot: As the store was read. An old one, or one without open orders, tells nothing; nor
            does one of which open orders were left out: what is missing there need not have come.
        now: When we learnt it.

    Raises:
        LedgerError: The ledger cannot be written.
    """
    gaps = [each for each in snapshot.problems if each.frame == "open_orders" and not each.kept]
    if snapshot.stale_because or gaps or "open_orders" not in snapshot.frames:
        return
    for order in orders:
        for entry in what_came(order, _listed(order, snapshot), now):
            await ledger.orders.enter(order.id, entry)


def what_came(order: OrderRecord, listed: Mapping[str, int], now: datetime) -> list[OrderEntry]:
    """Entries of an order by what the store lists of it now, and listed before.

    An order that the store never listed is not its to tell about. One that it lists no longer has
    come: all that was expected of it.

    Args:
        order: With all that is known of it.
        listed: Pieces that the store still expects, by SKU.
        now: When we learnt it.
    """
    looks = [e for e in order.entries if _is_look(e)]
    if not looks and not listed:
        return []
    number = len(looks) + 1
    if not listed:
        return [_received(f"store {number}", now, {}, "The store lists it as open no longer.")]
    before = {line.sku: line.units for line in looks[-1].lines} if looks else {}
    if before == listed:
        return []
    told = _told_since_the_last_look(order)
    gone = {sku: n - listed.get(sku, 0) - told[sku] for sku, n in before.items()}
    came = {sku: n for sku, n in gone.items() if n > 0}
    look = OrderEntry(
        key=f"listed {number}",
        kind=EntryKind.NOTE,
        at=now,
        by=STORE,
        lines=_lines(listed),
        detail="The store lists it among its open orders.",
    )
    if not came:
        return [look]
    return [_received(f"store {number}", now, came, "The store expects so much less of it."), look]


def _is_look(entry: OrderEntry) -> bool:
    return entry.kind is EntryKind.NOTE and entry.by == STORE


def _told_since_the_last_look(order: OrderRecord) -> Counter[str]:
    """Pieces that a person says came since then: the store takes them off its list as well."""
    told = Counter[str]()
    for entry in order.entries:
        if _is_look(entry):
            told.clear()
        elif entry.kind is EntryKind.RECEIVED and entry.by != STORE:
            told.update({line.sku: line.units for line in entry.lines})
    return told


def _received(key: str, now: datetime, units: Mapping[str, int], detail: str) -> OrderEntry:
    return OrderEntry(
        key=key, kind=EntryKind.RECEIVED, at=now, by=STORE, lines=_lines(units), detail=detail
    )


def _lines(units: Mapping[str, int]) -> list[ConfirmedLine]:
    return [ConfirmedLine(sku=sku, units=min(n, MOST_UNITS)) for sku, n in sorted(units.items())]


def _listed(order: OrderRecord, snapshot: Snapshot) -> dict[str, int]:
    lines = snapshot.frames["open_orders"]
    lines = lines[lines["order_id"] == order.reference]
    return {str(sku): round(n) for sku, n in lines.groupby("sku")["units"].sum().items() if n > 0}
