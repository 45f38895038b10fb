"""The suppliers' section: who answered, on which terms, and what each has."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd

from agents.integration_specialist.external_connections.delivery_times import DeliveryTimes
from agents.integration_specialist.external_connections.inventory import (
    ItemInventory,
    ItemOffer,
    PricedStep,
    SupplierInventory,
    SupplierState,
)
from blocks.business.terms import SupplierTerms
from flows.reports.suppliers import suppliers

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)


def state(name: str = "acme", **more: Any) -> SupplierState:
    usual = {
        "answered": True,
        "offered_at": NOW,
        "offers": 3,
        "tax": "net",
        "terms": SupplierTerms(),
        "promised_days": 4.0,
        "delivery": None,
    }
    return SupplierState.model_validate({"name": name} | usual | more)


def offer(**more: Any) -> ItemOffer:
    usual = {
        "supplier": "acme",
        "available_units": 20.0,
        "steps": [PricedStep(from_units=0, unit_cost=Decimal("3.2"), in_store_currency=None)],
        "currency": "EUR",
        "lead_time_days": 4.0,
        "min_order_units": 6.0,
        "pack_units": 6.0,
    }
    return ItemOffer.model_validate(usual | more)


def section(*states: SupplierState, items: list[ItemInventory] | None = None, top: int = 10):
    found = SupplierInventory(
        checked_at=NOW,
        urgency="high",
        deadline_seconds=20.0,
        currency="EUR",
        suppliers=list(states),
        items=items or [],
        asked_items=len(items or []),
        unoffered=[],
        unoffered_items=0,
        unavailable=[],
        unavailable_items=0,
        findings=[],
        missing=[],
        offers=pd.DataFrame(),
    )
    (one,) = suppliers(found, top)
    return one


def test_terms_and_learned_lead_times_are_told():
    times = DeliveryTimes(deliveries=9, mean=7.5, deviation=1.25, median=7, p90=9.2, late=0.1)
    terms = {"min_order_value": 250, "freight": 9, "free_freight_from": 500, "currency": "USD"}
    told = section(state(delivery=times, terms=terms))
    assert told.tables[0].rows == [
        [
            "acme",
            3,
            "4 promised; 7.5 ± 1.2 over 9 orders, 9 of 10 within 9",
            "orders from 250 USD; freight 9.00 USD, free from 500 USD",
            "",
        ]
    ]
    assert "learned from our own orders count" in told.text
    assert "learned" not in section(state()).text


def test_who_did_not_answer_and_what_was_refused_is_told_in_a_few_remarks():
    silent = state(answered=False, detail="It did not answer.", offers=0, promised_days=None)
    odd = state("odd", refused=[f"S{n}: it has no price" for n in range(5)], tax="")
    told = section(silent, odd)
    assert told.text.endswith(
        "Nobody has declared how tax is in the prices of odd (prices = net or gross): they count "
        "as net."
    )
    assert "1 of 2 suppliers answered" in told.text
    remarks = [row[-1] for row in told.tables[0].rows]
    assert remarks == [
        "It did not answer",
        "S0: it has no price; S1: it has no price; S2: it has no price; 2 more remarks",
    ]


def test_each_item_is_told_supplier_by_supplier():
    steps = [
        PricedStep(from_units=1, unit_cost=Decimal("3.2"), in_store_currency=None),
        PricedStep(from_units=480, unit_cost=Decimal("2.1"), in_store_currency=None),
    ]
    offers = [offer(steps=steps), offer(supplier="b", available_units=None, refused="it is odd")]
    items = [
        ItemInventory(sku="cup", name="Cup", offers=offers),
        ItemInventory(sku="jug", name="Jug", offers=[]),
        ItemInventory(sku="mug", name="Mug", offers=[offer(pack_units=1.0, min_order_units=0.0)]),
    ]
    told = section(state(), items=items, top=1)
    assert told.tables[1].rows == [
        ["cup", "acme", 20.0, 4.0, "3.20 EUR, 2.10 EUR from 480; at least 6 in packs of 6"],
        [
            "cup",
            "b",
            "not told",
            4.0,
            "3.20 EUR; at least 6 in packs of 6. Not ordered by: it is odd",
        ],
    ]
    assert told.tables[1].note.endswith("2 more items asked for.")
    assert section(state(), items=items).tables[1].rows[2][-1] == "3.20 EUR; at least 1"


def test_without_items_only_the_suppliers_are_told():
    assert len(section(state()).tables) == 1
