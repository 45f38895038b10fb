"""Money in stock: what should be ordered, chased, sold off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agents.sre_reliability.performance_optimization.insights import (
    ItemAtRisk,
    StockRisk,
    SurplusItem,
)
from agents.sre_reliability.performance_optimization.proposal import Proposal

COVER_DAYS = 28
"""An order proposed here covers its lead time and so many days after it."""

CARRYING_COST = 0.20
"""Yearly cost of holding stock as a share of its value: capital, space, insurance, ageing.
Textbooks give 20 to 30% (Silver, Pyke and Thomas, Inventory and Production Management, ch. 2)."""

ITEMS = 10


def replenish(stock: StockRisk, currency: str) -> list[Proposal]:
    """Order the items that lose most without it, or chase or expedite what is on order.

    Those whose loss nobody can tell, as they have no price, come last.
    """
    items = [*stock.out_of_stock, *stock.at_risk]
    worst = sorted(items, key=lambda item: (-(item.lost_revenue_per_day or 0.0), -item.owed))
    return [
        _replenish(item, currency)
        for item in worst[:ITEMS]
        if item.lost_revenue_per_day != 0 and (item.overdue > 0 or _missing(item) > 0)
    ]


def sell_off(stock: StockRisk, currency: str) -> list[Proposal]:
    """Turn stock that does not move back into money."""
    return [
        Proposal(
            title=f"{verb}: {value:,.0f} {currency} are tied up",
            kind=kind,
            resource="stock:surplus",
            expected_benefit=value * CARRYING_COST / 365,
            unit=f"{currency}/day",
            confidence="low",
            confidence_reason=f"The value is counted; holding it is taken to cost "
            f"{CARRYING_COST:.0%} of it a year.",
            evidence={"tied_up": value, "unit": currency, "largest": _largest(items)},
            effort="days",
            how=how,
        )
        for kind, verb, value, items, how in (
            (
                "clear-dead-stock",
                "Sell off what has stopped selling",
                stock.dead_value,
                stock.dead,
                "Discount or bundle the largest items, return them to the supplier, or write "
                "them off; take them out of replenishment.",
            ),
            (
                "reduce-overstock",
                "Stop reordering what lasts more than a year",
                stock.overstock_value,
                stock.overstock,
                "Pause reorders of these items, lower their order quantities, and promote them.",
            ),
        )
        if value > 0
    ]


def _missing(item: ItemAtRisk) -> float:
    """Units beyond what is free and arrives in time; not above zero when those suffice.

    What is owed already is among them.
    """
    wanted = item.demand_per_day * (item.lead_time_days + COVER_DAYS)
    return wanted - item.free - item.arriving


def _replenish(item: ItemAtRisk, currency: str) -> Proposal:
    # What comes within the time that an order would cover is not ordered a second time.
    units = max(0, math.ceil(round(_missing(item) - item.due_later, 6)))
    # Goods that were ordered and did not come: a call costs less than a second order.
    if item.overdue > 0:
        kind = "chase-order"
        title = f"Chase the overdue {item.overdue:,.0f} units of {item.name}"
        how = "Ask its supplier for a date, and order elsewhere if there is none."
    elif units == 0:
        kind = "expedite-order"
        title = f"Expedite the {item.due_later:,.0f} units of {item.name} that are on order"
        due = f", due on {item.next_due} or later," if item.next_due else ""
        how = f"Ask its supplier to send what is on order{due} sooner; it suffices once it is here."
    else:
        kind = "order-item"
        title = f"Order {units:,} units of {item.name} now"
        how = (
            f"Order what covers the lead time and {COVER_DAYS} days after it, expedited if the "
            "supplier can; round up to its smallest order."
        )
    if item.owed:
        title += f"; {item.owed:,.0f} are owed to customers"
        how = f"{how} Serve the {item.owed:,.0f} owed first."
    out = item.free <= 0
    return Proposal(
        title=title,
        kind=kind,
        resource=f"sku:{item.sku}",
        expected_benefit=item.lost_revenue_per_day,
        unit=f"{currency}/day",
        confidence="high" if out else "medium" if item.probability > 0.5 else "low",
        confidence_reason="It is out of stock, and its demand is known from its sales."
        if out
        else f"It runs out before an order could arrive with {item.probability:.0%} probability.",
        evidence={
            "on_hand": item.on_hand,
            "reserved": item.reserved,
            "owed": item.owed,
            "arriving": item.arriving,
            "due_later": item.due_later,
            "next_due": item.next_due and item.next_due.isoformat(),
            "overdue": item.overdue,
            "demand_per_day": item.demand_per_day,
            "lead_time_days": item.lead_time_days,
            "probability": item.probability,
            "order_units": units,
        },
        effort="minutes",
        how=how,
    )


def _largest(items: Sequence[SurplusItem]) -> list[dict[str, Any]]:
    worst = sorted(items, key=lambda item: -(item.value or 0.0))[:5]
    return [item.model_dump(include={"sku", "name", "on_hand", "value"}) for item in worst]
