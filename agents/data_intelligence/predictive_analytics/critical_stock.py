"""Which items need attention today: low, out, owed, or gone before an order could arrive."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import pandas as pd

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import (
    CriticalStock,
    HeldRecord,
    judge_critical,
)
from agents.data_intelligence.predictive_analytics.purchasing.shelf import read_shelf
from agents.data_intelligence.predictive_analytics.stock_facts import LEAD_TIME_DAYS, exposure
from agents.data_intelligence.result import count
from agents.data_intelligence.stock_levels import basis
from blocks.errors import InvalidMessage
from blocks.vocabulary.frames import Snapshot

THRESHOLD = 5.0
"""Units of what is free at or below which an item is critical, whatever sells of it."""


@action()
def identify_critical_stock(
    snapshot: Snapshot,
    now: datetime,
    threshold: float = THRESHOLD,
    lead_time_days: int = LEAD_TIME_DAYS,
    down: Collection[str] = (),
    learned: Rates | None = None,
    top: int = 5,
) -> CriticalStock:
    """Find the items that are low, out, owed, or may run out before an order could arrive.

    Free is what is on hand less what is reserved, where the store tells; stock in several places
    comes summed, or kept apart by SKU, as the store's mapping says. Open orders count on the day on
    which they are due; what is overdue is on its way but counted on for nothing.

    An item is critical at or below the threshold; above it, when it is likely to run out or among
    those of the greatest expected loss (``stock_facts.may_run_out``). Its loss is that of
    ``stock_facts.exposure`` at its margin: the price of now less what it costs, as the products say
    or else its cheapest offer in the store's currency. Where nobody knows its cost, it is the
    price; a margin below zero counts as none.

    What is out is wanted as it was when it was there (``demand.wanted``). Of what has been out
    for more than a year nobody knows: its loss is None.

    Args:
        snapshot: Needs ``stock``, ``sales`` and ``orders``; uses ``products``, ``open_orders``
            and ``offers`` where they are there.
        now: Stock and open orders are judged at this instant.
        threshold: Units, at least 0.
        lead_time_days: Lead time where no offer tells it.
        down: Suppliers that did not answer; their rows in ``offers`` are what they offered last.
        learned: Demand learned over all items; each item's own sales alone when None.
        top: Items that get a finding of their own; the others share one.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
        InvalidMessage: The threshold is below zero or no number.
    """
    if not 0 <= threshold < 1e12:
        raise InvalidMessage(f"threshold is {threshold}.", hint="Use 0 or more units.")
    snapshot.need("stock", "sales")
    shelf = read_shelf(snapshot, now, lead_time_days, down, learned)
    table = shelf.table.join(exposure(shelf.demand, shelf.deliveries, shelf.table))
    table["knows_cost"] = table["cost"].notna()
    table["margin"] = (table["price"] - table["cost"].fillna(0.0)).clip(lower=0.0)
    lost = (table["lost_units"] / table["lead_time"]).mask(table["forgotten"])
    table["lost_revenue"], table["lost_per_day"] = lost * table["price"], lost * table["margin"]
    return judge_critical(
        table,
        shelf.held,
        _missing(snapshot, table, shelf.held),
        as_of=shelf.model.today,
        currency=snapshot.currency,
        basis=basis(snapshot.frames["stock"]),
        threshold=threshold,
        top=top,
    )


def _missing(snapshot: Snapshot, table: pd.DataFrame, held: list[HeldRecord]) -> list[str]:
    """What could not be told."""
    missing = []
    if forgotten := int(table["forgotten"].sum()):
        missing.append(
            f"what is lost of {count(forgotten, 'item')} that did not sell for more "
            "than a year and are out: whether they are wanted still, nobody knows"
        )
    if "products" in snapshot.frames:
        products = snapshot.frames["products"]
        if "stocked" in products:
            products = products[products["stocked"].fillna(1.0) != 0]
        told = {*table.index, *(record.sku for record in held)}
        if unknown := [sku for sku in products["sku"] if sku not in told]:
            missing.append(
                f"the stock of {count(len(unknown), 'product')} without a row in it, for instance "
                f"{unknown[0]}"
            )
    return missing
