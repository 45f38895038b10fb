"""Draft orders for what has to be ordered now: levels, guards and baskets put together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from agents.capability import action
from agents.data_intelligence.predictive_analytics.baskets.basket import plan_orders
from agents.data_intelligence.predictive_analytics.baskets.drafting import draft_orders
from agents.data_intelligence.predictive_analytics.baskets.drafts import (
    DraftOrder,
    HeldItem,
    Hold,
    PurchasePlan,
)
from agents.data_intelligence.predictive_analytics.baskets.market import Market, open_market
from agents.data_intelligence.predictive_analytics.critical_stock import identify_critical_stock
from agents.data_intelligence.predictive_analytics.demand.learned import LearnedDemand
from agents.data_intelligence.predictive_analytics.demand.rates import Rates
from agents.data_intelligence.predictive_analytics.ordering.economics import (
    REVIEW_DAYS,
    Economics,
)
from agents.data_intelligence.predictive_analytics.ordering.guards import (
    Limits,
    order_value_reason,
)
from agents.data_intelligence.predictive_analytics.ordering.proposals import propose
from agents.data_intelligence.predictive_analytics.purchasing.critical_items import CriticalStock
from agents.data_intelligence.predictive_analytics.purchasing.order_items import order_items
from agents.data_intelligence.predictive_analytics.purchasing.shelf import Shelf, read_shelf
from agents.data_intelligence.predictive_analytics.stock_facts import LEAD_TIME_DAYS, LIKELY
from agents.data_intelligence.predictive_analytics.stock_findings import rows_of
from agents.data_intelligence.result import count
from blocks.business.terms import SupplierTerms
from blocks.vocabulary.frames import OFFERS, Snapshot

PRICE_DAYS = 30
"""Nothing is drafted at prices that are older, and not told anew since."""


@action(timeout=600)
def propose_orders(
    snapshot: Snapshot,
    now: datetime,
    terms: Mapping[str, SupplierTerms],
    rates: Mapping[str, float] | None = None,
    critical: CriticalStock | None = None,
    down: Mapping[str, datetime] | None = None,
    learned: Rates | None = None,
    budget: float | None = None,
    review_days: int = REVIEW_DAYS,
    limits: Limits | None = None,
) -> PurchasePlan:
    """Draft an order to each supplier of what has to be ordered now. Nothing is sent.

    An item is due when its inventory position (free and under way) is at or below its reorder
    point; what is under way, overdue or not, is not ordered again. How much is decided by
    ``ordering.proposals``, from whom by ``baskets.basket``.

    Args:
        snapshot: As for ``identify_critical_stock``, with ``offers``.
        now: Stock and open orders are judged at this instant.
        terms: Of every supplier that one can order from, by name.
        rates: What a unit of another currency is worth in the store's.
        critical: What is critical; looked for when None.
        down: Suppliers that did not answer, and when they offered what stands in ``offers``.
        learned: Demand learned over all items; each item's own sales alone when None.
        budget: Most that all drafts may be worth, in the store's money, freight included.
        review_days: Days from one look at the stock to the next.
        limits: What an order may be without anybody asking.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    down = down or {}
    if critical is None:
        critical = identify_critical_stock(snapshot, now, down=down, learned=learned)
    limits = limits or Limits()
    shelf = read_shelf(snapshot, now, LEAD_TIME_DAYS, down, learned)
    old = sorted(name for name, at in down.items() if now - at > timedelta(days=PRICE_DAYS))
    market = _market(snapshot, terms, rates or {}, shelf.table["cost"].dropna(), old)
    items = order_items(shelf, snapshot, market, review_days)
    proposed = propose(
        items, shelf.demand, review_days=review_days, limits=limits, past=shelf.demand.sales
    )
    proposed["most_units"] = _most_units(items, market, limits)
    economics = _economics(shelf, items)
    basket = plan_orders(
        proposed,
        shelf.demand,
        market,
        economics,
        review_days,
        None if budget is None else Decimal(str(budget)),
    )
    orders, held = draft_orders(basket, proposed, market, shelf.model.today)
    return PurchasePlan(
        as_of=shelf.model.today,
        currency=snapshot.currency,
        orders=[
            _within(_with_age(_consistent(order), down), limits, snapshot.currency)
            for order in orders
        ],
        held=_by_loss([*held, *_invalid(critical)]),
        covered=_covered(critical, proposed, orders, held),
        demand_basis=_basis(shelf),
        total=_total(orders),
        missing=[
            *_missing(snapshot, shelf, old),
            *basket.notes,
        ],
    )


def _market(
    snapshot: Snapshot,
    terms: Mapping[str, SupplierTerms],
    rates: Mapping[str, float],
    known: pd.Series[float],
    old: list[str],
) -> Market:
    """Offers that may be bought at; those whose prices are too old are not."""
    offers = snapshot.frames.get("offers", pd.DataFrame(columns=list(OFFERS.columns)))
    offers = offers[~offers["supplier"].isin(old)]
    return open_market(offers, terms, snapshot.currency, rates, known)


def _economics(shelf: Shelf, items: pd.DataFrame) -> Economics:
    """Cost and margin of every SKU of the demand; NaN where nobody knows."""
    known = items[["unit_cost", "price"]].reindex(shelf.demand.skus)
    cost = known["unit_cost"].to_numpy(dtype=float)
    return Economics(cost, known["price"].to_numpy(dtype=float) - cost)


def _most_units(items: pd.DataFrame, market: Market, limits: Limits) -> pd.Series[float]:
    """Units of each item that a line may have, wherever it is bought."""
    most: pd.Series[float] = np.floor(limits.times_ever_sold * items["most_sold"])
    if limits.line_value is None:
        return most
    offers = market.offers
    rows, least = np.arange(len(offers)), offers["min_units"].to_numpy(dtype=float)
    dearest = pd.Series(market.unit_cost(rows, least), index=offers["sku"]).groupby(level=0).max()
    affordable = float(limits.line_value) / dearest // 1
    return most.clip(upper=affordable.reindex(items.index).fillna(np.inf))


def _within(order: DraftOrder, limits: Limits, currency: str) -> DraftOrder:
    """The draft, with what a person must look at where it is worth more than an order may be."""
    worth = order.total_in_store_currency
    reason = "" if worth is None else order_value_reason(worth, limits, currency)
    return order.model_copy(update={"notes": [reason, *order.notes]}) if reason else order


def _consistent(order: DraftOrder) -> DraftOrder:
    """The draft without what was rounded to a quantity that the basket then replaced."""
    lines = [
        line.model_copy(
            update={
                "guards": [
                    text
                    for text in line.guards
                    if " rounded to " not in text or f" rounded to {line.units:,}:" in text
                ]
            }
        )
        for line in order.lines
    ]
    return order.model_copy(update={"lines": lines})


def _with_age(order: DraftOrder, down: Mapping[str, datetime]) -> DraftOrder:
    """The draft, with how old its prices are where its supplier did not answer."""
    if order.supplier not in down:
        return order
    note = (
        f"{order.supplier} did not answer: prices and lead times are those of "
        f"{down[order.supplier]:%d %B %Y}. Have them confirmed before ordering."
    )
    return order.model_copy(update={"notes": [note, *order.notes]})


def _by_loss(held: list[HeldItem]) -> list[HeldItem]:
    return sorted(held, key=lambda item: (-(item.loss_per_day or Decimal(0)), item.sku))


def _invalid(critical: CriticalStock) -> list[HeldItem]:
    """Records that are not acted on."""
    return [
        HeldItem(
            sku=record.sku,
            name=record.name or count(record.rows, "record"),
            hold=Hold.INVALID,
            reason=f"{record.reason}. Put it right in the store, or where it is mapped.",
        )
        for record in critical.held
    ]


def _covered(
    critical: CriticalStock,
    proposed: pd.DataFrame,
    orders: list[DraftOrder],
    held: list[HeldItem],
) -> dict[str, str]:
    """Critical items that are in no draft because none is needed, and why none is."""
    told = {line.sku for order in orders for line in order.lines} | {item.sku for item in held}
    items = {item.sku: item for item in critical.items if item.sku not in told}
    table = proposed.loc[proposed.index.intersection(pd.Index(list(items)))]
    covered = {}
    for row in rows_of(table):
        item = items[row.Index]
        if row.rate <= 0:
            covered[row.Index] = "Nobody is expected to want it."
            continue
        reason = (
            f"{_units(row.position)} free or under way are more than its reorder point of "
            f"{_units(row.reorder_point)}"
        )
        if item.overdue:
            reason += f"; chase the {_units(item.overdue)} that are overdue"
        elif item.due_later and item.probability > LIKELY:
            reason += f"; have the {_units(item.due_later)} due on {item.next_due} come sooner"
        covered[row.Index] = f"{reason}."
    return covered


def _basis(shelf: Shelf) -> str:
    """What the demand rests on."""
    out = int(shelf.table["out_since"].notna().sum())
    base, weeks = shelf.demand.base, count(shelf.model.weeks, "week")
    told = (
        f"Demand was learned on {base.learned_on} from {weeks} of sales of all items together"
        if isinstance(base, LearnedDemand)
        else f"Demand is learned from {weeks} of each item's own sales"
    )
    told += (
        "; how far it may differ follows from each item's own past or, where that is short, from "
        "the errors of earlier forecasts."
    )
    if out:
        told += " What is out is wanted as it was when it was there."
    return told


def _total(orders: list[DraftOrder]) -> Decimal | None:
    """Of all orders, in the store's money; None where that of one is not known."""
    known = [o.total_in_store_currency for o in orders if o.total_in_store_currency is not None]
    return sum(known, Decimal(0)) if len(known) == len(orders) else None


def _missing(snapshot: Snapshot, shelf: Shelf, old: list[str]) -> list[str]:
    """What the drafts could not take into account."""
    missing = [
        f"offers of {name}: it has not answered for more than {PRICE_DAYS} days" for name in old
    ]
    if "offers" not in snapshot.frames:
        missing.append("offers of suppliers: none has answered yet, so nothing can be drafted")
    if "open_orders" not in snapshot.frames:
        missing.append(
            "what is under way: the store's open orders are not mapped, so what was ordered "
            "already may be drafted again"
        )
    if forgotten := int(shelf.table["forgotten"].sum()):
        missing.append(
            f"orders of {count(forgotten, 'item')} that have been out for more than a year: order "
            "by hand what is wanted still"
        )
    return missing


def _units(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"
