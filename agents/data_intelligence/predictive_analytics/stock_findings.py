"""What to tell a manager about the stock: few findings, by the money they concern."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pandas as pd

from agents.data_intelligence.predictive_analytics.stock_facts import COVER_DAYS, LIKELY
from agents.data_intelligence.result import count
from blocks.models import Strict
from blocks.vocabulary.findings import Finding
from blocks.vocabulary.messages import Severity

NOTABLE_SHARE = 0.01
"""A loss of this share of the daily demand's value makes one item an error by itself."""


class ItemAtRisk(Strict):
    """An SKU that is out of stock, or may be before an order placed today could arrive.

    Attributes:
        sku: The SKU.
        name: Its product's name; the SKU when there is no product.
        on_hand: Units on hand; below zero when more was sold than there was.
        reserved: Units of them that are reserved, or sold and not delivered yet; 0 where the store
            does not tell.
        free: On hand less reserved: what it is judged by.
        owed: Units sold beyond what is there: how far ``free`` is below zero.
        arriving: Units on order that are due within the lead time.
        due_later: Units on order that are due after the lead time, up to 28 days after it.
        next_due: Day on which the first of ``due_later`` are due; None when there are none.
        overdue: Units on order whose day is before today or unknown; not counted on.
        lead_time_days: Days from an order placed today to its arrival.
        demand: Expected demand over the lead time, in units.
        demand_per_day: Expected units per calendar day.
        probability: Chance that it runs out within the lead time: before goods that are due come,
            or after them.
        lost_units: Expected demand over the lead time that cannot be served: before a delivery,
            or after all of them; with what is owed and no delivery within it covers. A lower bound
            (see ``stock_facts.exposure``).
        lost_revenue_per_day: Its revenue per day of the lead time; None where nobody knows a price.
    """

    sku: str
    name: str
    on_hand: float
    reserved: float
    free: float
    owed: float
    arriving: float
    due_later: float
    next_due: date | None
    overdue: float
    lead_time_days: int
    demand: float
    demand_per_day: float
    probability: float
    lost_units: float
    lost_revenue_per_day: float | None

    @property
    def loss_per_day(self) -> float | None:
        """What it is ranked by, in money."""
        return self.lost_revenue_per_day


def rows_of(table: pd.DataFrame) -> Iterable[Any]:
    """The rows as named tuples, which pandas types as one union per column."""
    return table.itertuples()


def known(money: float) -> float | None:
    """Money, None where nobody knows it (NaN)."""
    return None if pd.isna(money) else money


def facts_of(row: Any, lost_revenue: float) -> dict[str, Any]:
    """The fields of an ``ItemAtRisk``, of a row of the facts about each item."""
    return {
        "sku": row.Index,
        "name": row.name,
        "on_hand": row.on_hand,
        "reserved": row.reserved,
        "free": row.free,
        "owed": row.owed,
        "arriving": row.arriving,
        "due_later": row.due_later,
        "next_due": None if pd.isna(row.next_due) else row.next_due.date(),
        "overdue": row.overdue,
        "lead_time_days": row.lead_time,
        "demand": row.demand,
        "demand_per_day": row.demand_per_day,
        "probability": row.probability,
        "lost_units": row.lost_units,
        "lost_revenue_per_day": known(lost_revenue),
    }


class SurplusItem(Strict):
    """An SKU with more stock than it sells.

    Attributes:
        sku: The SKU.
        name: Its product's name; the SKU when there is no product.
        on_hand: Units on hand.
        cover_days: Days that what is free lasts; None when nothing sells.
        value: What the stock cost (its price where the cost is unknown), in money; None where
            nobody knows either.
        last_sold: Day of its last sale; None when it never sold.
    """

    sku: str
    name: str
    on_hand: float
    cover_days: float | None
    value: float | None
    last_sold: date | None


def shortage_findings(
    out: list[ItemAtRisk], risk: list[ItemAtRisk], demand_value: float, top: int
) -> list[Finding]:
    """One finding for each of the ``top`` greatest losses, one per kind for all the others."""
    cases = [("out-of-stock", item) for item in out] + [("stock-out-risk", item) for item in risk]
    cases.sort(key=lambda case: (-(case[1].loss_per_day or 0.0), -case[1].owed))
    findings = [_shortage_finding(kind, item, demand_value) for kind, item in cases[:top]]
    for kind, title in (
        ("out-of-stock", "out of stock"),
        ("stock-out-risk", "that may run out before an order could arrive"),
    ):
        others = [item for k, item in cases[top:] if k == kind]
        if others:
            priced = [loss for item in others if (loss := item.loss_per_day) is not None]
            loss, owed = sum(priced) if priced else None, sum(item.owed for item in others)
            findings.append(
                Finding(
                    kind=kind,
                    resource="store:assortment",
                    severity=_severity(loss, demand_value, certain=False),
                    title=f"{count(len(others), 'more item')} {title}{_owed(owed)}",
                    evidence={
                        "items": len(others),
                        "owed": owed,
                        "skus": [i.sku for i in others[:20]],
                    },
                    impact_per_day=loss,
                    advice="Take the items of the list, greatest loss first: expedite what is on "
                    "order, order what is not.",
                )
            )
    return findings


def _shortage_finding(kind: str, item: ItemAtRisk, demand_value: float) -> Finding:
    certain = kind == "out-of-stock" or item.probability >= 0.9
    severity = _severity(item.loss_per_day, demand_value, certain=certain)
    return Finding(
        kind=kind,
        resource=f"sku:{item.sku}",
        # Somebody waits for goods that are owed, whatever they are worth.
        severity=max(severity, Severity.WARNING) if item.owed else severity,
        title=_out(item) if kind == "out-of-stock" else _running_out(item),
        evidence=item.model_dump(mode="json", exclude={"sku", "name"}),
        impact_per_day=item.loss_per_day,
        advice=_advice(item),
    )


def _out(item: ItemAtRisk) -> str:
    held = ""
    if item.reserved:
        held = f" ({item.on_hand:,.0f} on hand less {item.reserved:,.0f} reserved)"
    due = f", {item.arriving:,.0f} are due" if item.arriving else ""
    wanted = f"; {item.demand_per_day:.1f} a day are wanted" if item.demand_per_day else ""
    return f"{item.name} is out of stock{held}{_owed(item.owed)}{due}{wanted}"


def _running_out(item: ItemAtRisk) -> str:
    likely = item.probability > LIKELY
    chance = "will probably run out" if likely else f"may run out ({item.probability:.0%} likely)"
    held = ""
    if item.reserved:
        held = (
            f" (free: {item.free:,.0f}, {item.on_hand:,.0f} on hand less "
            f"{item.reserved:,.0f} reserved)"
        )
    due = f", {item.arriving:,.0f} more by then," if item.arriving else ""
    return (
        f"{item.name} {chance}: {item.free:,.0f} units{held}{due} for an "
        f"expected {item.demand:,.0f} in the {item.lead_time_days} days until an order arrives"
    )


def _owed(units: float) -> str:
    return f", {units:,.0f} owed to customers" if units else ""


def _advice(item: ItemAtRisk) -> str:
    """What is on order already is not ordered again; who waits is served first."""
    wanted = item.demand_per_day * (item.lead_time_days + COVER_DAYS)
    in_time = item.free + item.arriving
    if in_time >= wanted:
        advice = f"Order no more: the {item.arriving:,.0f} units due in time suffice."
    elif in_time + item.due_later >= wanted:
        advice = f"Expedite the {item.due_later:,.0f} units due on {item.next_due} or later."
    else:
        advice = f"Order now: it takes {item.lead_time_days} days."
    if item.overdue:
        advice = f"Ask after the {item.overdue:,.0f} units that are overdue. {advice}"
    return f"{advice} Serve the {item.owed:,.0f} owed first." if item.owed else advice


def _severity(loss: float | None, demand_value: float, *, certain: bool) -> Severity:
    """By the share of the daily demand's value that is lost; a warning where nobody knows it."""
    if loss is None:
        return Severity.WARNING
    share = loss / demand_value if demand_value > 0 else 0.0
    if share >= NOTABLE_SHARE:
        return Severity.ERROR if certain else Severity.WARNING
    return Severity.WARNING if share >= NOTABLE_SHARE / 10 else Severity.INFO


def surplus_findings(over: pd.DataFrame, dead: pd.DataFrame, currency: str) -> list[Finding]:
    """One finding for all overstock, one for all dead stock."""
    cases = (
        ("dead-stock", dead, "not sold for a quarter", "Sell them off or return them."),
        ("overstock", over, "with stock for more than a year", "Order no more of them."),
    )
    return [
        _surplus_finding(kind, rows, what, advice, currency)
        for kind, rows, what, advice in cases
        if len(rows)
    ]


def _surplus_finding(
    kind: str, rows: pd.DataFrame, what: str, advice: str, currency: str
) -> Finding:
    known = bool(rows["value"].notna().any())
    value = float(rows["value"].sum()) if known else None
    worth = "nobody knows their price" if value is None else f"{value:,.0f} {currency} tied up"
    return Finding(
        kind=kind,
        resource="store:assortment",
        severity=Severity.INFO,
        title=f"{count(len(rows), 'item')} {what}: {worth}",
        evidence={
            "items": len(rows),
            "value": value,
            "skus": [str(sku) for sku in rows.nlargest(20, "value").index],
        },
        advice=advice,
    )
