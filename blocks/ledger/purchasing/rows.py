"""Purchase orders as rows, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, select

from blocks.ledger.engine.dialect_sql import each_text
from blocks.ledger.engine.values import to_json
from blocks.ledger.purchasing.records import OrderedLine, OrderEntry, OrderRecord
from blocks.ledger.purchasing.stages import stage_of
from blocks.ledger.purchasing.tables import ORDER_ENTRIES, ORDER_LINES, ORDERS
from blocks.ledger.work.tables import EFFECTS
from blocks.vocabulary.effects import EffectStatus

_OF_ORDER = [column.name for column in ORDERS.columns if column.name != "ended_at"]
_OF_LINE = [name for name in OrderedLine.model_fields if name in ORDER_LINES.c]
_OF_ENTRY = [name for name in OrderEntry.model_fields if name in ORDER_ENTRIES.c]


def order_row(order: OrderRecord) -> dict[str, Any]:
    """The row of an order, without its lines."""
    given = order.model_dump(mode="json", include=set(_OF_ORDER))
    return given | {"proposed_at": order.proposed_at}


def line_row(order: OrderRecord, number: int, cycle: int) -> dict[str, Any]:
    """The row of an order's line; ``number`` counts from 1."""
    line = order.lines[number - 1]
    return {
        "order_id": order.id,
        "number": number,
        "site": order.site,
        "cycle": cycle,
        **line.model_dump(mode="json", include=set(_OF_LINE)),
        "item_group": line.group,
        "rule_units": to_json(line.rule_units),
        "facts": to_json(line.facts),
    }


def entry_row(order_id: str, entry: OrderEntry, number: int) -> dict[str, Any]:
    """The row of an entry."""
    return {
        "order_id": order_id,
        **entry.model_dump(mode="json", include=set(_OF_ENTRY)),
        "at": entry.at,
        "number": number,
        "said_by": entry.by,
        "supplier_number": entry.number,
        "lines": to_json([line.model_dump(mode="json") for line in entry.lines]),
    }


def query_of_orders(*which: ColumnElement[bool]) -> Select[Any]:
    """Orders with how far they came to be sent."""
    return (
        select(
            *(ORDERS.c[name] for name in _OF_ORDER),
            EFFECTS.c.status.label("effect_status"),
            EFFECTS.c.outcome.label("effect_outcome"),
            EFFECTS.c.approval_id,
            EFFECTS.c.attempts,
            EFFECTS.c.finished_at.label("effect_finished_at"),
        )
        .join_from(ORDERS, EFFECTS, EFFECTS.c.id == ORDERS.c.effect_id)
        .where(*which)
    )


def load(connection: Connection, query: Select[Any]) -> list[OrderRecord]:
    """The orders of a query with all that is known of them, in its order."""
    rows = connection.execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    lines, entries = _lines(connection, ids), _entries(connection, ids)
    return [_order(row, lines[row["id"]], entries[row["id"]]) for row in rows]


def _lines(connection: Connection, ids: Sequence[str]) -> dict[str, list[OrderedLine]]:
    found: dict[str, list[OrderedLine]] = defaultdict(list)
    for row in _of_orders(connection, ORDER_LINES, ids):
        given = {name: row[name] for name in _OF_LINE} | {"group": row["item_group"]}
        found[row["order_id"]].append(OrderedLine.model_validate(given))
    return found


def _entries(connection: Connection, ids: Sequence[str]) -> dict[str, list[OrderEntry]]:
    found: dict[str, list[OrderEntry]] = defaultdict(list)
    for row in _of_orders(connection, ORDER_ENTRIES, ids):
        given = {name: row[name] for name in _OF_ENTRY}
        given |= {"number": row["supplier_number"], "by": row["said_by"]}
        found[row["order_id"]].append(OrderEntry.model_validate(given))
    return found


def _of_orders(connection: Connection, table: Table, ids: Sequence[str]) -> list[RowMapping]:
    """The rows of a table that belong to these orders, by their number."""
    these = select(each_text(connection, ids).c.value)
    # Sorted here: asked for an order, PostgreSQL reads the whole table by the index of it.
    rows = connection.execute(select(table).where(table.c.order_id.in_(these))).mappings()
    return sorted(rows, key=lambda row: int(row["number"]))


def _order(row: RowMapping, lines: list[OrderedLine], entries: list[OrderEntry]) -> OrderRecord:
    status = EffectStatus(row["effect_status"])
    reason = row["effect_outcome"]["reason"]
    # Until the question is kept it has its id already: nobody may take it for let.
    awaits = status is EffectStatus.INTENDED and row["approval_id"] is not None
    units = {line.sku: line.units for line in lines}
    return OrderRecord.model_validate(
        {name: row[name] for name in _OF_ORDER}
        | {
            "lines": lines,
            "entries": entries,
            "effect_status": status,
            "effect_reason": reason,
            "awaits_a_yes": awaits,
            "approval_id": row["approval_id"],
            "sent_at": row["effect_finished_at"] if status is EffectStatus.DONE else None,
            "stage": stage_of(_begun(row, status), reason, awaits, entries, units),
        }
    )


def _begun(row: RowMapping, status: EffectStatus) -> EffectStatus:
    """What was begun, and waits to be tried again, is being sent all the same."""
    waits = status is EffectStatus.INTENDED and row["attempts"]
    return EffectStatus.ACTING if waits else status
