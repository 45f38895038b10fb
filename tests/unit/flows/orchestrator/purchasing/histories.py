"""Outcomes of order lines, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from blocks.ledger.purchasing.outcomes import OrderOutcome
from blocks.vocabulary.effects import Approval

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
TAKES = timedelta(days=14)
"""From the decision until it is settled."""


def outcome(
    day: int,
    saved: float | None,
    *,
    order: str = "",
    sku: str = "tea",
    group: str = "tea",
    value: float = 100,
    bad: str = "",
    settled: int | None = None,
) -> OrderOutcome:
    """A line decided on a day that saved so much of a rule's cost of 1,000."""
    decided = BEGIN + timedelta(days=day)
    told = saved is not None
    return OrderOutcome(
        order_id=order or f"order-{day}",
        sku=sku,
        group=group,
        level=Approval.ASK,
        decided_at=decided,
        settled_at=decided + TAKES if settled is None else BEGIN + timedelta(days=settled),
        value=Decimal(str(value)),
        ours=Decimal(1000) - Decimal(str(saved)) if told else None,
        rule=Decimal(1000) if told else None,
        currency="EUR",
        bad=bad,
    )


def history(saved: Sequence[float], *, first: int = 0, lines: int = 1) -> list[OrderOutcome]:
    """An order a day from the first day on, each of so many lines that saved the same."""
    return [
        outcome(first + n, money, sku=f"tea-{first + n}-{line}")
        for n, money in enumerate(saved)
        for line in range(lines)
    ]
