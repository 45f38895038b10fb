"""Purchase orders under way on the status page."""

from __future__ import annotations

from datetime import date

from blocks.ledger.purchasing.records import OrderStage
from blocks.vocabulary.purchasing import SupplierSays
from flows.status.open_orders import MOST
from flows.status.page import overview
from flows.status.public import for_everybody
from tests.orders import order, received, said
from tests.unit.flows.status.pages import NOW, facts

SENT = {"stage": OrderStage.SENT}


def test_each_order_tells_what_it_will_bring_and_when_the_first_due_first() -> None:
    late = order("a", expected_on=date(2026, 3, 20), **SENT)
    soon = order("b", "c", supplier="globex", expected_on=date(2026, 3, 4), **SENT)
    words = [said(SupplierSays.PARTLY, b=(4, "2026-03-09"), c=(9, "2026-03-08")), received(c=7)]
    soon = soon.model_copy(update={"entries": words, "stage": OrderStage.PARTLY})
    shown = overview(facts(open_orders=[late, soon]), NOW).open_orders
    assert [(o.supplier, o.stage, o.units, o.first, o.due_on) for o in shown.orders] == [
        ("globex", "partly", 6, "4 of Item b", date(2026, 3, 9)),
        ("acme", "sent", 10, "10 of Item a", date(2026, 3, 20)),
    ]
    assert (shown.worth, shown.left_out) == (["84.80 USD"], 0)


def test_of_many_the_first_are_named_and_all_are_worth() -> None:
    many = [order("a", **SENT) for _ in range(MOST + 3)]
    shown = overview(facts(open_orders=many), NOW).open_orders
    assert (len(shown.orders), shown.left_out) == (MOST, 3)
    assert shown.worth == ["448.50 USD"]


def test_everybody_sees_neither_money_nor_numbers_of_orders() -> None:
    page = overview(facts(open_orders=[order("a", **SENT)]), NOW)
    public = for_everybody(page, ["orders"]).open_orders
    assert public.worth == []
    assert [(o.supplier, o.reference, o.total, o.currency) for o in public.orders] == [
        ("acme", "", "", "")
    ]
    assert for_everybody(page, ["health"]).open_orders is None
