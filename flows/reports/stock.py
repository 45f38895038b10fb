"""The section about the stock: what is owed, out, at risk, and the money that lies still."""

from __future__ import annotations

from collections.abc import Sequence

from agents.data_intelligence.predictive_analytics.stock_findings import ItemAtRisk
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk
from flows.reports.model import Cell, Chart, Section, Table, count, money, short


def stock(risk: StockRisk, currency: str, top: int) -> Section:
    """Items that are or will be missing, and money that lies still."""
    text = _text(risk, currency)
    # By money; of those whose money nobody knows, what is owed comes first.
    missing = sorted(
        [*risk.out_of_stock, *risk.at_risk],
        key=lambda i: (-(i.lost_revenue_per_day or 0.0), -i.owed, i.sku),
    )
    if not missing:
        return Section(title="Stock at risk", text=text)
    return Section(
        title="Stock at risk",
        text=text,
        tables=[_items(missing[:top], currency)],
        charts=[
            Chart(
                title="Expected loss per day",
                kind="bar",
                unit=currency,
                x=[short(item.name) for item in missing[:top]],
                series={"loss": [_loss(item) for item in missing[:top]]},
            )
        ],
    )


def _text(risk: StockRisk, currency: str) -> str:
    parts = [
        f"{len(risk.out_of_stock)} of {risk.items} items are out of stock and "
        f"{len(risk.at_risk)} may run out before an order placed today arrives; "
        f"expected loss {money(risk.lost_revenue_per_day, currency)} per day.",
        f"{count(round(risk.owed_units), 'unit')} of {count(risk.owed_items, 'item')} "
        f"{'is' if risk.owed_units == 1 else 'are'} owed to customers."
        if risk.owed_items
        else "",
        risk.basis,
        f"Stock is worth {money(risk.stock_value, currency)}, of which "
        f"{money(risk.overstock_value, currency)} is more than a year's demand and "
        f"{money(risk.dead_value, currency)} has not sold for a quarter.",
        f"No price is known of {count(risk.unpriced, 'item')}: the sums are without them."
        if risk.unpriced
        else "",
    ]
    return " ".join(filter(None, parts))


def _items(items: Sequence[ItemAtRisk], currency: str) -> Table:
    columns: dict[str, list[Cell]] = {
        "SKU": [item.sku for item in items],
        "Product": [item.name for item in items],
        "On hand": [item.on_hand for item in items],
    }
    if any(item.reserved for item in items):
        columns["Free"] = [max(item.free, 0.0) for item in items]
    if any(item.owed for item in items):
        columns["Owed"] = [item.owed for item in items]
    columns |= {
        "Arriving": [item.arriving for item in items],
        "Sells per day": [round(item.demand_per_day, 1) for item in items],
        "Lead time (days)": [item.lead_time_days for item in items],
        "Runs out": ["now" if i.free <= 0 else f"{i.probability:.0%} likely" for i in items],
        f"Loss per day ({currency})": [_loss(item) for item in items],
    }
    return Table(
        columns=list(columns), rows=[list(row) for row in zip(*columns.values(), strict=True)]
    )


def _loss(item: ItemAtRisk) -> float | None:
    return None if item.lost_revenue_per_day is None else round(item.lost_revenue_per_day, 2)
