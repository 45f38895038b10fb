"""Offers that are put side by side, and those that are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.predictive_analytics.baskets.basket import plan_orders
from agents.data_intelligence.predictive_analytics.baskets.drafts import Hold
from agents.data_intelligence.predictive_analytics.baskets.market import Market, open_market
from blocks.business.terms import SupplierTerms
from blocks.vocabulary.frames import NO_CURRENCY, OFFERS
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import (
    Steady,
    economics,
    items,
)

TERMS = {"fast": SupplierTerms(), "far": SupplierTerms(currency="JPY")}


def offer(supplier: str = "fast", sku: str = "a", unit_cost: float = 2.0, **more: Any) -> dict:
    row = {"supplier": supplier, "sku": sku, "unit_cost": unit_cost, "lead_time_days": 3.0}
    return {**row, "min_order_units": 0.0, **more}


def market(
    *rows: dict, known: dict[str, float] | None = None, currency: str = "EUR", **rates: float
) -> Market:
    return open_market(OFFERS.validate(pd.DataFrame(list(rows))), TERMS, currency, rates, known)


def reason(opened: Market, sku: str = "a") -> str:
    assert sku not in set(opened.offers["sku"])
    (refusal,) = [r for r in opened.refusals if r.sku == sku]
    return refusal.reason


def test_steps_stand_beside_each_other_and_a_quantity_takes_its_price():
    opened = market(
        offer(unit_cost=1.5, from_units=100.0, pack_units=12.0, min_order_units=24.0),
        offer(unit_cost=2.0, from_units=0.0, pack_units=12.0, min_order_units=24.0),
        offer(sku="b", unit_cost=7.0, from_units=5.0),
    )
    a, b = (dict(row) for _, row in opened.offers.iterrows())
    assert (a["pack_units"], a["min_units"]) == (12, 24)
    assert b["min_units"] == 5  # no price is told for fewer
    units = np.array([[99.0, 100.0], [5.0, 1e6]])
    assert opened.unit_cost(np.array([0, 1]), units).tolist() == [[2.0, 1.5], [7.0, 7.0]]
    assert opened.quoted(0, 99) == Decimal("2.0")


def test_yen_are_bought_at_the_declared_rate_and_never_without_one():
    row = offer("far", unit_cost=300.0)
    why = reason(market(row))
    assert "JPY" in why
    assert "rates = { JPY = … }" in why
    opened = market(row, JPY=0.006)
    assert opened.unit_cost(np.array([0]), np.array([1.0])) == pytest.approx([1.8])
    assert opened.suppliers["far"].rate == Decimal("0.006")
    assert opened.quoted(0, 1) == 300


def test_terms_are_converted_to_the_money_of_the_prices():
    terms = {"s": SupplierTerms(min_order_value=Decimal(90), freight=Decimal(9), currency="USD")}
    rows = OFFERS.validate(pd.DataFrame([offer("s", currency="JPY", unit_cost=300.0)]))
    opened = open_market(rows, terms, "EUR", {"USD": 0.9, "JPY": 0.006})
    assert opened.suppliers["s"].minimum == 13_500
    unknown = open_market(rows, terms, "EUR", {"JPY": 0.006})
    assert "USD" in reason(unknown)


def test_a_store_without_a_currency_refuses_prices_in_one():
    assert "below [store]" in reason(market(offer(currency="USD"), currency=NO_CURRENCY))
    assert len(market(offer(), currency=NO_CURRENCY).offers) == 1


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([offer(unit_cost=20.0)], "10 times the known cost of 2.00"),
        ([offer(unit_cost=0.2)], "0.1 times"),
        ([offer(unit_cost=0.0)], "no price"),
        ([offer(), offer(unit_cost=0.0, from_units=10.0)], "no price"),
        ([offer(unit="piece"), offer(unit="box")], "two units of measure (box and piece)"),
        ([offer(unit="box")], "priced per box"),
        ([offer("nobody")], "no supplier is connected under the name 'nobody'"),
        ([offer(), offer(unit_cost=2.5)], "two prices for the same quantity"),
        ([offer(pack_units=6.0), offer(pack_units=12.0, from_units=12.0)], "two sizes of pack"),
        ([offer(pack_units=2.5)], "2.5 pieces"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_value(rows: list[dict], told: str):
    assert told in reason(market(*rows, known={"a": 2.0}))


def test_missing_numbers_are_refused_not_guessed():
    """They cannot pass the contract, but a frame can be made without it."""
    for column, told in (("unit_cost", "no price"), ("lead_time_days", "lead time")):
        rows = pd.DataFrame([offer(**{column: float("nan")})])
        assert told in reason(open_market(rows, TERMS, "EUR", {}))


def test_two_units_of_two_suppliers_refuse_the_item_at_both():
    opened = market(offer(unit="pcs"), offer("far", unit="kg", currency="EUR"))
    assert opened.offers.empty
    assert {r.supplier for r in opened.refusals} == {"fast", "far"}
    assert len(market(offer(unit="pcs"), offer("far", unit=None, currency="EUR")).offers) == 2


def test_an_order_is_in_one_currency():
    opened = market(offer(currency="USD"), offer(sku="b", currency="USD"), offer(sku="c"), USD=0.9)
    assert set(opened.offers["sku"]) == {"a", "b"}
    assert "EUR" in reason(opened, "c")


def test_no_offer_at_all():
    opened = market(offer("nobody"))
    assert opened.offers.empty
    assert opened.suppliers == {}


def test_no_row_at_all_and_then_every_due_item_is_held():
    none = pd.DataFrame([offer()]).iloc[:0]
    opened = open_market(OFFERS.validate(none), TERMS, "EUR", {})
    assert opened.offers.empty
    assert opened.refusals == []
    demand = Steady({"a": 1.0})
    basket = plan_orders(items(a=(1.0, 5.0, 9.0)), demand, opened, economics(demand))
    assert [item.hold for item in basket.held] == [Hold.NO_OFFER]
