"""The items of a stock as ordering needs to know them, each with its usual offer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.market import Market
from agents.data_intelligence.predictive_analytics.ordering.economics import Economics
from agents.data_intelligence.predictive_analytics.ordering.guards import history
from agents.data_intelligence.predictive_analytics.ordering.levels import order_quantity
from agents.data_intelligence.predictive_analytics.purchasing.shelf import Shelf
from agents.statistics import Floats
from blocks.vocabulary.frames import Snapshot

SURPLUS_DAYS = 91.0
"""An offer is an item's usual one if its smallest order sells in so many days."""


def order_items(shelf: Shelf, snapshot: Snapshot, market: Market, review_days: int) -> pd.DataFrame:
    """What ``ordering.proposals.propose`` needs of each item.

    Each item stands with the cheapest of its offers whose smallest order sells within a quarter;
    where there is none, with that of the smallest order. By its lead time it is judged when the
    item is due; which supplier it is ordered from is decided afterwards. An item that nobody offers
    has the lead time of the shelf, so that it is told that it is due.

    Args:
        shelf: The stock with its facts.
        snapshot: Whose ``products`` tell what each cost so far.
        market: Offers that may be bought at.
        review_days: Days from one look at the stock to the next.

    Returns:
        One row per item of the shelf that has not been out for longer than anybody can tell.
    """
    table = shelf.table[~shelf.table["forgotten"]]
    usual = usual_offers(market, table["demand_per_day"])
    offers = market.offers.iloc[usual]
    offers = offers.set_index("sku").reindex(table.index)
    costs = pd.Series(
        market.unit_cost(usual, market.offers["min_units"].to_numpy(dtype=float)[usual]),
        index=market.offers["sku"].to_numpy()[usual],
        dtype=float,
    ).reindex(table.index)
    lead = offers["lead_time_days"].fillna(table["lead_time"]).astype(float)
    costs = costs.fillna(table["cost"])
    rows = pd.Index(shelf.model.skus).get_indexer(table.index)
    units = shelf.model.units.rows(rows)
    past = history(units, _covered_days(table, costs, lead, review_days))
    weeks = past["history_weeks"].to_numpy(dtype=float)
    known = known_costs(snapshot, table.index)
    return pd.DataFrame(
        {
            "name": table["name"],
            "free": table["free"],
            "on_order": _on_order(shelf, table.index),
            "lead_days": lead,
            "lead_deviation": offers["lead_time_deviation"].astype(float),
            "unit_cost": costs,
            "price": table["price"],
            "usual_cost": known,
            "pack_units": offers["pack_units"].astype(float),
            "min_order_units": offers["min_units"].astype(float),
            "shelf_life_days": offers["shelf_life_days"],
            "history_weeks": weeks,
            "most_sold": past["most_sold"].to_numpy(dtype=float),
            "sold": units.weekly.sum(axis=1) / np.maximum(7 * weeks, 1.0),
        },
        index=table.index,
    )


def _covered_days(
    table: pd.DataFrame, costs: pd.Series[float], lead: pd.Series[float], review_days: int
) -> Floats:
    """Days that an order of each item is to cover: until the next can come, and the cycle."""
    rate = table["demand_per_day"].to_numpy(dtype=float)
    cost = np.asarray(costs, dtype=float)
    economics = Economics(cost, np.asarray(table["price"], dtype=float) - cost)
    quantity = order_quantity(rate, economics, review_days)
    cycle = np.divide(quantity, rate, out=np.zeros(len(rate)), where=rate > 0)
    return np.asarray(lead.to_numpy(dtype=float) + review_days + cycle, dtype=float)


def usual_offers(market: Market, per_day: pd.Series[float]) -> NDArray[np.intp]:
    """Row of each SKU's usual offer in the market, by SKU; of SKUs that ``per_day`` has.

    Args:
        market: The offers.
        per_day: Expected units a day by SKU.
    """
    offers = market.offers
    rows = np.arange(len(offers), dtype=np.intp)
    least = offers["min_units"].to_numpy(dtype=float)
    wanted = offers["sku"].map(per_day).to_numpy(dtype=float)
    order = pd.DataFrame(
        {
            "sku": offers["sku"],
            "large": least > SURPLUS_DAYS * wanted,
            "least": np.where(least > SURPLUS_DAYS * wanted, least, 0.0),
            "cost": market.unit_cost(rows, least),
            "row": rows,
        }
    )[np.isfinite(wanted)]
    order = order.sort_values(["sku", "large", "least", "cost"], kind="stable")
    return order.drop_duplicates("sku")["row"].to_numpy(dtype=np.intp)


def _on_order(shelf: Shelf, skus: pd.Index) -> pd.Series[float]:
    """All that is under way, whenever it comes: what is overdue is not ordered twice."""
    return shelf.deliveries.groupby("sku")["units"].sum().reindex(skus).fillna(0.0)


def known_costs(snapshot: Snapshot, skus: pd.Index) -> pd.Series[float]:
    """What the store itself says that each item costs; NaN where it does not."""
    products = snapshot.frames.get("products")
    if products is None or "unit_cost" not in products:
        return pd.Series(np.nan, index=skus)
    costs = products.set_index("sku")["unit_cost"]
    return costs.where(costs > 0).reindex(skus)
