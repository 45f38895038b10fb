"""What is ordered already counts as on its way, whether the store knows of it or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from blocks.ledger.purchasing.records import STORE, EntryKind, OrderEntry, OrderRecord
from blocks.ledger.purchasing.stages import due_on, still_to_come, units_of
from blocks.vocabulary.frames import OPEN_ORDERS, Snapshot

COUNTED_WITHIN = timedelta(days=2)
"""So long after a person said that goods came a store may not have counted them."""


def with_orders_under_way(snapshot: Snapshot, orders: Sequence[OrderRecord]) -> Snapshot:
    """The snapshot, with what is still to come of our orders among its ``open_orders``.

    What the store lists under an order's reference is the store's to say: it is not added to.

    Args:
        snapshot: As the store was read.
        orders: Under way before it was read: what came since then counts as on its way for once,
            and what is not there is not forgotten.

    Returns:
        Due at noon of the store's day, as only the day counts.
    """
    known = _references(snapshot)
    rows = [
        _row(order, sku, units, snapshot)
        for order in orders
        if order.reference not in known
        for sku, units in still_to_come(order).items()
    ]
    return _with(snapshot, rows)


def with_goods_to_be_counted(
    snapshot: Snapshot, orders: Sequence[OrderRecord], now: datetime
) -> Snapshot:
    """The snapshot, with goods among its ``open_orders`` that a person says came a short while ago.

    A person often tells it before the store counts them. Where it counted them at once they stand
    there twice for ``COUNTED_WITHIN``, and are ordered late rather than twice.

    Args:
        snapshot: As the store was read.
        orders: Of which something was heard since, at least.
        now: When it was read.
    """
    rows = [
        _row(order, sku, units, snapshot)
        for order in orders
        for entry in order.entries
        if entry.kind is EntryKind.RECEIVED
        and entry.by != STORE
        and entry.at >= now - COUNTED_WITHIN
        for sku, units in (_pieces(entry) or units_of(order)).items()
        if units > 0
    ]
    return _with(snapshot, rows)


def _pieces(entry: OrderEntry) -> dict[str, int]:
    return {line.sku: line.units for line in entry.lines}


def _row(order: OrderRecord, sku: str, units: int, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "order_id": order.reference,
        "supplier": order.supplier,
        "sku": sku,
        "units": float(units),
        "ordered_at": order.sent_at or order.proposed_at,
        "expected_at": _noon(order, snapshot),
    }


def _with(snapshot: Snapshot, rows: Sequence[dict[str, Any]]) -> Snapshot:
    if not rows:
        return snapshot
    ours = pd.DataFrame(rows).astype(
        dict.fromkeys(("ordered_at", "expected_at"), "datetime64[us, UTC]")
    )
    theirs = snapshot.frames.get("open_orders")
    whole = ours if theirs is None or theirs.empty else pd.concat([theirs, ours], ignore_index=True)
    return replace(snapshot, frames=snapshot.frames | {"open_orders": OPEN_ORDERS.validate(whole)})


def ordered_on(orders: Sequence[OrderRecord], zone: str) -> dict[str, date]:
    """When each item of some orders was ordered last, by the days of a time zone."""
    last: dict[str, date] = {}
    for order in orders:
        day = order.proposed_at.astimezone(ZoneInfo(zone)).date()
        for line in order.lines:
            last[line.sku] = max(day, last.get(line.sku, day))
    return last


def _references(snapshot: Snapshot) -> set[str]:
    lines = snapshot.frames.get("open_orders")
    return set() if lines is None else set(lines["order_id"])


def _noon(order: OrderRecord, snapshot: Snapshot) -> datetime:
    return datetime.combine(due_on(order), time(12), ZoneInfo(snapshot.timezone))
