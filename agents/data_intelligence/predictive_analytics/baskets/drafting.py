"""Draft orders out of a basket: exact money, and the reason of each line and of each order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.basket import Basket
from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftLine,
    DraftOrder,
    HeldItem,
)
from agents.data_intelligence.predictive_analytics.baskets.holding import CENT, money
from agents.data_intelligence.predictive_analytics.baskets.market import Market, Supplier
from agents.data_intelligence.result import count
from blocks.vocabulary.frames import NO_CURRENCY


def draft_orders(
    basket: Basket, items: pd.DataFrame, market: Market, today: date
) -> tuple[list[DraftOrder], list[HeldItem]]:
    """One draft per supplier, the one that waits most expensively first, and what is held.

    Args:
        basket: What to order.
        items: As for ``plan_orders``, indexed by SKU or with a column ``sku``. Shown where it is
            there: ``name``, ``free``, ``on_order``, ``reorder_point``, ``order_up_to``,
            ``protection_days``, ``demand``, ``days_of_cover``, ``probability``,
            ``waiting_cost_per_day``, ``why_item``, ``why_units``, ``group``, ``rules`` (mapping)
            and ``guards`` (list of texts).
        market: As for ``plan_orders``.
        today: The store's date; the day it is ordered.
    """
    table = items.set_index("sku") if "sku" in items else items
    shown = table.loc[table.index.isin(basket.lines["sku"])]
    rows = {str(sku): row for sku, row in zip(shown.index, _records(shown), strict=True)}
    orders = []
    every = basket.lines.assign(elsewhere=_elsewhere(basket.lines))
    for name, lines in every.groupby("supplier", sort=True):
        orders.append(_order(market.suppliers[str(name)], lines, rows, market, today))
    orders.sort(key=lambda order: (-_waiting(order), order.supplier))
    return orders, basket.held


def _elsewhere(lines: pd.DataFrame) -> list[str]:
    """Of each line what of its item another supplier brings; "" where it brings all."""
    split = lines[lines["sku"].duplicated(keep=False)]
    parts: dict[str, list[tuple[str, int]]] = {}
    for sku, supplier, units in zip(split["sku"], split["supplier"], split["units"], strict=True):
        parts.setdefault(str(sku), []).append((str(supplier), int(units)))
    return [
        ", ".join(
            f"{units:,} more come from {other}"
            for other, units in parts.get(str(sku), ())
            if other != supplier
        )
        for sku, supplier in zip(lines["sku"], lines["supplier"], strict=True)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _waiting(order: DraftOrder) -> Decimal:
    return sum((line.waiting_cost_per_day or Decimal(0) for line in order.lines), Decimal(0))


def _order(
    supplier: Supplier,
    lines: pd.DataFrame,
    rows: Mapping[str, Mapping[str, Any]],
    market: Market,
    today: date,
) -> DraftOrder:
    quoted = [
        market.quoted(offer, units)
        for offer, units in zip(lines["offer"], lines["units"], strict=True)
    ]
    values = [
        (price * units).quantize(CENT) for price, units in zip(quoted, lines["units"], strict=True)
    ]
    goods = sum(values, Decimal(0))
    free = supplier.free_freight_from is not None and goods >= supplier.free_freight_from
    freight = Decimal(0) if free else supplier.freight
    share = float(freight / goods) if goods else 0.0
    drafted = [
        _line(record, price, value, rows[str(record["sku"])], market, share)
        for record, price, value in zip(_records(lines), quoted, values, strict=True)
    ]
    drafted.sort(key=lambda line: (-(line.waiting_cost_per_day or 0), -line.probability, line.sku))
    lead = int(market.offers["lead_time_days"].iloc[lines["offer"].to_numpy()].max())
    total = goods + freight
    joined = lines[~lines["due"]]
    return DraftOrder(
        supplier=supplier.name,
        currency=supplier.currency,
        lines=drafted,
        goods=goods,
        freight=freight,
        total=total,
        total_in_store_currency=(total * supplier.rate).quantize(CENT),
        lead_time_days=lead,
        arrives_on=today + timedelta(days=lead),
        notes=_notes(supplier, goods, freight, free=free, joined=joined, market=market),
    )


def _line(
    record: Mapping[str, Any],
    price: Decimal,
    value: Decimal,
    row: Mapping[str, Any],
    market: Market,
    share: float,
) -> DraftLine:
    offer = int(record["offer"])
    pack = int(market.offers["pack_units"].iloc[offer])
    guards = row.get("guards")
    return DraftLine(
        sku=str(record["sku"]),
        name=str(row.get("name", record["sku"])),
        units=int(record["units"]),
        pack_units=pack,
        unit_cost=price,
        value=value,
        free=_number(row, "free", 0.0),
        on_order=_number(row, "on_order", 0.0),
        reorder_point=_number(row, "reorder_point", 0.0),
        order_up_to=_number(row, "order_up_to", 0.0),
        protection_days=int(_number(row, "protection_days", 0.0)),
        demand=_number(row, "demand", 0.0),
        days_of_cover=_known(row, "days_of_cover"),
        probability=_number(row, "probability", 0.0),
        waiting_cost_per_day=money(_number(row, "waiting_cost_per_day", float("nan"))),
        why_item=_why_item(record, row),
        why_units=_why_units(record, row, market),
        why_supplier=_why_supplier(record, market, share),
        group=str(row.get("group") or ""),
        rules={str(k): float(v) for k, v in dict(row.get("rules") or {}).items()},
        guards=[str(text) for text in guards] if isinstance(guards, list | tuple) else [],
    )


def _number(row: Mapping[str, Any], name: str, unknown: float) -> float:
    known = _known(row, name)
    return unknown if known is None else known


def _known(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None or not np.isfinite(float(value)) else float(value)


def _why_item(record: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    told = str(row.get("why_item") or "")
    if record["due"]:
        return told or "Its position is at or below its reorder point."
    return (
        "It is not due yet by its own level: it comes along, as to wait for the next order is "
        "expected to cost more than to hold it for longer, or as the whole order gains by it."
    )


def _why_units(record: Mapping[str, Any], row: Mapping[str, Any], market: Market) -> str:
    """What the level asks for, and what was made of it."""
    told = str(row.get("why_units") or "")
    units, wanted = int(record["units"]), max(float(record["wanted"]), 0.0)
    offer = market.offers.iloc[int(record["offer"])]
    pack, least = int(offer["pack_units"]), int(offer["min_units"])
    available = float(offer["available_units"])
    packs = f" in packs of {pack:,}" if pack > 1 else ""
    if abs(units - wanted) < pack:
        if told:
            return f"{told} It comes{packs}." if packs else told
        return f"{wanted:,.0f} units up to its level{packs}."
    if units < wanted and units + pack > available:
        return f"{told} {units:,} units{packs}: its supplier has {available:,.0f} of it.".strip()
    if units == least > wanted:
        why = f"{units:,} units{packs}, its smallest order here; its level asks for {wanted:,.0f}."
        return f"{told} {why}".strip()
    what = f"{units:,} units{packs} here; its level would ask for {wanted:,.0f} of this one"
    why = "its price steps, its delivery and what is asked of the order counted together."
    return f"{told} {what}: {why}".strip()


def _why_supplier(record: Mapping[str, Any], market: Market, share: float) -> str:
    """Landed price, lead time and expected loss, against the next best offer."""
    offer, other = int(record["offer"]), int(record["next_offer"])
    code = "" if market.currency == NO_CURRENCY else f" {market.currency}"
    landed = record["unit_cost"] * (1 + share)
    days = int(market.offers["lead_time_days"].iloc[offer])
    freight = " with its share of the freight" if share else ""
    told = (
        f"{landed:,.2f}{code} a unit{freight}, {count(days, 'day')}, "
        f"{record['lost']:,.2f}{code} of margin expected to be lost"
    )
    if record["elsewhere"]:
        told += f"; {record['elsewhere']}"
    if other < 0 and record["elsewhere"]:
        return f"{told}."
    if other < 0:
        return f"The only offer that can be bought: {told}."
    name = market.offers["supplier"].iloc[other]
    slower = int(market.offers["lead_time_days"].iloc[other])
    return (
        f"{told}; next best {name}: {record['next_unit_cost']:,.2f}{code} before freight, "
        f"{count(slower, 'day')}, {record['next_lost']:,.2f}{code} lost."
    )


def _notes(
    supplier: Supplier,
    goods: Decimal,
    freight: Decimal,
    *,
    free: bool,
    joined: pd.DataFrame,
    market: Market,
) -> list[str]:
    """What was decided for the order as a whole."""
    code, notes = supplier.currency, []
    if supplier.minimum:
        notes.append(
            f"Goods for {goods:,.2f} {code} reach the minimum of {supplier.minimum:,.2f} {code}."
        )
    if free:
        notes.append(
            f"The delivery is free: it is from {supplier.free_freight_from:,.2f} {code} on "
            f"({supplier.freight:,.2f} {code} saved)."
        )
    elif freight and supplier.free_freight_from is not None:
        notes.append(
            f"The delivery costs {freight:,.2f} {code}. It would be free with "
            f"{supplier.free_freight_from - goods:,.2f} {code} more; to buy those does not pay."
        )
    elif freight:
        notes.append(f"The delivery costs {freight:,.2f} {code}.")
    if len(joined):
        notes.append(
            f"{count(len(joined), 'item')} that {'is' if len(joined) == 1 else 'are'} not due yet "
            f"came along, for {joined['value'].sum():,.2f} {market.currency}."
        )
    return notes
