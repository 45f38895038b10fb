"""The sections about purchasing, from a plan that can be worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from agents.data_intelligence.predictive_analytics.purchasing.critical_items import (
    CriticalItem,
    CriticalStock,
    HeldRecord,
    Why,
)
from flows.reports import orders
from flows.reports.markdown import as_markdown
from flows.reports.model import Report
from tests.plans import TWO, held, line, order, plan, report_of
from tests.unit.flows.reports.test_stock import item as at_risk


def item(sku: str, why: Why, loss: float | None, **changes: Any) -> CriticalItem:
    facts = at_risk(sku, loss).model_dump()
    values = {
        "why": why,
        "days_of_cover": 0.0,
        "unit_margin": 1.0,
        "knows_cost": True,
        "lost_margin_per_day": loss,
        "out_since": None,
        "suppliers_down": [],
    }
    return CriticalItem.model_validate(facts | values | changes)


def stock(*items: CriticalItem, **changes: Any) -> CriticalStock:
    values = {
        "as_of": "2026-03-02",
        "currency": "GBP",
        "threshold": 5.0,
        "basis": "Judged by what is free.",
        "items": list(items),
        "held": [],
        "looked_at": 90,
        "lost_margin_per_day": sum(i.lost_margin_per_day or 0.0 for i in items),
        "unpriced": 0,
        "costless": 0,
        "missing": [],
    }
    return CriticalStock.model_validate(values | changes)


CRITICAL = stock(
    item("a", Why.OWED, 6.0, owed=4.0, free=-4.0),
    item("b", Why.OUT, 12.0),
    item("c", Why.LOW, None, free=2.0),
)


def test_the_headline_says_what_a_manager_has_to_know():
    told = orders.headline(CRITICAL, TWO)
    assert told == (
        "3 items of 90 are critical (1 owed to customers, 1 out of stock), expected to lose "
        "18.00 GBP per day. 2 draft orders with 3 lines worth 97.50 GBP: acme, globex. "
        "1 item held for a person to look at."
    )
    assert orders.headline(CRITICAL, None).endswith("No orders could be drafted.")
    assert orders.headline(stock(), plan()) == (
        "None of 90 items is critical. Nothing has to be ordered."
    )
    assert orders.headline(CRITICAL, plan(), waiting=2).endswith(
        "Nothing more has to be ordered. 2 earlier orders still waiting for a yes."
    )
    many = plan(*(order(name, line("a")) for name in "abcde"))
    assert "a, b, c and 2 more" in orders.headline(stock(), many)


def test_critical_items_stand_in_their_order_with_the_reason_and_a_chart():
    section = orders.critical(CRITICAL, top=2)
    (table,) = section.tables
    assert [row[0] for row in table.rows] == ["a", "b"]
    assert "4 owed to customers" in str(table.rows[0][-1])
    assert table.note.endswith("(GBP). 1 more, of less weight.")
    (chart,) = section.charts
    assert chart.series == {"loss": [12.0, 6.0]}
    assert orders.critical(stock(), top=5).tables == []
    without_cost = orders.critical(stock(item("a", Why.OUT, 1.0), costless=1, unpriced=2), top=5)
    assert "Of 1 item nobody knows the cost: ranked by revenue" in without_cost.text
    assert "Of 2 items the loss is not known." in without_cost.text


def test_each_supplier_has_its_draft_with_lines_and_reasons():
    about, acme, globex = orders.drafts(TWO)
    assert "2 orders, together 97.50 GBP. Drafts only: nothing has been sent" in about.text
    assert about.text.endswith("Demand is learned from 40 weeks.")
    assert (acme.title, globex.title) == (
        "Order to acme: 52.50 GBP",
        "Order to globex: 45.00 GBP",
    )
    assert "45.00 GBP goods and 7.50 GBP freight" in acme.text
    assert "arrives about 11 March (9 days)" in acme.text
    lines, reasons = acme.tables
    assert lines.rows[0] == ["a", "Item a", 24, 30.0, 3.0, 0.0, 5.3, 0.75]
    assert reasons.rows[0] == [
        "a",
        "a is low. Two packs. It is the cheapest. "
        "By the rules of ERP systems: Tryton 20, Odoo 24, ERPNext 0.",
    ]


def test_a_long_draft_is_cut_and_says_so():
    (_, section) = orders.drafts(plan(order("acme", *(line(f"s{i}") for i in range(9)))), lines=5)
    assert len(section.tables[0].rows) == 5
    assert "4 more lines in the CSV." in section.tables[0].note


def test_foreign_money_is_told_in_both():
    foreign = order("acme", line("a"), currency="USD", total_in_store_currency=Decimal("24.00"))
    (_, section) = orders.drafts(plan(foreign, total=Decimal("24.00")))
    assert section.title == "Order to acme: 30.00 USD (24.00 GBP)"
    unknown = order("acme", line("a"), currency="USD", total_in_store_currency=None)
    about, section = orders.drafts(plan(unknown, total=None))
    assert section.title == "Order to acme: 30.00 USD"
    assert "together" not in about.text


def test_what_is_held_and_what_is_ordered_already_is_told_with_its_reason():
    held_section, covered = orders.held(
        plan(held=[held("x"), held("y", units=None, loss_per_day=None)], covered={"b": "30 due."}),
        CRITICAL,
        top=1,
    )
    assert held_section.text == "2 items in no draft: 2 no offer."
    (table,) = held_section.tables
    assert table.rows == [["x", "Item x", 5, 2.5, "no offer: Nobody offers it."]]
    assert table.note.endswith("(GBP). 1 more.")
    assert covered.tables[0].rows == [["b", "Item b", "30 due."]]


def test_records_are_told_even_where_nothing_could_be_drafted():
    record = HeldRecord(sku="q", name="Q", reason="stock.on_hand: no number (nan)")
    (section,) = orders.held(None, stock(held=[record]), top=5)
    assert section.tables[0].rows == [["q", "Q", 1, "stock.on_hand: no number (nan)"]]


@pytest.mark.parametrize("name", ["<b>=1+1</b>", "a|b\nc"])
def test_names_stay_text_in_the_report(name: str):
    drafted = plan(order("acme", line("a", name=name, why_item=name)))
    report = Report.model_validate(report_of(drafted).body)
    report = report.model_copy(update={"sections": orders.drafts(drafted)})
    shown = as_markdown(report)
    assert "<b>" not in shown
