"""A purchase plan that can be worked out by hand, as a report carries it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    HeldItem,
    Hold,
    PurchasePlan,
)
from blocks.ledger.calls.records import ReportRecord
from blocks.vocabulary.messages import Outcome
from flows.reports.model import Report

DRAFTED_AT = datetime(2026, 3, 2, 6, tzinfo=UTC)


def line(sku: str, units: int = 24, **changes: Any) -> DraftLine:
    """``units`` at 1.25 each."""
    values: dict[str, Any] = {
        "sku": sku,
        "name": f"Item {sku}",
        "units": units,
        "pack_units": 12,
        "unit_cost": Decimal("1.25"),
        "value": Decimal("1.25") * units,
        "free": 3.0,
        "on_order": 0.0,
        "reorder_point": 10.0,
        "order_up_to": 27.0,
        "protection_days": 16,
        "demand": 9.0,
        "days_of_cover": 5.3,
        "probability": 0.4,
        "waiting_cost_per_day": Decimal("0.75"),
        "why_item": f"{sku} is low.",
        "why_units": "Two packs.",
        "why_supplier": "It is the cheapest.",
        "rules": {"Tryton": 20.0, "Odoo": 24.0, "ERPNext": 0.0},
    }
    return DraftLine.model_validate(values | changes)


def order(supplier: str, *lines: DraftLine, freight: str = "0", **changes: Any) -> DraftOrder:
    """A draft in pounds."""
    goods = sum((each.value for each in lines), Decimal(0))
    values: dict[str, Any] = {
        "supplier": supplier,
        "currency": "GBP",
        "lines": list(lines),
        "goods": goods,
        "freight": Decimal(freight),
        "total": goods + Decimal(freight),
        "total_in_store_currency": goods + Decimal(freight),
        "lead_time_days": 9,
        "arrives_on": date(2026, 3, 11),
    }
    return DraftOrder.model_validate(values | changes)


def plan(*orders: DraftOrder, held: list[HeldItem] | None = None, **changes: Any) -> PurchasePlan:
    """The drafts of a plan of March 2nd."""
    values: dict[str, Any] = {
        "as_of": date(2026, 3, 2),
        "currency": "GBP",
        "orders": list(orders),
        "held": held or [],
        "demand_basis": "Demand is learned from 40 weeks.",
        "total": sum((each.total for each in orders), Decimal(0)),
    }
    return PurchasePlan.model_validate(values | changes)


def held(sku: str, **changes: Any) -> HeldItem:
    """An item that nobody offers."""
    values: dict[str, Any] = {
        "sku": sku,
        "name": f"Item {sku}",
        "hold": Hold.NO_OFFER,
        "reason": "Nobody offers it.",
        "units": 5,
        "loss_per_day": Decimal("2.50"),
    }
    return HeldItem.model_validate(values | changes)


TWO = plan(
    order("acme", line("a"), line("b", 12), freight="7.50"),
    order("globex", line("c", 36)),
    held=[held("x")],
)
"""52.50 with freight from acme, 45.00 from globex, and an item that nobody offers."""


def report_of(drafted: PurchasePlan | None, run_id: str = "a" * 32) -> ReportRecord:
    """The record of a run of the workflow that drafted it."""
    report = Report(
        workflow="critical-inventory",
        title="Critical inventory",
        run_id=run_id,
        started_at=DRAFTED_AT,
        finished_at=DRAFTED_AT,
        outcome=Outcome.SUCCEEDED,
        headline="2 draft orders.",
        currency="GBP",
        orders=drafted,
    )
    return ReportRecord(
        run_id=run_id,
        workflow=report.workflow,
        created_at=DRAFTED_AT,
        body=report.model_dump(mode="json"),
    )
