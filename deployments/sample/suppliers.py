"""The sample's three suppliers: their terms, and what each offers.

The shop's source tells no purchase prices. The terms below are the sample's own assumptions, a
trade-off that a buyer knows: cheap and slow, dear and fast, cheapest and unreliable. A supplier's
price is a share of the list price, a little different for every SKU.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from zlib import crc32

from blocks.business.terms import SupplierTerms
from deployments.sample.history import Product, products


@dataclass(frozen=True)
class Supplier:
    """A supplier's terms and habits.

    Attributes:
        name: Dashed name.
        format: Of its API's answers: json, csv or xml.
        auth: How its API knows a customer: api-key, bearer or basic.
        price_share: Typical price as a share of the list price.
        assortment: Share of the SKUs that it sells.
        lead_time_days: Promised days from order to delivery.
        min_order_units: Smallest order of one SKU.
        pack_units: Orders are multiples of this.
        late_share: Share of deliveries that come late.
        late_days: The longest delay, in days.
        latency_ms: Usual and worst time its API takes; every eighth answer takes the worst.
        outage_every: Every so-many-th catalogue request is answered 503; 0 for never.
        terms: What it asks of a whole order; its catalogue does not tell.
    """

    name: str
    format: str
    auth: str
    price_share: float
    assortment: float
    lead_time_days: int
    min_order_units: int
    pack_units: int
    late_share: float
    late_days: int
    latency_ms: tuple[int, int]
    outage_every: int = 0
    terms: SupplierTerms = field(default_factory=SupplierTerms)


SUPPLIERS = (
    Supplier(
        name="northwind-wholesale",
        format="json",
        auth="api-key",
        price_share=0.46,
        assortment=0.75,
        lead_time_days=9,
        min_order_units=48,
        pack_units=12,
        late_share=0.15,
        late_days=4,
        latency_ms=(60, 450),
        terms=SupplierTerms(min_order_value=Decimal(250)),
    ),
    Supplier(
        name="midland-express",
        format="csv",
        auth="bearer",
        price_share=0.58,
        assortment=0.70,
        lead_time_days=2,
        min_order_units=6,
        pack_units=6,
        late_share=0.03,
        late_days=1,
        latency_ms=(15, 40),
    ),
    Supplier(
        name="continental-import",
        format="xml",
        auth="basic",
        price_share=0.38,
        assortment=0.45,
        lead_time_days=28,
        min_order_units=240,
        pack_units=24,
        late_share=0.35,
        late_days=12,
        latency_ms=(120, 300),
        outage_every=40,
        terms=SupplierTerms(freight=Decimal(45), free_freight_from=Decimal(750)),
    ),
)


class Offer(NamedTuple):
    """What one supplier asks for one SKU; cost in GBP per unit."""

    supplier: Supplier
    product: Product
    unit_cost: float

    @property
    def available_units(self) -> int:
        """What the supplier has of it: of most plenty, of some little, of a few none."""
        share = chance("available", self.supplier.name, self.product.sku)
        packs = 0 if share < 0.02 else 5 if share < 0.07 else 100
        return packs * self.supplier.min_order_units


def supplier_named(name: str) -> Supplier:
    """The supplier of that name.

    Raises:
        KeyError: There is none.
    """
    return {supplier.name: supplier for supplier in SUPPLIERS}[name]


def catalogue(supplier: Supplier) -> list[Offer]:
    """Everything the supplier sells, one offer per SKU, by SKU."""
    return [
        Offer(supplier, product, _price(supplier, product))
        for product in products()
        if _sells(supplier, product)
    ]


@cache
def offers_by_sku() -> dict[str, tuple[Offer, ...]]:
    """Every SKU's offers, cheapest first; each SKU has at least one."""
    offers: dict[str, list[Offer]] = {}
    for supplier in SUPPLIERS:
        for offer in catalogue(supplier):
            offers.setdefault(offer.product.sku, []).append(offer)
    return {sku: tuple(sorted(some, key=lambda o: o.unit_cost)) for sku, some in offers.items()}


def usual_offer(offers: Iterable[Offer], units_per_week: float) -> Offer:
    """The offer the shop's buyer takes: the cheapest whose minimum is at most 8 weeks' demand."""
    offers = list(offers)
    fitting = [o for o in offers if o.supplier.min_order_units <= 8 * units_per_week]
    return (
        min(fitting, key=lambda o: o.unit_cost)
        if fitting
        else min(offers, key=lambda o: o.supplier.min_order_units)
    )


def chance(*key: object) -> float:
    """A number in [0, 1) that looks random and is the same for the same key, everywhere."""
    return crc32(":".join(map(str, key)).encode()) / 2**32


def _sells(supplier: Supplier, product: Product) -> bool:
    if chance("assortment", supplier.name, product.sku) < supplier.assortment:
        return True
    others = (s for s in SUPPLIERS if s is not supplier)
    orphan = all(chance("assortment", s.name, product.sku) >= s.assortment for s in others)
    return orphan and supplier is SUPPLIERS[0]  # the generalist takes what nobody else sells


def _price(supplier: Supplier, product: Product) -> float:
    spread = 0.9 + 0.2 * chance("price", supplier.name, product.sku)
    return max(0.01, round(product.list_price * supplier.price_share * spread, 2))
