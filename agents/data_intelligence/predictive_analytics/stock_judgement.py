"""What follows from the facts about each item: which are out, at risk, too many, dead."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd

from agents.data_intelligence.predictive_analytics.stock_facts import may_run_out
from agents.data_intelligence.predictive_analytics.stock_findings import (
    ItemAtRisk,
    SurplusItem,
    facts_of,
    known,
    rows_of,
    shortage_findings,
    surplus_findings,
)
from agents.data_intelligence.result import Result, count, worst_first

OVERSTOCK_DAYS = 365
"""Stock for more than a year at the present demand is too much."""

DEAD_DAYS = 91
"""On hand and not sold for a quarter: dead stock."""


class StockRisk(Result):
    """The state of the stock.

    Attributes:
        as_of: The store's date.
        items: SKUs with a stock row.
        basis: What it is judged by, in a sentence: what is free, or what is on hand.
        out_of_stock: Nothing free, and wanted or owed; greatest loss first.
        at_risk: In stock, and likely to run out or among those that are expected to lose most;
            greatest loss first.
        overstock: More than a year's demand free; greatest value first (at most 50).
        dead: Free, not sold for a quarter; greatest value first (at most 50).
        overstock_value: Value of all overstock, in money.
        dead_value: Value of all dead stock, in money.
        lost_revenue_per_day: Expected loss of all items out of stock or at risk.
        stock_value: Value of all stock on hand, in money. What is owed does not lower it.
        owed_items: SKUs of which more is sold than is there.
        owed_units: How many units of them are owed.
        unpriced: SKUs whose loss or value is in none of the sums, as nobody knows their price.
        missing: What could not be told, and why.
    """

    as_of: date
    items: int
    basis: str
    out_of_stock: list[ItemAtRisk]
    at_risk: list[ItemAtRisk]
    overstock: list[SurplusItem]
    dead: list[SurplusItem]
    overstock_value: float
    dead_value: float
    lost_revenue_per_day: float
    stock_value: float
    owed_items: int
    owed_units: float
    unpriced: int
    missing: list[str]


def judge(
    table: pd.DataFrame, basis: str, today: date, history_days: int, top: int, currency: str
) -> StockRisk:
    """What a manager should know of a stock.

    Args:
        table: One row per SKU (the index), in units: ``on_hand``, ``reserved``, ``free``, ``owed``,
            ``arriving``, ``due_later``, ``overdue``, ``demand``, ``demand_per_day``,
            ``lost_units``; in money, NaN where nobody knows a price: ``price``, ``value``,
            ``lost_per_day``; and ``name``, ``next_due``, ``last_sold``, ``lead_time`` (days),
            ``probability``.
        basis: What it is judged by, in a sentence.
        today: The store's date.
        history_days: How many days its sales go back.
        top: Items that get a finding of their own.
        currency: Of the money.
    """
    table = table.sort_values(["lost_per_day", "demand_per_day"], ascending=False)
    empty, owed = table["free"] <= 0, table["owed"] > 0
    selling = table["last_sold"] >= pd.Timestamp(today - timedelta(days=DEAD_DAYS))
    missing = empty & (selling | owed)
    running_out = may_run_out(table[~empty & selling]).reindex(table.index, fill_value=False)
    out = [_at_risk(row) for row in rows_of(table[missing])]
    risk = [_at_risk(row) for row in rows_of(table[running_out])]
    over = table[~empty & selling & (table["free"] > OVERSTOCK_DAYS * table["demand_per_day"])]
    # Of what did not sell in a month of history nobody can say that it did not for a quarter.
    young = history_days < DEAD_DAYS
    dead = table.iloc[:0] if young else table[~empty & ~selling]
    demand_value = float((table["demand_per_day"] * table["price"]).sum())
    unpriced = table["value"].isna() | (table["price"].isna() & (missing | running_out))
    findings = shortage_findings(out, risk, demand_value, top)
    findings += surplus_findings(over, dead, currency)
    return StockRisk(
        as_of=today,
        items=len(table),
        basis=basis,
        out_of_stock=out,
        at_risk=risk,
        overstock=_surplus(over),
        dead=_surplus(dead),
        overstock_value=float(over["value"].sum()),
        dead_value=float(dead["value"].sum()),
        lost_revenue_per_day=sum(item.lost_revenue_per_day or 0.0 for item in out + risk),
        stock_value=float(table["value"].sum()),
        owed_items=int(owed.sum()),
        owed_units=float(table["owed"].sum()),
        unpriced=int(unpriced.sum()),
        missing=[
            f"dead stock: sales go back {count(history_days, 'day')}, which is less than a quarter"
        ]
        if young
        else [],
        findings=worst_first(findings),
    )


def _at_risk(row: Any) -> ItemAtRisk:
    return ItemAtRisk(**facts_of(row, row.lost_per_day))


def _surplus(rows: pd.DataFrame) -> list[SurplusItem]:
    return [
        SurplusItem(
            sku=str(row.Index),
            name=row.name,
            on_hand=row.on_hand,
            cover_days=row.free / row.demand_per_day if row.demand_per_day > 0 else None,
            value=known(row.value),
            last_sold=None if pd.isna(row.last_sold) else row.last_sold.date(),
        )
        for row in rows_of(rows.sort_values("value", ascending=False, kind="stable").head(50))
    ]
