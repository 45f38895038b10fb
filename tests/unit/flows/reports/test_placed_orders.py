"""What became of draft orders, in a report."""

from __future__ import annotations

from decimal import Decimal

from blocks.ledger.purchasing.records import OrderStage
from flows.reports.model import PlacedOrder
from flows.reports.placed_orders import section, stands, what_became

WITH_ITS_SUPPLIER = {
    OrderStage.SENT,
    OrderStage.CONFIRMED,
    OrderStage.PARTLY,
    OrderStage.LATE,
    OrderStage.RECEIVED,
}


def placed(supplier: str, stage: OrderStage | None, reference: str = "") -> PlacedOrder:
    return PlacedOrder(
        reference=reference,
        supplier=supplier,
        lines=39,
        total=Decimal("41660.16"),
        currency="GBP",
        stage=stage,
        detail="class A: ask. Where every group begins.",
    )


def test_what_became_of_each_is_told_and_where_to_answer():
    waits = placed("acme", OrderStage.PROPOSED, "PO-261130-3F2A9C1E")
    assert what_became([waits, waits, placed("b", OrderStage.SENT)]) == (
        "What became of them: 2 waiting for a yes, 1 sent."
    )
    table, why = section([waits]).tables
    assert table.rows == [["PO-261130-3F2A9C1E", "acme", 39, "41,660.16 GBP", "proposed"]]
    assert "./orchestrator approvals" in table.note
    assert why.rows == [["acme", "class A: ask. Where every group begins."]]
    assert section([placed("b", OrderStage.SENT)]).tables[0].note == ""


def test_what_its_supplier_does_not_deliver_is_not_said_to_be_sent():
    for stage in OrderStage:
        assert (stands(placed("acme", stage)) == "sent") == (stage in WITH_ITS_SUPPLIER), stage
