"""Which items run out before they can be replaced, and which will not sell."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.forecasting import demand_model
from agents.data_intelligence.predictive_analytics.stock_findings import (
    COVER_DAYS,
    ItemAtRisk,
    SurplusItem,
    shortage_findings,
    surplus_findings,
)
from agents.data_intelligence.result import Result, worst_first
from agents.data_intelligence.trading_calendar import completed
from blocks.vocabulary.frames import Snapshot

LEAD_TIME_DAYS = 7
"""Lead time of an SKU that no supplier offers, or when the offers could not be had."""

AT_RISK = 0.5
"""An SKU is at risk when it is more likely than not to run out."""

OVERSTOCK_DAYS = 365
"""Stock for more than a year at the present demand is too much."""

PRICED_DAYS = 7
"""A unit is worth the median of what it brought on so many of the SKU's last selling days: a mean
over years is no price of today, and neither is one day of wholesale, nor a typing error."""

DEAD_DAYS = 91
"""On hand and not sold for a quarter: dead stock."""


class StockRisk(Result):
    """The state of the stock.

    Attributes:
        as_of: The store's date.
        items: SKUs with a stock row.
        out_of_stock: Out of stock now and wanted; greatest loss first.
        at_risk: In stock, but more likely than not to run out; greatest loss first.
        overstock: More than a year's demand on hand; greatest value first (at most 50).
        dead: On hand, not sold for a quarter; greatest value first (at most 50).
        overstock_value: Value of all overstock, in money.
        dead_value: Value of all dead stock, in money.
        lost_revenue_per_day: Expected loss of all items out of stock or at risk.
        stock_value: Value of all stock, in money.
    """

    as_of: date
    items: int
    out_of_stock: list[ItemAtRisk]
    at_risk: list[ItemAtRisk]
    overstock: list[SurplusItem]
    dead: list[SurplusItem]
    overstock_value: float
    dead_value: float
    lost_revenue_per_day: float
    stock_value: float


@action()
def assess_stock_risk(
    snapshot: Snapshot,
    now: datetime,
    lead_time_days: int = LEAD_TIME_DAYS,
    top: int = 5,
) -> StockRisk:
    """Find items that run out before an order placed today could arrive, and surplus stock.

    An SKU's lead time is the shortest in the optional ``offers`` frame. Open orders count when
    they are due within it. They are due on a day of the store's time zone: what is due today is
    not overdue yet.

    Expected lost units are the greatest expected shortage just before a delivery and at the end
    of the lead time L: ``max over t of E[D(t) - S(t)]+``, where t is L and each day of the lead
    time on which goods are due, D(t) the demand of the t days from today on, and S(t) what is on
    hand plus what is due before day t (for t = L, all that is due within the lead time). For one
    course of demand the maximum is exact, as what is lost once is not wanted again; the maximum
    of the expectations is a lower bound of the expected loss.

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
    table = table.join(stock.set_index("sku")["on_hand"], how="inner")
    table["name"] = _names(snapshot, table.index)
    past = completed(sales, model.today)
    table["price"], table["value"] = _prices(snapshot, past, table)
    table["lead_time"] = _lead_times(snapshot, table.index, lead_time_days)
    deliveries = _deliveries(snapshot, model.today, table)
    table = table.join(_on_order(deliveries, model.today, table))
    last_sold = past[past["units"] > 0].groupby("sku")["date"].max()
    table["last_sold"] = last_sold.reindex(table.index)
    table = table.assign(demand=0.0, probability=0.0, lost_units=0.0)
    row = {sku: i for i, sku in enumerate(model.skus)}
    for lead_time in sorted(table["lead_time"].unique()):
        group = table[table["lead_time"] == lead_time]
        spread = model.spread(int(lead_time)).rows([row[sku] for sku in group.index])
        available = (group["on_hand"] + group["arriving"]).to_numpy()
        table.loc[group.index, "demand"] = spread.mean
        table.loc[group.index, "probability"] = spread.exceeds(available)
        table.loc[group.index, "lost_units"] = spread.shortage(available)
    waiting = _shortage_before_deliveries(model, deliveries, table)
    table["lost_units"] = np.fmax(table["lost_units"], waiting.reindex(table.index))
    table["lost_per_day"] = table["lost_units"] / table["lead_time"] * table["price"]
    return _judge(table, model.today, top, snapshot.currency)


def _names(snapshot: Snapshot, skus: pd.Index) -> pd.Series:
    names = pd.Series(skus, index=skus)
    if "products" in snapshot.frames:
        names = snapshot.frames["products"].set_index("sku")["name"].reindex(skus).fillna(names)
    return names


def _prices(
    snapshot: Snapshot, sales: pd.DataFrame, table: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """What a unit brings, on days without returns (else its list price), and stock value."""
    clean = (sales["returned"] == 0) & (sales["units"] > 0) & (sales["revenue"] > 0)
    latest = sales[clean].sort_values("date").groupby("sku").tail(PRICED_DAYS)
    paid = (latest["revenue"] / latest["units"]).groupby(latest["sku"]).median()
    price, cost = paid.reindex(table.index), pd.Series(np.nan, index=table.index)
    if "products" in snapshot.frames:
        products = snapshot.frames["products"].set_index("sku").reindex(table.index)
        price = price.fillna(products["unit_price"])
        if "unit_cost" in products:
            cost = products["unit_cost"]
    price = price.fillna(0.0)
    return price, table["on_hand"] * cost.fillna(price)


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
    row = {sku: i for i, sku in enumerate(model.skus)}
    days, lead = deliveries["days"], deliveries["lead"]
    due = deliveries[(days >= 0) & (days <= lead)]
    due = due.groupby(["sku", "days"])["units"].sum().reset_index()  # sorted by both
    came = due.groupby("sku")["units"].cumsum() - due["units"]
    due = due.assign(available=due["sku"].map(table["on_hand"]) + came, shortage=0.0)
    for day in sorted(due.loc[due["days"] > 0, "days"].unique()):
        group = due[due["days"] == day]
        spread = model.spread(int(day)).rows([row[sku] for sku in group["sku"]])
        due.loc[group.index, "shortage"] = spread.shortage(group["available"].to_numpy())
    return due.groupby("sku")["shortage"].max()


def _judge(table: pd.DataFrame, today: date, top: int, currency: str) -> StockRisk:
    table = table.sort_values(["lost_per_day", "demand_per_day"], ascending=False)
    empty = table["on_hand"] <= 0
    selling = table["last_sold"] >= pd.Timestamp(today - timedelta(days=DEAD_DAYS))
    likely = table["probability"] > AT_RISK
    out = [_at_risk(row) for row in _rows(table[empty & selling])]
    risk = [_at_risk(row) for row in _rows(table[~empty & selling & likely])]
    over = table[~empty & selling & (table["on_hand"] > OVERSTOCK_DAYS * table["demand_per_day"])]
    dead = table[~empty & ~selling]
    demand_value = float((table["demand_per_day"] * table["price"]).sum())
    findings = shortage_findings(out, risk, demand_value, top)
    findings += surplus_findings(over, dead, currency)
    return StockRisk(
        as_of=today,
        items=len(table),
        out_of_stock=out,
        at_risk=risk,
        overstock=_surplus(over),
        dead=_surplus(dead),
        overstock_value=float(over["value"].sum()),
        dead_value=float(dead["value"].sum()),
        lost_revenue_per_day=sum(item.lost_revenue_per_day for item in out + risk),
        stock_value=float(table["value"].sum()),
        findings=worst_first(findings),
    )


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    """The rows as named tuples, which pandas types as one union per column."""
    return table.itertuples()


def _at_risk(row: Any) -> ItemAtRisk:
    return ItemAtRisk(
        sku=row.Index,
        name=row.name,
        on_hand=row.on_hand,
        arriving=row.arriving,
        due_later=row.due_later,
        next_due=None if pd.isna(row.next_due) else row.next_due.date(),
        overdue=row.overdue,
        lead_time_days=row.lead_time,
        demand=row.demand,
        demand_per_day=row.demand_per_day,
        probability=row.probability,
        lost_units=row.lost_units,
        lost_revenue_per_day=row.lost_per_day,
    )


def _surplus(rows: pd.DataFrame) -> list[SurplusItem]:
    return [
        SurplusItem(
            sku=str(row.Index),
            name=row.name,
            on_hand=row.on_hand,
            cover_days=row.on_hand / row.demand_per_day if row.demand_per_day > 0 else None,
            value=row.value,
            last_sold=None if pd.isna(row.last_sold) else row.last_sold.date(),
        )
        for row in _rows(rows.nlargest(50, "value"))
    ]
