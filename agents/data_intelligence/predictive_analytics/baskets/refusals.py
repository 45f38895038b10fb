"""Which offers cannot be compared for sure: each is refused, with the value at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from blocks.business.catalogues.beside_store import impossible_prices
from blocks.text import did_you_mean
from blocks.vocabulary.frames import NO_CURRENCY

JUMP = 10.0
"""A price this many times the known cost, or less than that part of it, is a slip or for another
unit: it is not bought at."""

PIECES = frozenset(
    ("piece", "pieces", "pc", "pcs", "pce", "each", "ea", "unit", "units", "item", "items")
) | frozenset(("st", "stk", "stück", "stueck", "pza", "c62", "h87"))
"""What a piece is called; C62 and H87 are UN/ECE Recommendation 20's codes."""

_OPTIONAL = {
    "from_units": 0.0,
    "pack_units": 1.0,
    "available_units": float("nan"),
    "lead_time_deviation": float("nan"),
    "shelf_life_days": float("nan"),
    "currency": None,
    "unit": None,
}


@dataclass(frozen=True)
class Refusal:
    """An offer that is not bought at.

    Attributes:
        sku: Its SKU.
        supplier: Its supplier.
        reason: What is wrong, with the value, and what to do.
        unavailable: Whether nothing is wrong but that the supplier has not enough of it.
    """

    sku: str
    supplier: str
    reason: str
    unavailable: bool = False

    def __str__(self) -> str:
        return f"{self.supplier}: {self.reason}"


def pieces(unit: str | None) -> str:
    """A unit of measure under one name: ``piece``, or as it was written, in small letters."""
    told = (unit or "").strip().lower()
    return "piece" if not told or told in PIECES else told


class Refusing:
    """Offers that are looked over by one rule after another; each looks at what is left.

    Args:
        offers: Rows of contract OFFERS.

    Attributes:
        table: All rows with all columns of the contract, those not told at their defaults.
        refusals: What was refused, each SKU and supplier once.
    """

    def __init__(self, offers: pd.DataFrame) -> None:
        self.table = offers.reset_index(drop=True)
        for column, default in _OPTIONAL.items():
            if column not in self.table:
                self.table[column] = default
        for column in ("currency", "unit"):
            self.table[column] = self.table[column].astype("str")
        self.table["from_units"] = self.table["from_units"].fillna(0.0)
        packs = self.table["pack_units"].fillna(1.0)
        self.table["pack_units"] = packs.where(packs != 0, 1.0)
        self._usable = pd.Series(True, index=self.table.index)
        self.refusals: list[Refusal] = []

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that no rule has refused."""
        return self.table[self._usable]

    def _refuse(
        self, rows: pd.Series[bool], reasons: pd.Series[str], *, unavailable: bool = False
    ) -> None:
        """Refuse some of the usable rows; a reason is told once for an SKU of a supplier."""
        chosen = rows & self._usable
        told = self.table.loc[chosen, ["sku", "supplier"]].assign(reason=reasons[chosen])
        told = told.drop_duplicates(["sku", "supplier"])
        self.refusals += [
            Refusal(sku, supplier, reason, unavailable)
            for sku, supplier, reason in told.itertuples(index=False, name=None)
        ]
        self._usable &= ~chosen

    def _offer(self, rows: pd.Series[bool]) -> pd.Series[bool]:
        """All rows of every SKU and supplier of which one row is chosen."""
        keys = [self.table["sku"], self.table["supplier"]]
        return (rows & self._usable).groupby(keys).transform("any")

    def unknown_suppliers(self, known: Sequence[str]) -> None:
        """Nobody can order from who is not connected."""
        names = self.table["supplier"]
        strange = ~names.isin(list(known))
        hints = {name: did_you_mean(name, known) for name in names[strange].unique()}
        text = names.map(
            lambda name: (
                f"no supplier is connected under the name {name!r}. {hints.get(name, '')}".strip()
            )
        )
        self._refuse(strange, text.astype("str"))

    def without_price_or_lead_time(self) -> None:
        """A price of nothing is no price. One bad step refuses the offer: others may hang on it."""
        price, days = self.table["unit_cost"], self.table["lead_time_days"]
        bad = self._offer(~((price > 0) & (price < float("inf"))))
        told = price.map(lambda p: "none" if pd.isna(p) else f"{p:g}").astype("str")
        self._refuse(bad, "it has no price that can be used (" + told + "): ask for it.")
        bad = self._offer(~((days >= 0) & (days < float("inf"))))
        self._refuse(
            bad, _same("its lead time is not known: state lead_time_days.", self.table.index)
        )
        packs = self.table["pack_units"]
        bad = self._offer((packs < 1) | (packs % 1 != 0))
        self._refuse(
            bad,
            "a pack of " + packs.map("{:g}".format).astype("str") + " pieces cannot be counted.",
        )

    def in_several_currencies(self) -> dict[str, str]:
        """An order is in one currency: that of most of the supplier's offers.

        Returns:
            Supplier to the currency of its order.
        """
        main = {
            str(name): str(codes.value_counts().sort_index().idxmax())
            for name, codes in self.usable.groupby("supplier")["code"]
        }
        order = self.table["supplier"].map(main).astype("str")
        other = (self.table["code"] != order) & order.notna()
        text = "it is priced in " + self.table["code"] + ", whereas the supplier's others are in "
        self._refuse(other, text + order.fillna("") + ": an order is in one currency.")
        return main

    def without_rate(self, worth: Mapping[str, Decimal], store: str) -> None:
        """A price in a currency that nobody has said the worth of."""
        codes = self.table["code"]
        declare = (
            "set currency below [store], and rates where prices are in others."
            if store == NO_CURRENCY
            else ""
        )
        text = codes.map(
            lambda code: (
                f"it is priced in {code}, which has no rate: "
                + (
                    declare
                    or f"declare rates = {{ {code} = … }}, what one {code} is worth in {store}."
                )
            )
        )
        self._refuse(~codes.isin(list(worth)), text.astype("str"))

    def terms_without_rate(
        self, codes: Mapping[str, str], worth: Mapping[str, Decimal], store: str
    ) -> None:
        """Whether a minimum is met cannot be told in a currency without a rate.

        Args:
            codes: Supplier to the currency of its minimum and freight, where it has any.
            worth: Code to rate.
            store: The store's currency.
        """
        mine = self.table["supplier"].map(dict(codes)).astype("str")
        bad = mine.notna() & ~mine.isin(list(worth)) & (mine != self.table["code"])
        text = "its minimum and freight are in " + mine.fillna("") + ", which has no rate in "
        self._refuse(bad, text + store + ": declare it below [store].")

    def not_in_pieces(self) -> None:
        """Stock is counted in pieces; a price for something else would be off by a factor."""
        unit = pd.Series([pieces(u) for u in self.table["unit"].fillna("")], self.table.index)
        unit = unit.astype("str")
        units = unit[self._usable].groupby(self.table["sku"]).agg(lambda u: sorted(set(u)))
        several = units[units.map(len) > 1].map(" and ".join)
        sku = self.table["sku"]
        text = "the item is offered by two units of measure (" + sku.map(several).astype(
            "str"
        ).fillna("")
        self._refuse(
            sku.isin(several.index),
            text + "): say which its stock is counted in, and offer it by that one alone.",
        )
        text = "it is priced per " + unit + ", whereas stock is counted in pieces: "
        self._refuse(unit != "piece", text + "give the price of a piece, and pack_units.")

    def impossible_beside(self, prices: pd.Series[float], costs: pd.Series[float]) -> None:
        """A price that nobody can sell at; see ``blocks.business.catalogues.beside_store``.

        Args:
            prices: What the store sells each SKU for.
            costs: What the store itself says that each costs.
        """
        sku = self.table["sku"]
        cost = (self.table["unit_cost"] * self.table["worth"]).where(self._usable)
        told = impossible_prices(cost, sku.map(prices), sku.map(costs))
        text = told.reindex(self.table.index)
        text = text.groupby([sku, self.table["supplier"]]).transform("first")
        self._refuse(text.notna(), text + " Check it before ordering.")  # one bad step refuses all

    def far_from_known_cost(self, known: pd.Series[float]) -> None:
        """A price that jumps tenfold is a slip, until a person says otherwise."""
        cost = self.table["sku"].map(known)
        price = self.table["unit_cost"] * self.table["worth"]
        far = self._offer((cost > 0) & ((price >= JUMP * cost) | (price <= cost / JUMP)))
        text = pd.Series("", index=self.table.index)
        for row in text.index[far & self._usable]:
            text[row] = (
                f"its price of {price[row]:,.2f} is {price[row] / cost[row]:,.2g} times the known "
                f"cost of {cost[row]:,.2f} (store money): check the price, or the product's cost."
            )
        self._refuse(far, text)

    def contradictory(self) -> None:
        """Two prices for the same step, or two packs in one offer."""
        table, keys = self.usable, ["sku", "supplier"]
        prices = table.groupby([*keys, "from_units"])["unit_cost"].nunique()
        packs = table.groupby(keys)["pack_units"].nunique()
        twice = {offer[:2] for offer in prices.index[prices > 1]}
        mixed = set(packs[packs > 1].index)
        if not twice | mixed:
            return
        offer = pd.Series(
            list(zip(self.table["sku"], self.table["supplier"], strict=True)),
            index=self.table.index,
        )
        index = self.table.index
        self._refuse(offer.isin(twice), _same("it has two prices for the same quantity.", index))
        self._refuse(offer.isin(mixed), _same("it names two sizes of pack.", index))

    def unavailable(self) -> None:
        """What a supplier has too little of for the smallest order that it takes."""
        table = self.table
        packs = table["pack_units"]
        first = table.groupby(["sku", "supplier"])["from_units"].transform("min")
        smallest = table[["min_order_units"]].assign(first=first, one=1.0).max(axis=1)
        smallest = np.ceil(smallest / packs) * packs
        text = "it has " + table["available_units"].map("{:,.0f}".format).astype("str")
        text += " and takes no order below " + smallest.map("{:,.0f}".format).astype("str")
        few = self._offer(table["available_units"] < smallest)
        self._refuse(few, text + ": ask when it is there again.", unavailable=True)


def _same(text: str, index: pd.Index) -> pd.Series[str]:
    return pd.Series(text, index=index)
