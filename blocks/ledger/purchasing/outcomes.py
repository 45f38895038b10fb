"""What came of order lines: what each cost, and what the simple rule's would have cost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import RowMapping, exists, select

from blocks.ledger.engine.access import Access
from blocks.ledger.engine.upsert import insert
from blocks.ledger.engine.values import to_json
from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.purchasing.rows import load, query_of_orders
from blocks.ledger.purchasing.tables import ORDER_LINES, ORDER_OUTCOMES, ORDERS
from blocks.models import Strict
from blocks.vocabulary.effects import Approval


class OrderOutcome(Strict):
    """What came of one line of an order. It is settled once.

    Attributes:
        order_id: The order.
        sku: The item.
        group: The group of items whose autonomy it counts for.
        level: Who had to let the order happen.
        decided_at: When it was proposed.
        settled_at: When this became known.
        value: What the line was worth, in ``currency``; None where no rate is declared.
        ours: What it cost (holding, lost margin, the order line), in ``currency``; None where that
            cannot be told.
        rule: What the simple rule's quantity would have cost over the same days.
        currency: The store's; "" where there are no figures.
        bad: What went wrong besides money, in a sentence; "" where nothing did.
        detail: What the two figures rest on, or ``untold``: why there are none.
    """

    order_id: str
    sku: str
    group: str
    level: Approval
    decided_at: AwareDatetime
    settled_at: AwareDatetime
    value: Decimal | None = Field(default=None, ge=0)
    ours: Decimal | None = None
    rule: Decimal | None = None
    currency: str = ""
    bad: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)

    @property
    def savings(self) -> Decimal | None:
        """What it cost less than the rule's; below zero where it cost more; None if untold."""
        return None if self.ours is None or self.rule is None else self.rule - self.ours


class OrderOutcomes:
    """The outcomes of order lines in the ledger."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def keep(self, outcomes: Sequence[OrderOutcome]) -> None:
        """Keep what became of order lines; what is known of one stays as it is."""
        if not outcomes:
            return
        statement = insert(self._access.dialect, ORDER_OUTCOMES).on_conflict_do_nothing()
        rows = [_row(outcome) for outcome in outcomes]
        await self._access.write(lambda connection: connection.execute(statement, rows))

    async def list(self, *, group: str | None = None) -> list[OrderOutcome]:
        """All outcomes that are kept, in the order in which they were settled."""
        query = select(ORDER_OUTCOMES).order_by(
            ORDER_OUTCOMES.c.settled_at, ORDER_OUTCOMES.c.order_id, ORDER_OUTCOMES.c.sku
        )
        if group is not None:
            query = query.where(ORDER_OUTCOMES.c.item_group == group)
        return [_record(row) for row in await self._access.rows(query)]

    async def unsettled(self, since: datetime) -> Sequence[OrderRecord]:
        """Orders proposed at ``since`` or later of which a line is not settled, oldest first."""
        settled = exists().where(
            ORDER_OUTCOMES.c.order_id == ORDER_LINES.c.order_id,
            ORDER_OUTCOMES.c.sku == ORDER_LINES.c.sku,
        )
        has_open_line = exists().where(ORDER_LINES.c.order_id == ORDERS.c.id, ~settled)
        query = query_of_orders(ORDERS.c.proposed_at >= since, has_open_line)
        query = query.order_by(ORDERS.c.proposed_at, ORDERS.c.id)
        return await self._access.read(partial(load, query=query))

    async def settled_of(self, order_ids: Collection[str]) -> set[tuple[str, str]]:
        """Which lines of these orders are settled: order and SKU."""
        columns = ORDER_OUTCOMES.c.order_id, ORDER_OUTCOMES.c.sku
        query = select(*columns).where(ORDER_OUTCOMES.c.order_id.in_(sorted(order_ids)))
        return {(row["order_id"], row["sku"]) for row in await self._access.rows(query)}


def _row(outcome: OrderOutcome) -> dict[str, Any]:
    row = dict(outcome)
    row["item_group"] = row.pop("group")  # which databases take for a word of theirs
    row["detail"] = to_json(outcome.detail)
    for name in ("value", "ours", "rule"):
        row[name] = None if row[name] is None else str(row[name])
    return row


def _record(row: RowMapping) -> OrderOutcome:
    given = dict(row)
    given["group"] = given.pop("item_group")
    return OrderOutcome.model_validate(given)
