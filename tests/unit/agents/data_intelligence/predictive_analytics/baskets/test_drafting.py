"""Drafts of a basket: exact money, and reasons with numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd

from agents.data_intelligence.predictive_analytics.baskets.basket import plan_orders
from agents.data_intelligence.predictive_analytics.baskets.drafting import draft_orders
from agents.data_intelligence.predictive_analytics.baskets.drafts import DraftOrder, Hold
from agents.data_intelligence.predictive_analytics.baskets.market import Market, open_market
from blocks.business.terms import SupplierTerms
from blocks.vocabulary.frames import OFFERS
from tests.unit.agents.data_intelligence.predictive_analytics.baskets.goods import (
    TODAY,
    Steady,
    economics,
    items,
    market,
    offer,
)

DEMAND = Steady({"a": 4.0, "b": 4.0})
LEVEL = (30.0, 50.0, 120.0)


def drafts(there: Market, table: pd.DataFrame | None = None) -> list[DraftOrder]:
    table = items(a=LEVEL, b=LEVEL) if table is None else table
    basket = plan_orders(table, DEMAND, there, economics(DEMAND))
    orders, held = draft_orders(basket, table, there, TODAY)
    assert held == basket.held
    return orders


def test_one_draft_per_supplier_whose_money_adds_up_to_the_cent():
    rows = [offer("s", "a", 1.005, pack_units=30.0), offer("s", "b", 199.99, days=5.0)]
    (order,) = drafts(market(rows, s={"freight": 3, "min_order_value": 50}))
    assert order.goods == sum(line.value for line in order.lines)
    assert order.total == order.goods + 3 == order.total_in_store_currency
    a, b = sorted(order.lines, key=lambda line: line.sku)
    assert a.units % 30 == 0
    assert a.unit_cost == Decimal("1.005")
    assert a.value == (a.units * Decimal("1.005")).quantize(Decimal("0.01"))
    assert (b.free, b.reorder_point, b.order_up_to) == LEVEL
    assert (order.lead_time_days, order.arrives_on) == (5, date(2026, 1, 10))
    assert any("reach the minimum of 50.00 EUR" in note for note in order.notes)
    assert any("delivery costs 3.00 EUR" in note for note in order.notes)


def test_an_order_in_another_currency_is_told_in_both():
    terms = {"s": SupplierTerms(currency="JPY", freight=Decimal(900))}
    rows = [offer("s", "a", 30_000.0), offer("s", "b", 30_000.0)]
    there = open_market(OFFERS.validate(pd.DataFrame(rows)), terms, "EUR", {"JPY": 0.006})
    (order,) = drafts(there)
    assert order.currency == "JPY"
    assert order.freight == 900
    assert order.total_in_store_currency == order.total * Decimal("0.006")
    assert order.lines[0].unit_cost == 30_000


def test_a_line_says_why_this_supplier_and_what_the_next_best_would_be():
    rows = [offer("near", "a", 210.0), offer("far", "a", 200.0, days=4.0), offer("far", "b", 200.0)]
    (order,) = drafts(market(rows))
    a, b = sorted(order.lines, key=lambda line: line.sku)
    assert a.why_supplier.startswith("200.00 EUR a unit, 4 days, ")
    assert "next best near: 210.00 EUR before freight, 3 days" in a.why_supplier
    assert b.why_supplier.startswith("The only offer that can be bought: 200.00 EUR a unit")


def test_a_line_of_a_split_item_says_who_brings_the_rest():
    demand = Steady({"a": 4.0})
    table = items(a=(2.0, 160.0, 400.0))
    there = market([offer("near", "a", 240.0), offer("far", "a", 200.0, days=30.0)])
    basket = plan_orders(table, demand, there, economics(demand, margin=400.0))
    lines = {o.supplier: o.lines[0] for o in draft_orders(basket, table, there, TODAY)[0]}
    assert f"; {lines['far'].units:,} more come from far" in lines["near"].why_supplier
    assert f"; {lines['near'].units:,} more come from near" in lines["far"].why_supplier
    assert not any("only offer" in line.why_supplier for line in lines.values())


def test_what_other_tables_tell_is_shown_and_what_is_not_known_is_left_open():
    told = {
        "name": ["Lamp", "Box"],
        "why_item": ["Runs out on Friday.", ""],
        "why_units": ["Up to 120.", ""],
        "waiting_cost_per_day": [12.345, float("nan")],
        "days_of_cover": [7.5, float("nan")],
        "probability": [0.9, 0.2],
        "demand": [40.0, 40.0],
        "rules": [{"Odoo": 90.0}, {}],
        "guards": [["cut to 90"], []],
    }
    (order,) = drafts(
        market([offer("s", "a", 200.0), offer("s", "b", 200.0)]),
        items(a=LEVEL, b=LEVEL).assign(**told),
    )
    first, second = order.lines
    assert (first.name, first.why_item, first.why_units) == (
        "Lamp",
        "Runs out on Friday.",
        "Up to 120.",
    )
    assert first.waiting_cost_per_day == Decimal("12.34")  # half even
    assert (first.days_of_cover, first.rules, first.guards) == (7.5, {"Odoo": 90.0}, ["cut to 90"])
    assert second.waiting_cost_per_day is None
    assert second.days_of_cover is None
    assert second.why_item
    assert second.why_units


def test_packs_and_smallest_orders_are_told_of_what_is_bought_in_the_end():
    packed = offer("s", "a", 200.0, pack_units=12.0)
    (order,) = drafts(market([packed, offer("s", "b", 200.0)]))
    packs, pieces = sorted(order.lines, key=lambda line: line.sku)
    assert "in packs of 12" in packs.why_units
    assert "packs" not in pieces.why_units
    least = offer("s", "a", 200.0, min_order_units=150.0)
    (order,) = drafts(market([least]), items(a=LEVEL))
    (line,) = order.lines
    assert line.units == 150
    assert "150 units, its smallest order here; its level asks for" in line.why_units


def test_what_came_along_says_so():
    table = items(a=LEVEL, b=(55.0, 50.0, 120.0))
    rows = [offer("s", "a", 200.0), offer("s", "b", 200.0)]
    (order,) = drafts(market(rows, s={"min_order_value": 20_000}), table)
    assert {line.sku for line in order.lines} == {"a", "b"}
    (along,) = [line for line in order.lines if line.sku == "b"]
    assert "not due yet" in along.why_item
    assert any("1 item that is not due yet came along" in note for note in order.notes)


def test_free_freight_is_decided_by_the_exact_sum():
    rows = [offer("s", "a", 200.0), offer("s", "b", 200.0)]
    terms = {"freight": 5, "free_freight_from": 36_000}
    (order,) = drafts(market(rows, s=terms))
    assert order.goods >= 36_000
    assert order.freight == 0
    assert any("5.00 EUR saved" in note for note in order.notes)


def test_held_items_are_handed_on():
    table = items(a=LEVEL, b=LEVEL)
    there = market([offer("s", "a", 200.0)])
    basket = plan_orders(table, DEMAND, there, economics(DEMAND))
    _, held = draft_orders(basket, table, there, TODAY)
    assert [(item.sku, item.hold) for item in held] == [("b", Hold.NO_OFFER)]
