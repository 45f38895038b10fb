"""Which items run out before they can be replaced, and which will not sell."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.last_sales import LastSales
from agents.data_intelligence.predictive_analytics.stock_findings import COVER_DAYS
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk, judge
from agents.data_intelligence.stock_levels import basis, levels
from agents.data_intelligence.trading_calendar import completed
from blocks.vocabulary.frames import Snapshot

LEAD_TIME_DAYS = 7
"""Lead time of an SKU that no supplier offers, or when the offers could not be had."""


@action()
def assess_stock_risk(
    snapshot: Snapshot,
    now: datetime,
    lead_time_days: int = LEAD_TIME_DAYS,
    top: int = 5,
) -> StockRisk:
    """Find items that run out before an order placed today could arrive, and surplus stock.

    Free is what is on hand less what is reserved, where the store tells. What is owed (free is
    below zero) is served first of what arrives.

    An SKU's lead time is the shortest in the optional ``offers`` frame. Open orders count when
    they are due within it. They are due on a day of the store's time zone: what is due today is
    not overdue yet.

    Expected lost units are the greatest expected shortage just before a delivery and at the end
    of the lead time L: ``max over t of E[D(t) - S(t)]+``, where t is L and each day of the lead
    time on which goods are due, D(t) the demand of the t days from today on, and S(t) what is
    free plus what is due before day t (for t = L, all that is due within the lead time). For one
    course of demand the maximum is exact, as what is lost once is not wanted again; the maximum
    of the expectations is a lower bound of the expected loss. Units that are owed wait for a
    delivery: they are lost, and their money paid back, where none within the lead time covers
    them. So S(t) is at least zero for t < L, and may be below it for L.

    Args:
        snapshot: Needs ``stock``, ``sales`` and ``orders``; uses ``products``, ``open_orders``
            and ``offers`` where they are there.
        now: Stock and open orders are judged at this instant.
        lead_time_days: Lead time where no offer tells it.
        top: Items that get a finding of their own; the others share one.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    (stock, sales) = snapshot.need("stock", "sales")
    model = demand_model(snapshot, now)
    table = pd.DataFrame({"demand_per_day": model.mean(28) / 28}, index=model.skus)
    table = table.join(levels(stock), how="inner")
    table["name"] = _names(snapshot, table.index)
    past = completed(sales, model.today)
    last = LastSales.of(past, table.index)
    table["last_sold"] = last.day
    table["price"], table["value"] = _prices(snapshot, last, table)
    table["lead_time"] = _lead_times(snapshot, table.index, lead_time_days)
    deliveries = _deliveries(snapshot, model.today, table)
    table = table.join(_on_order(deliveries, model.today, table))
    table = table.assign(demand=0.0, probability=0.0, lost_units=0.0)
    rows = pd.Index(model.skus)
    for lead_time in sorted(table["lead_time"].unique()):
        group = table[table["lead_time"] == lead_time]
        spread = model.spread(int(lead_time)).rows(rows.get_indexer(group.index))
        available = (group["free"] + group["arriving"]).to_numpy()
        table.loc[group.index, "demand"] = spread.mean
        table.loc[group.index, "probability"] = spread.exceeds(available)
        table.loc[group.index, "lost_units"] = spread.shortage(available)
    waiting = _shortage_before_deliveries(model, deliveries, table)
    table["lost_units"] = np.fmax(table["lost_units"], waiting.reindex(table.index))
    table["lost_per_day"] = table["lost_units"] / table["lead_time"] * table["price"]
    history = (pd.Timestamp(model.today) - past["date"].min()).days if len(past) else 0
    return judge(table, basis(stock), model.today, history, top, snapshot.currency)


def _names(snapshot: Snapshot, skus: pd.Index) -> pd.Series:
    names = pd.Series(skus, index=skus)
    if "products" in snapshot.frames:
        names = snapshot.frames["products"].set_index("sku")["name"].reindex(skus).fillna(names)
    return names


def _prices(
    snapshot: Snapshot, last: LastSales, table: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """What a unit brings, as last sold (else its list price), and the stock's value.

    NaN where nobody knows.
    """
    price = pd.Series(last.price, index=table.index)
    cost = pd.Series(np.nan, index=table.index)
    if "products" in snapshot.frames:
        products = snapshot.frames["products"].set_index("sku").reindex(table.index)
        price = price.fillna(products["unit_price"].where(products["unit_price"] > 0))
        if "unit_cost" in products:
            cost = products["unit_cost"]
    # What is owed is no stock of negative value.
    return price, (table["on_hand"] * cost.fillna(price)).where(table["on_hand"] > 0, 0.0)


def _lead_times(snapshot: Snapshot, skus: pd.Index, default: int) -> pd.Series:
    """Whole days, at least one: the shortest offer of each SKU."""
    days = pd.Series(float(default), index=skus)
    if "offers" in snapshot.frames:
        fastest = snapshot.frames["offers"].groupby("sku")["lead_time_days"].min()
        days = fastest.reindex(skus).fillna(default)
    return days.apply(np.ceil).clip(1, 365).astype(int)


def _deliveries(snapshot: Snapshot, today: date, table: pd.DataFrame) -> pd.DataFrame:
    """Open order lines: ``sku``, ``units``, ``days`` from today until due (NaN: no date), ``lead``.

    Whole days of the store: a delivery promised for today may come until midnight.
    """
    if "open_orders" not in snapshot.frames:
        return pd.DataFrame({"sku": [], "units": [], "days": [], "lead": []}, dtype=float)
    lines = snapshot.frames["open_orders"]
    lines = lines[lines["sku"].isin(table.index)]
    day = lines["expected_at"].dt.tz_convert(snapshot.timezone).dt.tz_localize(None).dt.normalize()
    return pd.DataFrame(
        {
            "sku": lines["sku"],
            "units": lines["units"],
            "days": (day - pd.Timestamp(today)).dt.days,
            "lead": lines["sku"].map(table["lead_time"]),
        }
    )


def _on_order(deliveries: pd.DataFrame, today: date, table: pd.DataFrame) -> pd.DataFrame:
    """Per SKU the units due within the lead time, due after it (and from when), and overdue."""
    days, lead = deliveries["days"], deliveries["lead"]
    later = deliveries[(days > lead) & (days <= lead + COVER_DAYS)]
    units = {
        "arriving": deliveries[(days >= 0) & (days <= lead)],
        "due_later": later,
        "overdue": deliveries[days.isna() | (days < 0)],
    }
    on_order = pd.DataFrame(
        {name: part.groupby("sku")["units"].sum() for name, part in units.items()}
    ).reindex(table.index)
    first = pd.to_timedelta(later.groupby("sku")["days"].min().reindex(table.index), unit="D")
    return on_order.fillna(0.0).assign(next_due=pd.Timestamp(today) + first)


def _shortage_before_deliveries(
    model: DemandModel, deliveries: pd.DataFrame, table: pd.DataFrame
) -> pd.Series:
    """Greatest expected shortage just before a delivery of the lead time, per SKU that has one."""
    rows = pd.Index(model.skus)
    days, lead = deliveries["days"], deliveries["lead"]
    due = deliveries[(days >= 0) & (days <= lead)]
    due = due.groupby(["sku", "days"])["units"].sum().reset_index()  # sorted by both
    came = due.groupby("sku")["units"].cumsum() - due["units"]
    available = (due["sku"].map(table["free"]) + came).clip(lower=0.0)
    due = due.assign(available=available, shortage=0.0)
    for day in sorted(due.loc[due["days"] > 0, "days"].unique()):
        group = due[due["days"] == day]
        spread = model.spread(int(day)).rows(rows.get_indexer(pd.Index(group["sku"])))
        due.loc[group.index, "shortage"] = spread.shortage(group["available"].to_numpy())
    return due.groupby("sku")["shortage"].max()
