"""Rows of purchase orders in a large ledger: most are over, a few under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

LINES = 5
"""Items of an order."""

UNDER_WAY = 10
"""Orders of which goods may come."""

Rows = Iterator[dict[str, Any]]


def orders(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """A row per order; its effect has its id."""
    for n, (id_, at) in enumerate(zip(ids, instants, strict=True)):
        yield {
            "id": id_,
            "reference": f"PO-{id_}",
            "effect_id": id_,
            "supplier": f"supplier-{n % 40}",
            "site": "",
            "currency": "USD",
            "goods": "512.40",
            "freight": "45.00",
            "total": "557.40",
            "level": "ask",
            "proposed_at": at,
            "expected_on": (at + timedelta(days=7)).date().isoformat(),
            "run_id": "",
            "ended_at": None if n >= len(ids) - UNDER_WAY else at + timedelta(days=7),
        }


def order_lines(ids: Sequence[str]) -> Rows:
    """Rows of the orders' items."""
    for n, id_ in enumerate(ids):
        for number in range(1, LINES + 1):
            yield {
                "order_id": id_,
                "number": number,
                "sku": str((n * LINES + number) % 900),
                "site": "",
                "cycle": n,
                "need_key": f"{id_} {number}",
                "name": "A lamp",
                "units": 40,
                "unit_cost": "2.56",
                "item_group": "",
                "rule_units": "{}",
                "facts": "{}",
            }


def order_entries(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """Of each order its answer, and of most that they came."""
    for n, (id_, at) in enumerate(zip(ids, instants, strict=True)):
        kinds = ("answered", "received") if n < len(ids) - UNDER_WAY else ("answered",)
        for number, kind in enumerate(kinds, start=1):
            yield {
                "order_id": id_,
                "key": kind,
                "number": number,
                "kind": kind,
                "at": at + timedelta(days=7),
                "said_by": "supplier",
                "says": "confirmed" if kind == "answered" else "",
                "supplier_number": "",
                "lines": "[]",
                "detail": "",
            }


def order_effects(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """The effects by which they were sent."""
    for id_, at in zip(ids, instants, strict=True):
        yield {
            "id": id_,
            "kind": "purchase-order",
            "target": "supplier:acme",
            "need_key": f"order {id_}",
            "idempotency_key": id_,
            "cause": "",
            "payload": "{}",
            "attempts": 1,
            "tries_before": 0,
            "intended_at": at,
            "finished_at": at + timedelta(seconds=2),
            "status": "done",
            "outcome": '{"verdict": null, "reason": "", "detail": "It was taken."}',
        }
