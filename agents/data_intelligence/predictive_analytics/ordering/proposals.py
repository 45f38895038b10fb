"""Per item: whether it is due, how much, and why; the ERP systems' quantities beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.demand.demand import Demand
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    HOLDING_PER_YEAR,
    LINE_COST,
    REVIEW_DAYS,
    Economics,
    LeadTimes,
    Levels,
)
from agents.data_intelligence.predictive_analytics.ordering.guards import Limits, guard, history
from agents.data_intelligence.predictive_analytics.ordering.lead_times import lead_time_nodes
from agents.data_intelligence.predictive_analytics.ordering.levels import daily_rate, levels_over
from agents.data_intelligence.predictive_analytics.ordering.protection import Protection, Rows
from agents.data_intelligence.predictive_analytics.ordering.reasons import why_item, why_units
from agents.data_intelligence.predictive_analytics.ordering.rules import (
    Parameters,
    abc_classes,
    erpnext,
    odoo,
    tryton,
    usual_by_class,
)
from agents.data_intelligence.predictive_analytics.unit_sales import UnitSales
from agents.statistics import Floats
from blocks.errors import ContractViolation

LEAD_TIME_CV = 0.4
"""Standard deviation of a lead time as a share of its mean, where nobody measured it."""

NEEDED = ("free", "on_order", "lead_days")


@dataclass(frozen=True)
class Rules:
    """What an ERP system would be told of each item, in the rows of the items.

    Attributes:
        parameters: Minimum, maximum and quantity.
        said: Whether a person entered them; else they are ``rules.USUAL``'s days of the average.
    """

    parameters: Parameters
    said: bool = False


def propose(
    items: pd.DataFrame,
    demand: Demand,
    *,
    holding_per_year: float = HOLDING_PER_YEAR,
    line_cost: float = LINE_COST,
    review_days: int = REVIEW_DAYS,
    fill_rate: float | None = None,
    limits: Limits | None = None,
    rules: Rules | None = None,
    past: UnitSales | None = None,
) -> pd.DataFrame:
    """What to order of each item, and why.

    Args:
        items: Indexed by SKU, each known to ``demand``. Units: ``free`` (on hand less reserved;
            below zero when owed), ``on_order`` (all that is under way, overdue included),
            ``lead_days``. Optional, NaN where unknown: ``lead_deviation`` (days; else
            ``LEAD_TIME_CV`` of the mean), ``unit_cost`` and ``price`` in the store's money,
            ``usual_cost`` (what it cost before), ``pack_units``, ``min_order_units``,
            ``shelf_life_days``, ``history_weeks`` and ``most_sold`` (``guards.history``), ``sold``
            (units per day on the average of the past, for the ERP rules; else the forecast);
            texts: ``name``, ``unit`` (it is sold by), ``offer_unit`` (it is offered by).
        demand: Of the items, from today on.
        holding_per_year: Share of the cost.
        line_cost: Per order line, in the store's money.
        review_days: Days from one look at the stock to the next.
        fill_rate: Share of the demand that is to be served from stock, between 0 and 1; what costs
            least when None.
        limits: What the guards allow.
        rules: What the ERP systems are told; ``rules.USUAL`` when None.
        past: What the SKUs of ``demand`` sold, in its rows (``DemandModel.units``): levels follow
            each item's own past, which costs markedly less. Without ``most_sold`` and
            ``history_weeks`` in ``items`` the guards take them from it, too.

    Returns:
        A table in the rows of ``items`` with, of each: ``name``; ``free``, ``on_order``,
        ``position`` (their sum); ``reorder_point``, ``order_up_to``, ``service`` (probability of no
        stock-out that the reorder point gives), ``guessed`` (price or cost unknown: a service level
        decides); ``protection_days`` (lead time and review, whole days), ``demand`` (expected over
        them), ``rate`` (expected units a day over a quarter), ``days_of_cover`` (NaN without
        demand), ``probability`` (that it runs out before an order of today arrives; overdue and
        expected deliveries count as there), ``waiting_cost_per_day`` (expected margin lost per day
        of waiting; NaN where unknown); ``due`` (position at or below the reorder point), ``wanted``
        (units up to S, 0 where not due), ``units`` (after the guards, whole packs), ``held`` (why
        nothing is ordered of a due item, or ""), ``guards`` (list of texts), ``rules`` (what each
        ERP system would order, by its name), ``why_item`` and ``why_units`` ("" where not due).

    Raises:
        ContractViolation: A column is missing, or an SKU unknown to ``demand``.
        InvalidMessage: The fill rate is no share.
    """
    rows = _rows(items, demand)
    limits = limits or Limits()
    lead = _lead_times(items)
    cost, price = _numbers(items, "unit_cost"), _numbers(items, "price")
    economics = Economics(cost, price - cost, holding_per_year, line_cost)
    nodes = lead_time_nodes(lead)
    # Over lead time and review; over the lead time alone; over a day more: together, since each
    # horizon takes a backtest.
    together = Protection.over(
        demand, np.hstack([nodes + review_days, nodes, nodes + 1]), rows
    )  # fmt: skip
    count = nodes.shape[1]
    protection = together.lengths(slice(0, count))
    rate = daily_rate(demand, rows)
    levels = levels_over(
        protection, demand, lead, economics, review_days, rows, past, nodes + review_days, fill_rate
    )
    table = _state(items, levels, lead, review_days)
    table["demand"], table["rate"] = protection.mean, rate
    free = table["free"].to_numpy()
    table["days_of_cover"] = np.divide(
        np.maximum(free, 0.0), rate, out=np.full(len(rate), np.nan), where=rate > 0
    )
    now, later = (together.lengths(slice(k * count, (k + 1) * count)) for k in (1, 2))
    _waiting(table, now, later, economics)
    position = table["position"].to_numpy()
    with np.errstate(invalid="ignore"):
        due = (position <= levels.reorder) & (levels.up_to > position)
        wanted = np.where(due, np.rint(levels.up_to - position), 0.0)
    table["due"], table["wanted"] = due & (wanted > 0), wanted
    if past is not None and not {"most_sold", "history_weeks"} & set(items.columns):
        items = _with_history(items, table, past, rows)
    _guard(table, items, lead, limits)
    _compare(table, items, lead, rules)
    table["why_item"], table["why_units"] = why_item(table), why_units(table)
    return table


def _rows(items: pd.DataFrame, demand: Demand) -> Rows:
    if absent := [column for column in NEEDED if column not in items]:
        raise ContractViolation(
            f"The items to order have no column {', '.join(absent)}.",
            hint=f"They need {', '.join(NEEDED)}.",
        )
    rows = pd.Index(demand.skus).get_indexer(items.index)
    if (rows < 0).any():
        raise ContractViolation(
            f"Nothing is known of the demand of {items.index[rows < 0][0]!r}.",
            hint="Make the demand with all SKUs that are to be ordered.",
        )
    return np.asarray(rows, dtype=np.intp)


def _lead_times(items: pd.DataFrame) -> LeadTimes:
    mean, deviation = _numbers(items, "lead_days"), _numbers(items, "lead_deviation")
    return LeadTimes(mean, np.where(np.isnan(deviation), LEAD_TIME_CV * mean, deviation))


def _state(items: pd.DataFrame, levels: Levels, lead: LeadTimes, review_days: int) -> pd.DataFrame:
    free, on_order = _numbers(items, "free"), _numbers(items, "on_order", 0.0)
    names = items["name"] if "name" in items else pd.Series(items.index, index=items.index)
    return pd.DataFrame(
        {
            "name": names.fillna("").astype(str),
            "free": free,
            "on_order": on_order,
            "position": free + on_order,
            "reorder_point": levels.reorder,
            "order_up_to": levels.up_to,
            "service": levels.service,
            "guessed": levels.guessed,
            "protection_days": np.rint(np.nan_to_num(lead.mean) + review_days).astype(int),
        },
        index=items.index,
    )


def _waiting(table: pd.DataFrame, now: Protection, later: Protection, economics: Economics) -> None:
    """Chance of running out before an order of today arrives, and what a day of waiting costs.

    A day later, the order leaves one day more uncovered: the difference of what is expected to be
    lost over lead time and a day, and over the lead time.
    """
    there = np.maximum(table["position"].to_numpy(), 0.0)
    owed = np.maximum(-table["position"].to_numpy(), 0.0)
    table["probability"] = np.where(owed > 0, 1.0, now.exceeds(there))
    lost = np.maximum(later.shortage(there) - now.shortage(there), 0.0)
    table["waiting_cost_per_day"] = lost * np.maximum(economics.margin, 0.0)


def _with_history(
    items: pd.DataFrame, table: pd.DataFrame, past: UnitSales, rows: Rows
) -> pd.DataFrame:
    """With what the guards ask of the past, over as many days as an order is to last."""
    lasts = np.divide(
        table["order_up_to"], table["rate"], out=np.full(len(rows), 7.0), where=table["rate"] > 0
    )
    span = np.full(len(past.weekly), 7.0)
    span[rows] = np.nan_to_num(lasts, nan=7.0)
    known = history(past, span).iloc[rows].set_index(items.index)
    return items.assign(most_sold=known["most_sold"], history_weeks=known["history_weeks"])


def _guard(table: pd.DataFrame, items: pd.DataFrame, lead: LeadTimes, limits: Limits) -> None:
    lines = items.assign(
        wanted=table["wanted"],
        position=table["position"],
        reorder=table["reorder_point"],
        rate=table["rate"],
        lead_days=lead.mean,
    )
    guarded = guard(lines, limits)
    table["units"], table["held"] = guarded.units, guarded.held
    table["guards"] = pd.Series(guarded.reasons, index=table.index, dtype=object)
    table.loc[np.isnan(lead.mean), "held"] = (
        "Nobody knows how long a delivery takes: give the lead time of a supplier."
    )
    table.loc[np.isnan(table["free"]), "held"] = "Nobody knows what is on hand: count it."


def _compare(
    table: pd.DataFrame, items: pd.DataFrame, lead: LeadTimes, rules: Rules | None
) -> None:
    """What the ERP systems' rules would order of the same stock."""
    days = np.nan_to_num(lead.mean)
    if rules is None:
        sold = _numbers(items, "sold")
        average = np.where(np.isnan(sold), table["rate"].to_numpy(), sold)
        value = average * _numbers(items, "price")
        rules = Rules(usual_by_class(average, days, abc_classes(value)))
    given, position = rules.parameters, table["position"].to_numpy()
    pack = np.maximum(_numbers(items, "pack_units", 1.0), 1.0)
    orders = {
        "Tryton": tryton(position, given.minimum, given.maximum),
        "Odoo": odoo(position, given.minimum, given.maximum, pack),
        "ERPNext": erpnext(position, given.minimum, given.quantity),
    }
    names = list(orders)
    columns = [np.rint(quantity).tolist() for quantity in orders.values()]
    each = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    table["rules"] = pd.Series(each, index=table.index, dtype=object)


def _numbers(items: pd.DataFrame, column: str, unknown: float = np.nan) -> Floats:
    if column not in items:
        return np.full(len(items), unknown)
    found = items[column].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(found), unknown, found)
