"""Draft orders for what has to be ordered now: levels, guards and baskets put together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
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
from agents.data_intelligence.predictive_analytics.purchasing.groups import groups_of
from agents.data_intelligence.predictive_analytics.purchasing.order_items import (
    known_costs,
    order_items,
)
from agents.data_intelligence.predictive_analytics.purchasing.shelf import Shelf, read_shelf
from agents.data_intelligence.predictive_analytics.purchasing.telling import (
    PRICE_DAYS,
    basis,
    covered,
    missing,
    rests,
)
from agents.data_intelligence.predictive_analytics.stock_facts import LEAD_TIME_DAYS
from agents.data_intelligence.result import count
from blocks.business.terms import SupplierTerms
from blocks.vocabulary.frames import OFFERS, Snapshot


@action(timeout=600)
def propose_orders(
    snapshot: Snapshot,
    now: datetime,
    terms: Mapping[str, SupplierTerms],
    rates: Mapping[str, float] | None = None,
    critical: CriticalStock | None = None,
    down: Mapping[str, datetime] | None = None,
    ordered: Mapping[str, date] | None = None,
    learned: Rates | None = None,
    budget: float | None = None,
    review_days: int = REVIEW_DAYS,
    fill_rate: float | None = None,
    limits: Limits | None = None,
) -> PurchasePlan:
    """Draft an order to each supplier of what has to be ordered now. Nothing is sent.

    An item is due when its inventory position (free and under way) is at or below its reorder
    point; what is under way, overdue or not, is not ordered again. How much is decided by
    ``ordering.proposals``, from whom by ``baskets.basket``. What was ordered since the last review
    rests until the next one, as its level reckons with, unless more is owed than is under way: what
    a guard or a basket left out of an order is not brought in day by day.

    Args:
        snapshot: As for ``identify_critical_stock``, with ``offers``.
        now: Stock and open orders are judged at this instant.
        terms: Of every supplier that one can order from, by name.
        rates: What a unit of another currency is worth in the store's.
        critical: What is critical; looked for when None.
        down: Suppliers that did not answer, and when they offered what stands in ``offers``.
        ordered: Items of our orders that are under way, and when each was ordered last.
        learned: Demand learned over all items; each item's own sales alone when None.
        budget: Most that all drafts may be worth, in the store's money, freight included.
        review_days: Days from one look at the stock to the next.
        fill_rate: Share of the demand that is to be served from stock, between 0 and 1: how much
            stock there is follows from it, and no longer from what costs least.
        limits: What an order may be without anybody asking.

    Raises:
        ContractViolation: The snapshot lacks a needed frame.
        InvalidMessage: The fill rate is no share.
        EmptySource: No trading day is over yet, or there is no SKU.
    """
    down = down or {}
    if critical is None:
        critical = identify_critical_stock(snapshot, now, down=down, learned=learned)
    limits = limits or Limits()
    shelf = read_shelf(snapshot, now, LEAD_TIME_DAYS, down, learned)
    old = sorted(name for name, at in down.items() if now - at > timedelta(days=PRICE_DAYS))
    market = _market(snapshot, terms, rates or {}, shelf, old)
    items = order_items(shelf, snapshot, market, review_days)
    resting = _resting(items, ordered or {}, shelf.model.today - timedelta(days=review_days))
    items = items.drop(index=list(resting))
    proposed = propose(
        items,
        shelf.demand,
        review_days=review_days,
        fill_rate=fill_rate,
        limits=limits,
        past=shelf.demand.sales,
    )
    proposed["group"] = groups_of(snapshot, shelf.model.today, proposed.index)
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
        orders=[_within(_with_age(order, down), limits, snapshot.currency) for order in orders],
        held=_by_loss([*_as_far_as_known(held, snapshot), *_invalid(critical)]),
        covered=covered(critical, proposed, orders, held) | rests(critical, resting, review_days),
        demand_basis=basis(shelf),
        total=_total(orders),
        missing=[
            *missing(snapshot, shelf, old),
            *basket.notes,
        ],
    )


def _resting(items: pd.DataFrame, ordered: Mapping[str, date], since: date) -> dict[str, date]:
    """Items that were ordered after a day, and of which no more is owed than is under way."""
    position = items["free"] + items["on_order"]
    lately = {sku: day for sku, day in ordered.items() if day > since and sku in position.index}
    return {sku: day for sku, day in lately.items() if position[sku] >= 0}


def _market(
    snapshot: Snapshot,
    terms: Mapping[str, SupplierTerms],
    rates: Mapping[str, float],
    shelf: Shelf,
    old: list[str],
) -> Market:
    """Offers that may be bought at; those whose prices are too old are not."""
    offers = snapshot.frames.get("offers", pd.DataFrame(columns=list(OFFERS.columns)))
    offers = offers[~offers["supplier"].isin(old)]
    return open_market(
        offers,
        terms,
        snapshot.currency,
        rates,
        known_costs=shelf.table["cost"].dropna(),
        prices=shelf.table["price"],
        stated_costs=known_costs(snapshot, shelf.table.index),
    )


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


def _with_age(order: DraftOrder, down: Mapping[str, datetime]) -> DraftOrder:
    """The draft, with how old its prices are where its supplier did not answer."""
    if order.supplier not in down:
        return order
    note = (
        f"{order.supplier} did not answer: prices and lead times are those of "
        f"{down[order.supplier]:%d %B %Y}. Have them confirmed before ordering."
    )
    return order.model_copy(update={"notes": [note, *order.notes]})


def _as_far_as_known(held: list[HeldItem], snapshot: Snapshot) -> list[HeldItem]:
    """What is held, with whose catalogues are not known in full where nobody offers an item."""
    unread = "; ".join(
        p.reason.rstrip(".") for p in snapshot.problems if p.frame == "offers" and not p.rows
    )
    if not unread:
        return held
    reason = f"no supplier offers it, as far as is known: {unread}."
    return [
        item.model_copy(update={"reason": reason}) if item.hold is Hold.NO_OFFER else item
        for item in held
    ]


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


def _total(orders: list[DraftOrder]) -> Decimal | None:
    """Of all orders, in the store's money; None where that of one is not known."""
    known = [o.total_in_store_currency for o in orders if o.total_in_store_currency is not None]
    return sum(known, Decimal(0)) if len(known) == len(orders) else None
