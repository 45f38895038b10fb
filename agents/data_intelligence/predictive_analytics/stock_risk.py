"""Which items run out before they can be replaced, and which will not sell."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand.learned import demand_of
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.stock_facts import (
    LEAD_TIME_DAYS,
    deliveries_of,
    exposure,
    lead_times,
    names_of,
    on_order,
    prices_and_costs,
)
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk, judge
from agents.data_intelligence.stock_levels import basis, levels
from agents.data_intelligence.trading_calendar import completed
from blocks.vocabulary.frames import Snapshot


@action()
def assess_stock_risk(
    snapshot: Snapshot,
    now: datetime,
    lead_time_days: int = LEAD_TIME_DAYS,
    top: int = 5,
    learned: Rates | None = None,
) -> StockRisk:
    """Find items that run out before an order placed today could arrive, and surplus stock.

    Free is what is on hand less what is reserved, where the store tells. What is owed (free is
    below zero) is served first of what arrives.

    An SKU's lead time is the shortest in the optional ``offers`` frame. Open orders count when
    they are due within it. They are due on a day of the store's time zone: what is due today is
    not overdue yet.

    The chance of a stock-out and the lost units are those of ``stock_facts.exposure``: goods count
    from the day on which they are due. What is owed is lost, and its money paid back, where
    nothing within the lead time covers it.

    Args:
        snapshot: Needs ``stock``, ``sales`` and ``orders``; uses ``products``, ``open_orders``
            and ``offers`` where they are there.
        now: Stock and open orders are judged at this instant.
        lead_time_days: Lead time where no offer tells it.
        top: Items that get a finding of their own; the others share one.
        learned: Demand learned over all items; each item's own sales alone when None.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    (stock, sales) = snapshot.need("stock", "sales")
    model = demand_of(demand_model(snapshot, now), learned)
    table = pd.DataFrame({"demand_per_day": model.mean(28) / 28}, index=model.skus)
    table = table.join(levels(stock), how="inner")
    table["name"] = names_of(snapshot, table.index)
    past = completed(sales, model.today)
    last = LastSales.of(past, table.index)
    table["last_sold"] = last.day
    table["price"], cost = prices_and_costs(snapshot, last, table.index)
    # What is owed is no stock of negative value.
    worth = table["on_hand"] * cost.fillna(table["price"])
    table["value"] = worth.where(table["on_hand"] > 0, 0.0)
    table["lead_time"] = lead_times(snapshot, table.index, lead_time_days)
    deliveries = deliveries_of(snapshot, model.today, table["lead_time"])
    table = table.join(on_order(deliveries, model.today, table.index))
    table = table.join(exposure(model, deliveries, table))
    table["lost_per_day"] = table["lost_units"] / table["lead_time"] * table["price"]
    history = (pd.Timestamp(model.today) - past["date"].min()).days if len(past) else 0
    today = model.today
    del model  # by far the largest of what is here
    return judge(table, basis(stock), today, history, top, snapshot.currency)
