"""An order as its supplier is told."""

from __future__ import annotations

from datetime import date

from blocks.business.ordering.answers import held_against
from blocks.vocabulary.purchasing import ConfirmedLine, OrderAnswer, SupplierSays
from tests.orders import order


def test_an_order_that_was_let_a_day_later_is_confirmed_all_the_same():
    placed = order("tea")
    said = OrderAnswer(
        reference=placed.reference,
        says=SupplierSays.CONFIRMED,
        lines=(ConfirmedLine(sku="tea", units=10, expected_on=date(2026, 3, 9)),),
    )
    assert held_against(placed.as_sent, said).says is SupplierSays.CONFIRMED
    later = said.lines[0].model_copy(update={"expected_on": date(2026, 3, 10)})
    late = said.model_copy(update={"lines": (later,)})
    assert held_against(placed.as_sent, late).says is SupplierSays.PARTLY
