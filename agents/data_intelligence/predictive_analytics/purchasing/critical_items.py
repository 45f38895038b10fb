"""What makes an item critical, which of them come first, and what is told of them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

import pandas as pd

from agents.data_intelligence.predictive_analytics.stock_facts import may_run_out
from agents.data_intelligence.predictive_analytics.stock_findings import (
    ItemAtRisk,
    facts_of,
    known,
    rows_of,
    shortage_findings,
)
from agents.data_intelligence.result import Result, count, worst_first
from blocks.models import Strict


class Why(StrEnum):
    """Why an item is critical, the gravest reason that holds."""

    OWED = "owed to customers"
    OUT = "out of stock"
    LOW = "at or below the threshold"
    RUNS_OUT = "may run out before an order arrives"


class CriticalItem(ItemAtRisk):
    """An item that needs somebody's attention today.

    Attributes:
        why: Why it is critical.
        days_of_cover: For how many days ``free`` lasts at the expected demand; 0 where nothing is
            free, None without demand.
        unit_margin: What a unit brings beyond its cost at the price of now; where nobody knows its
            cost, the price itself. None where nobody knows a price.
        knows_cost: Whether ``unit_margin`` is a margin.
        lost_margin_per_day: Expected loss per day of the lead time: ``lost_units`` at
            ``unit_margin``. None where nobody knows a price, or whether it is wanted still.
        out_since: Day after its last sale, where nothing is free: so long it can have been out.
            None where something is free, or it never sold.
        suppliers_down: Suppliers of it that did not answer.
    """

    why: Why
    days_of_cover: float | None
    unit_margin: float | None
    knows_cost: bool
    lost_margin_per_day: float | None
    out_since: date | None
    suppliers_down: list[str]

    @property
    def loss_per_day(self) -> float | None:
        """What it is ranked by, in money."""
        return self.lost_margin_per_day


class HeldRecord(Strict):
    """A record, or several of a kind, that cannot be trusted and is not acted on.

    Attributes:
        sku: The SKU; "" where it is not known, or there are several.
        name: What it is called.
        reason: What is wrong, with the value at fault.
        rows: How many records it concerns.
    """

    sku: str
    name: str
    reason: str
    rows: int = 1


class CriticalStock(Result):
    """The items that are critical, and the records that cannot be trusted.

    Attributes:
        as_of: The store's date.
        currency: The store's.
        threshold: Units of what is free at or below which an item is critical.
        basis: What it is judged by, in a sentence.
        items: Those owed to customers first, then those that are out and wanted, then the others;
            among each the greatest loss first. What nobody wants comes last.
        held: Records that fail validation.
        looked_at: How many SKUs were looked at.
        lost_margin_per_day: Of all items, as far as it is known.
        unpriced: Items whose loss is not known.
        costless: Items that are ranked by revenue, as nobody knows their cost.
        missing: What could not be told, and why.
    """

    as_of: date
    currency: str
    threshold: float
    basis: str
    items: list[CriticalItem]
    held: list[HeldRecord]
    looked_at: int
    lost_margin_per_day: float
    unpriced: int
    costless: int
    missing: list[str]

    def of(self, why: Why) -> list[CriticalItem]:
        """The items that are critical for this reason."""
        return [item for item in self.items if item.why is why]


def judge_critical(
    table: pd.DataFrame,
    held: list[HeldRecord],
    missing: list[str],
    *,
    as_of: date,
    currency: str,
    basis: str,
    threshold: float,
    top: int,
) -> CriticalStock:
    """Which items are critical, in the order in which somebody should look at them.

    Args:
        table: One row per SKU (the index) with the columns of ``ItemAtRisk`` (``lead_time`` in
            days; money and its NaN as ``lost_revenue``), ``margin``, ``knows_cost``,
            ``lost_per_day`` (at the margin), ``out_since`` and ``down``.
        held: Records that are not acted on.
        missing: What could not be told.
        as_of: The store's date.
        currency: Of the money.
        basis: What the stock is judged by.
        threshold: As in ``CriticalStock``.
        top: Items that get a finding of their own.
    """
    free = table["free"]
    why = pd.Series("", index=table.index)
    in_stock = table[free > threshold]
    why[in_stock.index[may_run_out(in_stock)]] = Why.RUNS_OUT
    why[free <= threshold] = Why.LOW
    why[free <= 0] = Why.OUT
    why[table["owed"] > 0] = Why.OWED
    table = table.assign(why=why)[why != ""]
    wanted = (table["demand_per_day"] > 0) & (table["lost_per_day"].fillna(1.0) > 0)
    tier = pd.Series(2, index=table.index)
    tier[table["why"] == Why.OUT] = 1
    tier = tier.where(wanted, 3).where(table["why"] != Why.OWED, 0)
    table = table.assign(tier=tier, loss=table["lost_per_day"].fillna(0.0))
    table = table.sort_values(
        ["tier", "loss", "owed", "demand_per_day"],
        ascending=[True, False, False, False],
        kind="stable",
    )
    items = [_item(row) for row in rows_of(table)]
    demand_value = float((table["demand_per_day"] * table["margin"]).sum())
    out = [item for item in items if item.why in (Why.OWED, Why.OUT)]
    risk = [item for item in items if item.why in (Why.LOW, Why.RUNS_OUT)]
    telling = [item for item in out if item.owed or item.demand_per_day > 0]
    return CriticalStock(
        as_of=as_of,
        currency=currency,
        threshold=threshold,
        basis=basis,
        items=items,
        held=held,
        looked_at=len(why),
        lost_margin_per_day=float(table["loss"].sum()),
        unpriced=int(table["lost_per_day"].isna().sum()),
        costless=int((~table["knows_cost"] & table["margin"].notna()).sum()),
        missing=missing,
        findings=worst_first(
            shortage_findings(
                list(telling), [i for i in risk if i.loss_per_day != 0], demand_value, top
            )
        ),
    )


def reason_of(item: CriticalItem) -> str:
    """Why an item is critical, and what is on its way, in a line."""
    match item.why:
        case Why.OWED:
            told = [f"{item.owed:,.0f} owed to customers"]
        case Why.OUT:
            told = [f"out, nothing sold since {item.out_since}" if item.out_since else "out"]
        case _:
            told = [f"{item.free:,.0f} left"]
    if item.demand_per_day > 0:
        days = count(item.lead_time_days, "day")
        told.append(f"{item.demand:,.1f} wanted in the {days} that an order takes")
    if item.free > 0 and item.probability > 0:
        likely = "less than 1%" if item.probability < 0.01 else f"{item.probability:.0%}"
        told.append(f"{likely} likely to run out")
    if item.unit_margin == 0 and item.knows_cost:
        told.append("sells for no more than it costs")
    if item.arriving:
        told.append(f"{item.arriving:,.0f} due in time")
    if item.due_later:
        told.append(f"{item.due_later:,.0f} due from {item.next_due} on")
    if item.overdue:
        told.append(f"chase the {item.overdue:,.0f} that are overdue")
    if item.suppliers_down:
        told.append(f"{' and '.join(item.suppliers_down)} did not answer")
    return f"{'; '.join(told)}."


def _item(row: Any) -> CriticalItem:
    cover = max(row.free, 0.0) / row.demand_per_day if row.demand_per_day > 0 else None
    return CriticalItem(
        **facts_of(row, row.lost_revenue),
        why=row.why,
        days_of_cover=cover,
        unit_margin=known(row.margin),
        knows_cost=row.knows_cost,
        lost_margin_per_day=known(row.lost_per_day),
        out_since=None if pd.isna(row.out_since) else row.out_since.date(),
        suppliers_down=row.down,
    )
