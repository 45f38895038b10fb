"""What lies on the shelf and is on its way, item by item, with what is wanted of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.learned import demand_of
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.demand.stock_outs import FORGOTTEN_DAYS
from agents.data_intelligence.predictive_analytics.demand.wanted import WantedDemand
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import HeldRecord
from agents.data_intelligence.predictive_analytics.purchasing.records import invalid_records
from agents.data_intelligence.predictive_analytics.stock_facts import (
    deliveries_of,
    lead_times,
    names_of,
    on_order,
    prices_and_costs,
)
from agents.data_intelligence.stock_levels import levels
from agents.data_intelligence.trading_calendar import completed
from blocks.business.catalogues.beside_store import impossible_prices
from blocks.vocabulary.frames import Snapshot

_DAYS = 28  # over which demand per day is told


@dataclass(frozen=True)
class Shelf:
    """A stock with its facts.

    Attributes:
        model: The levels of all SKUs of the snapshot.
        demand: What is wanted of the same SKUs; of what is out, as when it was there.
        table: One row per SKU that has stock and whose record can be trusted. In units ``on_hand``,
            ``reserved``, ``free``, ``owed``, ``arriving``, ``due_later``, ``overdue``; days
            ``next_due``, ``first_due``, ``out_since`` (NaT where it is not out); ``lead_time`` in
            days; ``name``; ``demand_per_day``; ``price`` and ``cost`` in the store's money, NaN
            where nobody knows; ``forgotten``, whether it has been out for more than a year; and
            ``down``, its suppliers that did not answer.
        deliveries: Open order lines, as ``stock_facts.deliveries_of`` has them.
        held: Records that are not trusted.
    """

    model: DemandModel
    demand: WantedDemand
    table: pd.DataFrame
    deliveries: pd.DataFrame
    held: list[HeldRecord]


def read_shelf(
    snapshot: Snapshot,
    now: datetime,
    lead_time_days: int,
    down: Collection[str] = (),
    learned: Rates | None = None,
) -> Shelf:
    """Put together what is known of each item.

    Args:
        snapshot: As for ``identify_critical_stock``.
        now: Stock and open orders are judged at this instant.
        lead_time_days: Lead time where no offer tells it.
        down: Suppliers that did not answer.
        learned: Demand learned over all items; each item's own sales alone when None.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    (stock, sales) = snapshot.need("stock", "sales")
    model = demand_model(snapshot, now)
    held, bad = invalid_records(snapshot, now)
    there = levels(stock[~stock["sku"].isin(bad)])
    there = there[there.index.isin(model.skus)]
    sold = LastSales.of(completed(sales, model.today), pd.Index(model.skus))
    wanted = WantedDemand.of(demand_of(model, learned), model, sold.day, there["free"] <= 0)
    rows = pd.Index(model.skus).get_indexer(there.index)
    last = LastSales(sold.price[rows], sold.day[rows])
    out_since = pd.Series(last.day, index=there.index) + pd.Timedelta(days=1)
    out_since = out_since.where(there["free"] <= 0)
    price, cost = prices_and_costs(snapshot, last, there.index)
    table = there.assign(
        name=names_of(snapshot, there.index),
        demand_per_day=wanted.mean(_DAYS)[rows] / _DAYS,
        lead_time=lead_times(snapshot, there.index, lead_time_days, down),
        out_since=out_since,
        forgotten=out_since < pd.Timestamp(model.today - timedelta(days=FORGOTTEN_DAYS)),
        price=price,
        cost=cost.fillna(cheapest(snapshot, there.index, price)),
        down=_down(snapshot, there.index, down),
    )
    deliveries = deliveries_of(snapshot, model.today, table["lead_time"])
    table = table.join(on_order(deliveries, model.today, table.index))
    return Shelf(model, wanted, table, deliveries, held)


def cheapest(snapshot: Snapshot, skus: pd.Index, price: pd.Series) -> pd.Series:
    """What the cheapest offer asks per piece; NaN where none is in the store's money.

    Args:
        snapshot: Uses its ``offers``.
        skus: The items.
        price: What the store sells each for: an offer that cannot be right beside it is none.
    """
    if "offers" not in snapshot.frames:
        return pd.Series(np.nan, index=skus)
    offers = snapshot.frames["offers"]
    known = offers["unit_cost"] > 0
    if "currency" in offers:
        known &= offers["currency"].fillna(snapshot.currency) == snapshot.currency
    if "unit" in offers:
        known &= offers["unit"].fillna("piece") == "piece"
    offers = offers[known]
    wrong = impossible_prices(offers["unit_cost"], offers["sku"].map(price)).index
    return offers.drop(wrong).groupby("sku")["unit_cost"].min().reindex(skus)


def _down(snapshot: Snapshot, skus: pd.Index, down: Collection[str]) -> pd.Series:
    """Per SKU its suppliers that did not answer."""
    names: dict[str, list[str]] = {}
    if "offers" in snapshot.frames and down:
        offers = snapshot.frames["offers"]
        offers = offers[offers["supplier"].isin(list(down)) & offers["sku"].isin(skus)]
        for sku, some in offers.groupby("sku")["supplier"]:
            names[str(sku)] = sorted(some.unique())
    return pd.Series([names.get(sku, []) for sku in skus], index=skus, dtype=object)
