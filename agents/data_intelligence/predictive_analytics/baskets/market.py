"""The offers that may be bought, in the store's money, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.data_intelligence.predictive_analytics.baskets.refusals import Refusal, Refusing
from agents.statistics import Floats
from blocks.business.terms import SupplierTerms

ONE = Decimal(1)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Supplier:
    """What a supplier asks of a whole order, in the money that its order is written in.

    Attributes:
        name: As in the offers.
        currency: ISO code of its prices, and so of its order.
        rate: What one unit of it is worth in the store's money.
        minimum: Value of goods below which it takes no order.
        freight: What a delivery costs.
        free_freight_from: Value of goods from which a delivery costs nothing; never when None.
    """

    name: str
    currency: str
    rate: Decimal
    minimum: Decimal
    freight: Decimal
    free_freight_from: Decimal | None


@dataclass(frozen=True)
class Market:
    """Offers by row: one per SKU and supplier, sorted by both.

    Attributes:
        currency: The store's.
        suppliers: By name; each has a rate.
        offers: ``sku``, ``supplier``, ``pack_units`` and ``min_units`` (whole numbers),
            ``lead_time_days`` (whole, at least 1) and ``lead_time_deviation`` (days; NaN: nobody
            has measured it), ``shelf_life_days`` (NaN: it keeps), ``available_units`` (what the
            supplier has; NaN: it does not say).
        step_from: Units from which each price holds, rising: shape (offers, steps), padded with
            infinity.
        step_cost: The price per unit there as the supplier wrote it, in its currency.
        rate: What the offer's currency is worth in the store's money: shape (offers,).
        refusals: Offers that are not there, and why.
    """

    currency: str
    suppliers: dict[str, Supplier]
    offers: pd.DataFrame
    step_from: Floats
    step_cost: Floats
    rate: Floats
    refusals: list[Refusal]

    def unit_cost(self, rows: NDArray[np.intp], units: Floats) -> Floats:
        """Store money per unit when so many are bought.

        Args:
            rows: Offers, by row.
            units: Of each: shape (rows,) or (rows, k).
        """
        step = np.zeros(np.shape(units), dtype=np.intp)
        for k in range(1, self.step_from.shape[1]):
            step += units >= _aligned(self.step_from[rows, k], units)
        own = self.step_cost[_aligned(rows, units), step]
        return np.asarray(own * _aligned(self.rate[rows], units))

    def quoted(self, row: int, units: int) -> Decimal:
        """The price per unit as the supplier wrote it, in its currency."""
        step = int((units >= self.step_from[row]).sum()) - 1
        return Decimal(str(float(self.step_cost[row, max(step, 0)])))


def open_market(
    offers: pd.DataFrame,
    terms: Mapping[str, SupplierTerms],
    currency: str,
    rates: Mapping[str, float],
    known_costs: Mapping[str, float] | pd.Series[float] | None = None,
    prices: pd.Series[float] | None = None,
    stated_costs: pd.Series[float] | None = None,
) -> Market:
    """Put offers side by side; what cannot be compared for sure is refused with its reason.

    A supplier's order is written in the currency of its prices. Where its rows name several, that
    of most of them counts and the others are refused. Terms in another currency are converted.

    Args:
        offers: Rows of contract OFFERS.
        terms: Of every supplier that one can order from, by name.
        currency: ISO code of the store's money; NO_CURRENCY when nobody has said.
        rates: Code to what one unit of it is worth in ``currency``, as the store declares them.
        known_costs: What a unit of an SKU costs so far, in the store's money.
        prices: What the store sells a unit of each SKU for.
        stated_costs: Of ``known_costs`` those that the store itself states.
    """
    refusing = Refusing(offers)
    table = refusing.table
    nothing = pd.Series(dtype=float)
    known = pd.Series(known_costs if known_costs is not None else {}, dtype=float)
    prices = nothing if prices is None else prices
    stated = nothing if stated_costs is None else stated_costs
    worth = {code: Decimal(str(rate)) for code, rate in rates.items()} | {currency: ONE}
    table["code"] = _codes(table, terms, currency)
    refusing.unknown_suppliers(list(terms))
    refusing.without_price_or_lead_time()
    main = refusing.in_several_currencies()
    refusing.without_rate(worth, currency)
    refusing.terms_without_rate(
        {name: _of_terms(t, currency) for name, t in terms.items() if _asks_money(t)},
        worth,
        currency,
    )
    refusing.not_in_pieces()
    table["worth"] = table["code"].map({code: float(rate) for code, rate in worth.items()})
    refusing.impossible_beside(prices, stated)
    refusing.far_from_known_cost(known)
    refusing.contradictory()
    refusing.unavailable()
    suppliers = {
        name: _supplier(name, terms[name], main[name], currency, worth)
        for name in sorted(set(refusing.usable["supplier"]))
    }
    return _side_by_side(refusing.usable, currency, suppliers, refusing.refusals)


def _codes(table: pd.DataFrame, terms: Mapping[str, SupplierTerms], store: str) -> pd.Series[str]:
    """The currency of each price: its own, else the supplier's, else the store's."""
    suppliers = table["supplier"].map({name: t.currency or store for name, t in terms.items()})
    suppliers = suppliers.astype("str")
    own = table["currency"].str.strip().str.upper()
    own = own.where(own != "")
    return own.fillna(suppliers).fillna(store)


def _of_terms(terms: SupplierTerms, store: str) -> str:
    return terms.currency or store


def _asks_money(terms: SupplierTerms) -> bool:
    return bool(terms.min_order_value or terms.freight)


def _supplier(
    name: str, terms: SupplierTerms, code: str, store: str, worth: Mapping[str, Decimal]
) -> Supplier:
    """The supplier with its terms in the money of its prices."""
    factor = ONE
    if (theirs := _of_terms(terms, store)) != code and _asks_money(terms):
        factor = worth[theirs] / worth[code]
    free = terms.free_freight_from
    return Supplier(
        name,
        code,
        worth[code],
        (terms.min_order_value * factor).quantize(CENT, ROUND_CEILING),
        (terms.freight * factor).quantize(CENT),
        None
        if free is None or not terms.freight
        else (free * factor).quantize(CENT, ROUND_CEILING),
    )


def _side_by_side(
    usable: pd.DataFrame, currency: str, suppliers: dict[str, Supplier], refusals: list[Refusal]
) -> Market:
    """One row per SKU and supplier, its price steps beside each other."""
    usable = usable.sort_values(["sku", "supplier", "from_units"], ignore_index=True)
    usable = usable.drop_duplicates(["sku", "supplier", "from_units"], ignore_index=True)
    by_offer = usable.groupby(["sku", "supplier"], sort=True)
    offers = by_offer.agg(
        pack_units=("pack_units", "first"),
        min_units=("min_order_units", "max"),
        first_step=("from_units", "min"),
        lead_time_days=("lead_time_days", "max"),
        lead_time_deviation=("lead_time_deviation", "max"),
        available_units=("available_units", "min"),
        shelf_life_days=("shelf_life_days", "min"),
        worth=("worth", "first"),
    ).reset_index()
    offer = by_offer.ngroup().to_numpy(dtype=np.intp)
    step = by_offer.cumcount().to_numpy(dtype=np.intp)
    shape = (len(offers), int(step.max()) + 1 if len(step) else 1)
    step_from, step_cost = np.full(shape, np.inf), np.full(shape, np.nan)
    step_from[offer, step] = usable["from_units"]
    step_cost[offer, step] = usable["unit_cost"]
    least = np.maximum(offers["min_units"], offers["first_step"])
    offers["min_units"] = np.ceil(np.maximum(least, 1.0)).astype(np.int64)
    offers["pack_units"] = offers["pack_units"].astype(np.int64)
    offers["lead_time_days"] = np.ceil(offers["lead_time_days"]).clip(1, 365).astype(np.int64)
    return Market(
        currency,
        suppliers,
        offers.drop(columns=["first_step", "worth"]),
        step_from,
        step_cost,
        offers["worth"].to_numpy(dtype=float),
        refusals,
    )


def _aligned(values: NDArray[Any], like: Floats) -> NDArray[Any]:
    """One value per row, beside as many columns as ``like`` has."""
    return values[:, None] if np.ndim(like) == 2 else values
