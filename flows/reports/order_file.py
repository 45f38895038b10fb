"""Draft orders as a file that a spreadsheet or a supplier's portal reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    PurchasePlan,
)
from blocks.formats.spreadsheets import harmless

COLUMNS = (
    *("supplier", "sku", "name", "units", "pack_units", "unit_cost", "currency", "value"),
    *("arrives_on", "free", "owed", "on_order", "reorder_point", "order_up_to"),
    *("days_of_cover", "stock_out_chance", "waiting_cost_per_day"),
    *("why_item", "why_units", "why_supplier", "erp_rules", "guards"),
)


def as_csv(plan: PurchasePlan, supplier: str = "") -> str:
    """The lines of all drafts, or of one supplier's, as CSV (RFC 4180).

    No cell begins with a sign by which a spreadsheet knows a formula.

    Args:
        plan: The drafts.
        supplier: Whose; everybody's when empty.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for order in plan.orders:
        if supplier in ("", order.supplier):
            table.writerows(_row(order, line) for line in order.lines)
    return text.getvalue()


def _row(order: DraftOrder, line: DraftLine) -> list[str]:
    return [harmless(cell) for cell in _cells(order, line)]


def _cells(order: DraftOrder, line: DraftLine) -> Iterator[str]:
    yield order.supplier
    yield from (line.sku, line.name, str(line.units), str(line.pack_units))
    yield from (_money(line.unit_cost), order.currency, _money(line.value))
    yield from (order.arrives_on.isoformat(), _number(max(line.free, 0.0)))
    yield from (_number(max(-line.free, 0.0)), _number(line.on_order))
    yield from (_number(line.reorder_point), _number(line.order_up_to))
    yield "" if line.days_of_cover is None else _number(line.days_of_cover)
    yield f"{line.probability:.3f}"
    yield "" if line.waiting_cost_per_day is None else _money(line.waiting_cost_per_day)
    yield from (line.why_item, line.why_units, line.why_supplier)
    yield "; ".join(f"{name} {_number(units)}" for name, units in line.rules.items())
    yield " ".join(line.guards)


def _money(amount: Decimal) -> str:
    """As exact as it is, with two decimals at least."""
    exponent = amount.as_tuple().exponent
    exact = isinstance(exponent, int) and exponent < -2
    return f"{amount:f}" if exact else f"{amount:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
