"""The sample slice's real demand by day, what a model makes of it, and suppliers as drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.market import Market, open_market
from agents.data_intelligence.predictive_analytics.demand_model import DemandModel
from agents.data_intelligence.predictive_analytics.spread import Spread
from agents.data_intelligence.trading_calendar import TradingCalendar
from agents.statistics import Floats
from blocks.business.terms import SupplierTerms
from deployments.sample.history import products, source_lines

MARGIN = 0.4
"""Of the list price: the source tells no costs."""


@dataclass(frozen=True)
class Shop:
    """What was sold.

    Attributes:
        skus: The items.
        price: List price of each.
        sales: SALES frame.
        units: Net units per item and day, at least 0, from ``first`` on.
        first: The first day.
    """

    skus: list[str]
    price: Floats
    sales: pd.DataFrame
    units: Floats
    first: date

    def demand(self, start: date, days: int) -> Floats:
        """Units per item and day from a day on."""
        at = (start - self.first).days
        return self.units[:, at : at + days]


def read_shop() -> Shop:
    """The slice that the project carries."""
    lines = pd.DataFrame(source_lines(), columns=["order", "at", "sku", "units", "price"])
    lines["date"] = pd.to_datetime(lines["at"]).dt.normalize().astype("datetime64[us]")
    lines["sold"] = lines["units"].clip(lower=0).astype(float)
    lines["returned"] = (-lines["units"]).clip(lower=0).astype(float)
    lines["revenue"] = lines["units"] * lines["price"]
    daily = lines.groupby(["date", "sku"], as_index=False)[["sold", "returned", "revenue"]].sum()
    sales = daily.rename(columns={"sold": "units"})
    listed = {p.sku: p.list_price for p in products()}
    skus = sorted(sku for sku in set(sales["sku"]) if listed.get(sku, 0) > 0)
    sales = sales[sales["sku"].isin(skus)].reset_index(drop=True)
    first, last = sales["date"].min().date(), sales["date"].max().date()
    net = (sales["units"] - sales["returned"]).clip(lower=0.0)
    table = sales.assign(net=net).pivot_table(index="sku", columns="date", values="net")
    days = pd.date_range(first, last)
    units = table.reindex(index=skus, columns=days).fillna(0.0).to_numpy(dtype=float)
    return Shop(skus, np.array([listed[sku] for sku in skus]), sales, units, first)


@dataclass
class Forecasts:
    """The model of demand as it would have been each week; fitted once, for all policies."""

    shop: Shop
    _models: dict[date, Remembered] = field(default_factory=dict)

    def at(self, today: date) -> Remembered:
        """The model of a day: it knows what was sold before."""
        if today not in self._models:
            past = self.shop.sales[self.shop.sales["date"] < pd.Timestamp(today)]
            calendar = TradingCalendar.learn(past["date"].dt.date)
            self._models[today] = Remembered(DemandModel(past, calendar, today, self.shop.skus))
        return self._models[today]


class Remembered:
    """A model of demand that is asked for each horizon once."""

    def __init__(self, model: DemandModel) -> None:
        self._model = model
        self._spreads: dict[int, Spread] = {}

    @property
    def skus(self) -> list[str]:
        """As the model."""
        return self._model.skus

    @property
    def today(self) -> date:
        """As the model."""
        return self._model.today

    def mean(self, days: int) -> Floats:
        """As the model."""
        return self._model.mean(days)

    def spread(self, days: int) -> Spread:
        """As the model."""
        if days not in self._spreads:
            self._spreads[days] = self._model.spread(days)
        return self._spreads[days]


@dataclass(frozen=True)
class Foreseen:
    """A demand that knows what will be sold."""

    shop: Shop
    today: date

    @property
    def skus(self) -> list[str]:
        """The shop's."""
        return self.shop.skus

    def mean(self, days: int) -> Floats:
        """What is sold; beyond the last day as on average of the days before it."""
        known = self.shop.demand(self.today, days)
        rest = days - known.shape[1]
        if rest > 0:
            usual = self.shop.units[:, -28:].mean(axis=1)
            return np.asarray(known.sum(axis=1) + rest * usual)
        return np.asarray(known.sum(axis=1))

    def spread(self, days: int) -> Spread:
        """The same for sure."""
        mean = self.mean(days)
        return Spread(mean, np.zeros(len(mean)), [np.zeros(1)], np.zeros(len(mean), dtype=np.intp))


@dataclass(frozen=True)
class Terms:
    """A supplier as it is drawn: price factor, days, pack, step and its rebate, what it asks."""

    factor: float
    days: int
    pack: int
    step: int
    rebate: float
    terms: SupplierTerms


def _asks(minimum: int, freight: int, free_from: int | None) -> SupplierTerms:
    return SupplierTerms(
        min_order_value=Decimal(minimum),
        freight=Decimal(freight),
        free_freight_from=None if free_from is None else Decimal(free_from),
    )


SUPPLIERS = {
    "nearby": Terms(1.08, 3, 1, 48, 0.02, _asks(0, 120, 3_000)),
    "regional": Terms(1.00, 9, 6, 72, 0.03, _asks(2_000, 300, 8_000)),
    "overseas": Terms(0.93, 24, 12, 144, 0.04, _asks(12_000, 900, None)),
}
"""Dear and fast, in between, cheap and slow with large packs, a high minimum and freight.

The slice sells goods for some 20,000 a week at cost: a minimum is about the share of a week or two,
freight 4 to 8% of such an order."""

OFFERED = 0.85
"""Share of the items that each supplier offers; the regional one has them all."""

LEAD_TIME_CV = 0.3


def draw_market(shop: Shop, seed: int) -> Market:
    """Prices around what the goods cost, and which supplier has what."""
    rng = np.random.default_rng(seed)
    cost = shop.price * (1 - MARGIN)
    rows = []
    for name, drawn in SUPPLIERS.items():
        offered = (rng.random(len(cost)) < OFFERED) | (name == "regional")
        price = np.maximum(cost * drawn.factor * rng.uniform(0.95, 1.05, len(cost)), 0.02)
        for at in np.flatnonzero(offered):
            for units, rebate in ((0, 0.0), (drawn.step, drawn.rebate)):
                rows.append(
                    {
                        "supplier": name,
                        "sku": shop.skus[at],
                        "unit_cost": round(float(price[at]) * (1 - rebate), 4),
                        "lead_time_days": float(drawn.days),
                        "min_order_units": 0.0,
                        "from_units": float(units),
                        "pack_units": float(drawn.pack),
                    }
                )
    terms = {name: drawn.terms for name, drawn in SUPPLIERS.items()}
    return open_market(pd.DataFrame(rows), terms, "GBP", {})


def draw_lead_times(seed: int, weeks: int) -> dict[str, Floats]:
    """Days that a delivery ordered in each week takes, by supplier: whole, gamma."""
    rng = np.random.default_rng(1_000 + seed)
    shape = 1 / LEAD_TIME_CV**2
    return {
        name: np.maximum(np.round(rng.gamma(shape, drawn.days / shape, weeks)), 1.0)
        for name, drawn in SUPPLIERS.items()
    }


def mondays(first: date, last: date) -> list[date]:
    """The Mondays from one day to another."""
    start = first + timedelta(days=(7 - first.weekday()) % 7)
    return [start + timedelta(days=d) for d in range(0, (last - start).days + 1, 7)]
