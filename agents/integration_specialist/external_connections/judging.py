"""Which offers nothing is ordered by, and how an item's offers are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pandas as pd

from agents.integration_specialist.external_connections.inventory import (
    ItemInventory,
    ItemOffer,
    PricedStep,
)
from blocks.business.catalogues.beside_store import impossible_prices, look_alikes
from blocks.vocabulary.frames import NO_CURRENCY

TOLD = 5
"""Remarks on a supplier's rows that are spelt out; all of them are counted."""


class Judge:
    """Offers held against the store's products, money and rates.

    Args:
        products: The store's, contract PRODUCTS; without rows where they are not known.
        currency: ISO code of the store's money.
        rates: What a unit of another currency is worth in it.

    Attributes:
        names: Names of the store's products, by SKU.
    """

    def __init__(self, products: pd.DataFrame, currency: str, rates: Mapping[str, float]) -> None:
        table = products.drop_duplicates("sku").set_index("sku")
        self.names = table["name"]
        self._prices = table["unit_price"]
        self._costs = table["unit_cost"] if "unit_cost" in table else self._prices * float("nan")
        self._currency = currency
        self._worth = {**rates, currency: 1.0}

    def money(self, offers: pd.DataFrame) -> pd.Series[str]:
        """The currency of each price."""
        own = offers["currency"] if "currency" in offers else pd.Series(None, offers.index)
        return own.astype("str").fillna(self._currency)

    def refused(self, offers: pd.DataFrame) -> pd.Series[str]:
        """Why nothing is ordered by an offer; only of rows by which nothing is."""
        codes = self.money(offers)
        worth = codes.map(self._worth).astype(float)
        told = pd.Series(index=offers.index, dtype="str")
        strange = worth.isna()
        text = "it is priced in " + codes + ", which has no rate in " + self._told_currency
        told[strange] = text[strange]
        told[~(offers["unit_cost"] > 0)] = "it has no price"
        sku = offers["sku"]
        impossible = impossible_prices(
            offers["unit_cost"] * worth, sku.map(self._prices), sku.map(self._costs)
        )
        told[impossible.index] = impossible
        return told.dropna()

    @property
    def _told_currency(self) -> str:
        return "the store" if self._currency == NO_CURRENCY else self._currency

    def remarks(self, offers: pd.DataFrame, refused: pd.Series[str]) -> list[str]:
        """What is wrong with a supplier's rows: refused ones, and SKUs written otherwise."""
        first = refused.head(TOLD)
        some = []
        if len(refused) > max(TOLD, len(offers) / 2):
            some.append(
                f"nothing is ordered by {len(refused):,} of its {len(offers):,} offers: are its "
                "prices per 100 (price_units), or in other money (terms.currency)?"
            )
        some += [
            f"{sku}: {text}"
            for sku, text in zip(offers["sku"].loc[first.index], first, strict=True)
        ]
        alike = look_alikes(pd.Index(offers["sku"].unique()), self.names.index)
        some += [
            f"{theirs}: the store has no such SKU; is it {ours}?"
            for theirs, ours in list(alike.items())[:TOLD]
        ]
        more = max(len(refused) - TOLD, 0) + max(len(alike) - TOLD, 0)
        return [*some, f"and {more:,} more"] if more else some

    def items(
        self, skus: Sequence[str], offers: pd.DataFrame, refused: pd.Series[str]
    ) -> list[ItemInventory]:
        """Each of some items with its offers, by supplier."""
        rows = offers[offers["sku"].isin(list(skus))]
        codes = self.money(rows)
        told: dict[str, list[ItemOffer]] = {sku: [] for sku in skus}
        for (sku, supplier), offer in rows.assign(code=codes).groupby(["sku", "supplier"]):
            reason = refused.reindex(offer.index).dropna()
            told[str(sku)].append(self._offer(str(supplier), offer, next(iter(reason), "")))
        names = self.names.reindex(list(skus))
        return [
            ItemInventory(sku=sku, name=sku if pd.isna(name) else str(name), offers=told[sku])
            for sku, name in zip(skus, names, strict=True)
        ]

    def _offer(self, supplier: str, rows: pd.DataFrame, refused: str) -> ItemOffer:
        code = str(rows["code"].iloc[0])
        rate = self._worth.get(code)
        from_units = _column(rows, "from_units").fillna(0.0)
        steps = rows.assign(from_units=from_units).sort_values("from_units", kind="stable")
        packs, available = _column(rows, "pack_units"), _column(rows, "available_units")
        return ItemOffer(
            supplier=supplier,
            available_units=None if available.isna().all() else float(available.min()),
            steps=[
                PricedStep(
                    from_units=float(units),
                    unit_cost=Decimal(str(cost)),
                    in_store_currency=None if rate is None else _rounded(cost * rate),
                )
                for units, cost in zip(steps["from_units"], steps["unit_cost"], strict=True)
            ],
            currency=code,
            lead_time_days=float(rows["lead_time_days"].max()),
            min_order_units=float(rows["min_order_units"].max()),
            pack_units=1.0 if packs.isna().all() else float(packs.max()),
            refused=refused,
        )


def _column(rows: pd.DataFrame, name: str) -> pd.Series[float]:
    return rows[name] if name in rows else pd.Series(float("nan"), index=rows.index)


def _rounded(amount: float) -> Decimal:
    """To the hundredth of a cent: a screw costs less than one."""
    return Decimal(str(round(amount, 4)))
