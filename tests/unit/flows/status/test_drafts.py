"""The draft orders on the status page."""

from __future__ import annotations

from datetime import date

import pytest

from flows.reports.last_orders import LastOrders
from flows.status.page import overview
from tests.plans import DRAFTED_AT, TWO, line, order, plan
from tests.unit.flows.status.pages import NOW, facts


def last(drafted=TWO) -> LastOrders:
    return LastOrders(run_id="r", drafted_at=DRAFTED_AT, headline="2 drafts.", plan=drafted)


def test_each_draft_is_a_line_with_its_total_and_its_most_urgent_item():
    shown = overview(facts(orders=last()), NOW).orders
    assert [(d.supplier, d.lines, d.total, d.currency, d.first) for d in shown.orders] == [
        ("acme", 2, "52.50", "GBP", "24 of Item a"),
        ("globex", 1, "45.00", "GBP", "36 of Item c"),
    ]
    assert shown.orders[0].arrives_on == date(2026, 3, 11)
    assert (shown.held, shown.run_id, shown.text) == (1, "r", "2 drafts.")
    assert shown.waiting_cost_per_day == pytest.approx(2.25)


def test_a_cost_that_nobody_knows_is_none_and_no_draft_is_no_line():
    unknown = plan(order("acme", line("a", waiting_cost_per_day=None)))
    assert overview(facts(orders=last(unknown)), NOW).orders.waiting_cost_per_day is None
    assert overview(facts(orders=last(plan())), NOW).orders.orders == []
    assert overview(facts(), NOW).orders is None
