"""What a snapshot tells of one item: what is left of it, and how it sells."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from agents.data_intelligence.stock_levels import levels
from agents.data_intelligence.trading_calendar import completed, local_day, since
from blocks.vocabulary.frames import Snapshot

SALES_DAYS = 28
"""Days over which an SKU's usual sales are measured."""

_UNKNOWN = dict.fromkeys(("on_hand", "reserved", "free", "owed"))


def sku_facts(
    snapshot: Snapshot, sku: str, now: datetime, days: int = SALES_DAYS
) -> dict[str, Any] | None:
    """One SKU's stock, and its net sales per calendar day over the last four weeks.

    Args:
        snapshot: Of the store, with what it tells of the SKU.
        sku: The SKU.
        now: The instant to judge at.
        days: How many days of the four weeks the store's sales cover.

    Returns:
        ``on_hand``, ``reserved``, ``free``, ``owed`` (None when unknown), ``units_per_day``,
        ``revenue_per_day``; None when the snapshot does not know the SKU.
    """
    rows = {
        name: frame[frame["sku"] == sku]
        for name, frame in snapshot.frames.items()
        if "sku" in frame.columns
    }
    if all(frame.empty for frame in rows.values()):
        return None
    stock, sales = rows.get("stock"), rows.get("sales", pd.DataFrame())
    units = revenue = 0.0
    if not sales.empty:
        today = local_day(now, snapshot.timezone)
        recent = since(completed(sales, today), today - timedelta(days=SALES_DAYS))
        units = float((recent["units"] - recent["returned"]).sum()) / days
        revenue = float(recent["revenue"].sum()) / days
    there: dict[str, Any] = dict(_UNKNOWN)
    if stock is not None and not stock.empty:
        there |= {str(name): float(units) for name, units in levels(stock).iloc[0].items()}
    return there | {"units_per_day": units, "revenue_per_day": revenue}


def left(facts: dict[str, Any]) -> str:
    """What of an SKU is left, in words; ``facts`` as ``sku_facts`` tells them."""
    if facts["on_hand"] is None:
        return "how many are on hand is not known"
    if facts["owed"]:
        return f"none are left, and {facts['owed']:,.0f} are owed to customers"
    if facts["reserved"]:
        return (
            f"free: {facts['free']:,.0f}, {facts['on_hand']:,.0f} on hand less "
            f"{facts['reserved']:,.0f} reserved"
        )
    return f"{facts['on_hand']:,.0f} left"


def advice_on(facts: dict[str, Any]) -> str:
    """What to do about an SKU that is out of stock."""
    first = f" Serve the {facts['owed']:,.0f} owed first." if facts["owed"] else ""
    return f"Order it, or expedite what is on order.{first}"
