"""The suppliers' terms: a real choice for a buyer, and the same on every machine."""

from __future__ import annotations

import pytest

from deployments.sample.history import products
from deployments.sample.suppliers import (
    SUPPLIERS,
    catalogue,
    chance,
    offers_by_sku,
    supplier_named,
    usual_offer,
)


def test_every_product_can_be_bought_and_most_from_more_than_one() -> None:
    offers = offers_by_sku()
    assert set(offers) == {product.sku for product in products()}
    several = [sku for sku, some in offers.items() if len(some) > 1]
    assert len(several) > 120
    assert all(list(some) == sorted(some, key=lambda o: o.unit_cost) for some in offers.values())


@pytest.mark.parametrize("supplier", SUPPLIERS, ids=lambda s: s.name)
def test_a_catalogue_is_a_part_of_the_range_below_list_price(supplier) -> None:
    offers = catalogue(supplier)
    assert 0 < len(offers) < 200
    assert len({offer.product.sku for offer in offers}) == len(offers)
    for offer in offers:
        assert 0 < offer.unit_cost < offer.product.list_price


def test_the_buyer_takes_the_cheapest_whose_minimum_fits_the_demand() -> None:
    sku = next(sku for sku, some in offers_by_sku().items() if len(some) == 3)
    offers = offers_by_sku()[sku]
    by_name = {offer.supplier.name: offer for offer in offers}
    assert usual_offer(offers, 1000) == offers[0]
    assert usual_offer(offers, 30) == offers[0]  # 8 weeks of 30 are just the 240 of the largest
    without_large = [o for o in offers if o.supplier.min_order_units <= 239]
    assert usual_offer(offers, 29.9) == without_large[0]
    assert usual_offer(offers, 0.1) == by_name["midland-express"]  # none fits: the smallest minimum


def test_chance_is_the_same_everywhere() -> None:
    assert chance("late", "85123A", 1) == pytest.approx(0.5, abs=0.5)
    assert chance("a", 1) == chance("a", 1) != chance("a", 2)
    # CRC-32 of "123456789" is the standard's check value CBF43926.
    assert chance("123456789") == 0xCBF43926 / 2**32


def test_an_unknown_supplier_is_an_error() -> None:
    with pytest.raises(KeyError):
        supplier_named("acme")
