"""Rows of a large ledger: what partners were told, and what waits for an endpoint that is dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

Rows = Iterator[dict[str, Any]]

DEAD = "dead"
"""The endpoint for which everything waits."""


def events(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """What was told."""
    for number, (id_, at) in enumerate(zip(ids, instants, strict=True), start=1):
        yield {
            "id": f"evt_{id_}",
            "need_key": f"told {id_}",
            "number": number,
            "type": "order.sent",
            "subject": f"order:{number}",
            "resource": "supplier:acme",
            "at": at,
            "data": '{"reference": "PO-1"}',
            "shared_at": at,
        }


def deliveries(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """To whom: every second one to an endpoint that takes nothing."""
    for number, (id_, at) in enumerate(zip(ids, instants, strict=True), start=1):
        yield {
            "effect_id": id_,
            "event_id": f"evt_{id_}",
            "number": number,
            "endpoint": _endpoint(number),
            "type": "order.sent",
            "subject": f"order:{number}",
            "line": "",
            "at": at,
        }


def attempts(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """How each was tried."""
    for id_, at in zip(ids, instants, strict=True):
        yield {
            "effect_id": id_,
            "number": 1,
            "at": at,
            "status": 200,
            "duration_ms": 20.0,
            "fault": "",
            "answer": "ok",
        }


def effects(ids: Sequence[str], instants: Sequence[datetime]) -> Rows:
    """How far each came."""
    for number, (id_, at) in enumerate(zip(ids, instants, strict=True), start=1):
        waits = _endpoint(number) == DEAD
        yield {
            "id": id_,
            "kind": "webhook",
            "target": f"endpoint:{_endpoint(number)}",
            "need_key": f"webhook {id_}",
            "idempotency_key": f"evt_{id_}",
            "cause": "",
            "payload": "{}",
            "attempts": 1,
            "tries_before": 0,
            "queue": f"endpoint:{_endpoint(number)}",
            "intended_at": at,
            "next_at": at if waits else None,
            "finished_at": None if waits else at + timedelta(seconds=2),
            "status": "intended" if waits else "done",
            "outcome": '{"verdict": null, "reason": "", "detail": "It was taken."}',
        }


def endpoints(now: datetime) -> Rows:
    """Who is told."""
    for name in (DEAD, "well"):
        yield {
            "name": name,
            "wants": '["*"]',
            "ordered_by": "none",
            "enabled": True,
            "changed_at": now,
            "changed_by": "",
            "why": "",
            "failures": 0,
        }


def _endpoint(number: int) -> str:
    return DEAD if number % 2 else "well"
