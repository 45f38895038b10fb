"""The section about the stock, from a risk that can be worked out by hand."""

from __future__ import annotations

from typing import Any

from agents.data_intelligence.predictive_analytics.stock_findings import ItemAtRisk
from agents.data_intelligence.predictive_analytics.stock_judgement import StockRisk
from flows.reports.stock import stock


def item(sku: str, loss: float | None, **changes: float) -> ItemAtRisk:
    values = {
        "sku": sku,
        "name": f"Item {sku}",
        "on_hand": 0.0,
        "reserved": 0.0,
        "free": 0.0,
        "owed": 0.0,
        "arriving": 0.0,
        "due_later": 0.0,
        "next_due": None,
        "overdue": 0.0,
        "lead_time_days": 7,
        "demand": 21.0,
        "demand_per_day": 3.0,
        "probability": 1.0,
        "lost_units": 21.0,
        "lost_revenue_per_day": loss,
    }
    return ItemAtRisk.model_validate(values | changes)


def risk(out: list[ItemAtRisk], at_risk: list[ItemAtRisk] | None = None, **more: Any) -> StockRisk:
    values = {
        "as_of": "2026-03-02",
        "items": 9,
        "basis": "Judged by what is free.",
        "out_of_stock": out,
        "at_risk": at_risk or [],
        "overstock": [],
        "dead": [],
        "overstock_value": 0.0,
        "dead_value": 0.0,
        "lost_revenue_per_day": 6.0,
        "stock_value": 1000.0,
        "owed_items": 0,
        "owed_units": 0.0,
        "unpriced": 0,
        "missing": [],
    }
    return StockRisk.model_validate(values | more)


def column(section: Any, name: str) -> list[Any]:
    (table,) = section.tables
    at = table.columns.index(name)
    return [row[at] for row in table.rows]


def test_what_is_owed_and_free_has_columns_where_there_is_any():
    owing = item("a", 8.0, on_hand=-3, free=-3, owed=3)
    held = item("b", 2.0, on_hand=30, reserved=25, free=5, probability=0.75)
    section = stock(risk([owing], [held], owed_items=1, owed_units=3), "EUR", 10)
    assert column(section, "SKU") == ["a", "b"]
    assert column(section, "On hand") == [-3, 30]
    assert column(section, "Free") == [0, 5]
    assert column(section, "Owed") == [3, 0]
    assert column(section, "Runs out") == ["now", "75% likely"]
    assert "3 units of 1 item are owed to customers. Judged by what is free." in section.text

    plain = stock(risk([item("a", 8.0)]), "EUR", 10)
    assert not {"Free", "Owed"} & set(plain.tables[0].columns)
    assert "owed" not in plain.text


def test_of_what_nobody_knows_a_price_no_loss_is_told():
    items = [item("a", None), item("b", None, on_hand=-1, free=-1, owed=1), item("c", 0.5)]
    section = stock(risk(items, unpriced=2), "EUR", 10)
    assert column(section, "SKU") == ["c", "b", "a"]
    assert column(section, "Loss per day (EUR)") == [0.5, None, None]
    assert section.charts[0].series == {"loss": [0.5, None, None]}
    assert section.text.endswith("No price is known of 2 items: the sums are without them.")


def test_one_unit_that_is_owed_is_told_as_one():
    text = stock(risk([], owed_items=1, owed_units=1.0), "EUR", 10).text
    assert "1 unit of 1 item is owed to customers." in text
