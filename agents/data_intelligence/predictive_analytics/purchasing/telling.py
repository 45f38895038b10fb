"""What a plan tells beside its drafts: what needs no order, what it rests on, what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftOrder, HeldItem
from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import CriticalStock
from agents.data_intelligence.predictive_analytics.purchasing.shelf import Shelf
from agents.data_intelligence.predictive_analytics.stock_facts import LIKELY
from agents.data_intelligence.predictive_analytics.stock_findings import rows_of
from agents.data_intelligence.result import count
from blocks.vocabulary.frames import Snapshot

PRICE_DAYS = 30
"""Nothing is drafted at prices that are older, and not told anew since."""


def covered(
    critical: CriticalStock,
    proposed: pd.DataFrame,
    orders: list[DraftOrder],
    held: list[HeldItem],
) -> dict[str, str]:
    """Critical items that are in no draft because none is needed, and why none is."""
    told = {line.sku for order in orders for line in order.lines} | {item.sku for item in held}
    items = {item.sku: item for item in critical.items if item.sku not in told}
    table = proposed.loc[proposed.index.intersection(pd.Index(list(items)))]
    covered = {}
    for row in rows_of(table):
        item = items[row.Index]
        if row.rate <= 0:
            covered[row.Index] = "Nobody is expected to want it."
            continue
        reason = (
            f"{_units(row.position)} free or under way are more than its reorder point of "
            f"{_units(row.reorder_point)}"
        )
        if item.overdue:
            reason += f"; chase the {_units(item.overdue)} that are overdue"
        elif item.due_later and item.probability > LIKELY:
            reason += f"; have the {_units(item.due_later)} due on {item.next_due} come sooner"
        covered[row.Index] = f"{reason}."
    return covered


def rests(critical: CriticalStock, resting: Mapping[str, date], review_days: int) -> dict[str, str]:
    """Critical items that rest, and until when."""
    return {
        item.sku: f"It is in an order of {day:%d %B}: it is looked at again on "
        f"{day + timedelta(days=review_days):%d %B}."
        for item in critical.items
        if (day := resting.get(item.sku))
    }


def basis(shelf: Shelf) -> str:
    """What the demand rests on."""
    out = int(shelf.table["out_since"].notna().sum())
    base, weeks = shelf.demand.base, count(shelf.model.weeks, "week")
    told = (
        f"Demand was learned on {base.learned_on} from {weeks} of sales of all items together"
        if isinstance(base, LearnedDemand)
        else f"Demand is learned from {weeks} of each item's own sales"
    )
    told += (
        "; how far it may differ follows from each item's own past or, where that is short, from "
        "the errors of earlier forecasts."
    )
    if out:
        told += " What is out is wanted as it was when it was there."
    return told


def missing(snapshot: Snapshot, shelf: Shelf, old: list[str]) -> list[str]:
    """What the drafts could not take into account."""
    missing = [
        f"offers of {name}: it has not answered for more than {PRICE_DAYS} days" for name in old
    ]
    if "offers" not in snapshot.frames:
        missing.append("offers of suppliers: none has answered yet, so nothing can be drafted")
    if "open_orders" not in snapshot.frames:
        missing.append(
            "what is under way: the store's open orders are not mapped, so what was ordered "
            "already may be drafted again"
        )
    if forgotten := int(shelf.table["forgotten"].sum()):
        missing.append(
            f"orders of {count(forgotten, 'item')} that have been out for more than a year: order "
            "by hand what is wanted still"
        )
    return missing


def _units(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"
