"""The section about suppliers: who answered, on which terms, and what each has of the items."""

from __future__ import annotations

from agents.integration_specialist.external_connections.inventory import (
    ItemInventory,
    ItemOffer,
    SupplierInventory,
    SupplierState,
)
from flows.reports.model import Cell, Section, Table, count, money, unit_price


def suppliers(found: SupplierInventory, top: int) -> list[Section]:
    """Who answered, and what can be had of the items that were asked for."""
    tables = [_states(found.suppliers, found.currency)]
    if shown := [item for item in found.items if item.offers][:top]:
        tables.append(_items(shown, found.asked_items))
    return [Section(title="Suppliers", text=" ".join(_text(found)), tables=tables)]


def _text(found: SupplierInventory) -> list[str]:
    told = [
        f"All were asked at once, with {found.deadline_seconds:g} seconds to answer.",
        found.summary,
    ]
    if any(supplier.delivery and supplier.delivery.counts for supplier in found.suppliers):
        told.append("Lead times that were learned from our own orders count instead of promises.")
    if undeclared := [state.name for state in found.suppliers if state.offers and not state.tax]:
        told.append(
            "Nobody has declared how tax is in the prices of "
            f"{', '.join(undeclared)} (prices = net or gross): they count as net."
        )
    return told


def _states(states: list[SupplierState], currency: str) -> Table:
    return Table(
        columns=["Supplier", "Offers", "Lead time", "Asks", "Remarks"],
        rows=[
            [state.name, state.offers, _lead_time(state), _asks(state, currency), _remarks(state)]
            for state in states
        ],
        note="Lead time: days as promised, and as learned from our own orders.",
    )


def _lead_time(state: SupplierState) -> str:
    promised = "not known" if state.promised_days is None else f"{state.promised_days:g} promised"
    times = state.delivery
    if times is None:
        return promised
    spread = "" if times.deviation is None else f" ± {times.deviation:.1f}"
    return (
        f"{promised}; {times.mean:.1f}{spread} over {count(times.deliveries, 'order')}, 9 of 10 "
        f"within {times.p90:.0f}"
    )


def _asks(state: SupplierState, currency: str) -> str:
    terms = state.terms
    code = terms.currency or currency
    told = []
    if terms.min_order_value:
        told.append(f"orders from {money(float(terms.min_order_value), code)}")
    if terms.freight:
        free = terms.free_freight_from
        told.append(
            f"freight {money(float(terms.freight), code)}"
            + ("" if free is None else f", free from {money(float(free), code)}")
        )
    return "; ".join(told) or "nothing"


def _remarks(state: SupplierState) -> str:
    told = [state.detail, *state.refused[:3]]
    if len(state.refused) > 3:
        told.append(f"{len(state.refused) - 3} more remarks")
    return "; ".join(text.rstrip(".") for text in told if text)


def _items(items: list[ItemInventory], of: int) -> Table:
    rows: list[list[Cell]] = [
        [
            item.sku,
            offer.supplier,
            "not told" if offer.available_units is None else offer.available_units,
            offer.lead_time_days,
            _terms(offer),
        ]
        for item in items
        for offer in item.offers
    ]
    more = of - len(items)
    return Table(
        columns=["SKU", "Supplier", "Has", "Days", "Price per piece, and from how many"],
        rows=rows,
        note="Prices net of tax; days as promised."
        + (f" {count(more, 'more item')} asked for." if more > 0 else ""),
    )


def _terms(offer: ItemOffer) -> str:
    prices = [
        f"{unit_price(step.unit_cost)} {offer.currency}"
        + (f" from {step.from_units:,.0f}" if step.from_units > 1 else "")
        for step in offer.steps
    ]
    packs = f" in packs of {offer.pack_units:,.0f}" if offer.pack_units > 1 else ""
    told = f"{', '.join(prices)}; at least {max(offer.min_order_units, 1):,.0f}{packs}"
    return f"{told}. Not ordered by: {offer.refused}" if offer.refused else told
