"""Which orders went wrong, apart from what they cost: as people say, and as suppliers charge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.policy.autonomy_rules import AutonomyRules
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.purchasing import ConfirmedLine
from flows.orchestrator.purchasing.bad_ones import bad_lines

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = AutonomyRules()


def order(*entries: OrderEntry, stage: OrderStage = OrderStage.RECEIVED) -> OrderRecord:
    lines = [{"sku": sku, "units": 10, "unit_cost": "2.00"} for sku in ("tea", "rum")]
    return OrderRecord.model_validate(
        {
            "reference": "PO-7",
            "effect_id": "e",
            "supplier": "acme",
            "currency": "EUR",
            "lines": lines,
            **dict.fromkeys(("goods", "total", "total_in_store_currency"), "40.00"),
            "freight": "0",
            "level": Approval.ASK,
            "proposed_at": NOON,
            "expected_on": date(2026, 3, 9),
            "stage": stage,
            "entries": entries,
        }
    )


def entry(kind: EntryKind, detail: str = "", **prices: str) -> OrderEntry:
    says = "partly" if kind in (EntryKind.ANSWERED, EntryKind.CORRECTED) else ""
    lines = [
        ConfirmedLine(sku=sku, units=10, unit_cost=Decimal(cost)) for sku, cost in prices.items()
    ]
    return OrderEntry(
        key=f"{kind}{detail}{prices}",
        kind=kind,
        at=NOON,
        by="acme" if says else "Anna",
        says=says,
        lines=lines,
        detail=detail,
    )


def no(note: str, status: ApprovalStatus = ApprovalStatus.REJECTED) -> ApprovalRecord:
    given: dict[str, Any] = {"need_key": "n", "title": "Order?", "proposal": {}}
    given |= {"asked_at": NOON, "expires_at": NOON, "answered_by": "Anna"}
    return ApprovalRecord(status=status, note=note, **given)


def test_what_came_as_expected_is_none():
    usual = order(entry(EntryKind.ANSWERED, tea="2.10", rum="1.50"), entry(EntryKind.RECEIVED))
    assert bad_lines(usual, [], RULES) == {}


def test_a_price_that_rose_and_was_paid_is_a_bad_one_of_its_line_alone():
    dear = entry(EntryKind.ANSWERED, tea="2.11", rum="2.00")
    assert bad_lines(order(dear), [], RULES) == {
        "tea": "tea was paid 2.11 EUR in PO-7, where 2.00 was expected."
    }
    back = entry(EntryKind.CORRECTED, tea="2.00")
    assert bad_lines(order(dear, back), [], RULES) == {}, "the last word counts"
    lenient = AutonomyRules(price_rise=0.1)
    assert bad_lines(order(dear), [], lenient) == {}


@pytest.mark.parametrize("stage", [OrderStage.PARTLY, OrderStage.REJECTED, OrderStage.LATE])
def test_a_price_that_was_not_paid_yet_is_none(stage):
    assert bad_lines(order(entry(EntryKind.ANSWERED, tea="9"), stage=stage), [], RULES) == {}


@pytest.mark.parametrize("note", ["wrong", "Wrong: we have a cellar full.", "  - WRONG item"])
def test_a_no_that_calls_it_wrong_is_a_bad_one_of_all_its_lines(note):
    found = bad_lines(order(stage=OrderStage.DECLINED), [no(note)], RULES)
    assert found.keys() == {"tea", "rum"}
    assert found["tea"] == f"Anna said no to PO-7: {note}"


@pytest.mark.parametrize(
    ("note", "status"),
    [
        ("", ApprovalStatus.REJECTED),
        ("not wrong, but no money this week", ApprovalStatus.REJECTED),
        ("wrongly", ApprovalStatus.REJECTED),
        ("wrong", ApprovalStatus.APPROVED),
        ("wrong", ApprovalStatus.EXPIRED),
    ],
)
def test_any_other_answer_is_none(note, status):
    assert bad_lines(order(stage=OrderStage.DECLINED), [no(note, status)], RULES) == {}


def test_a_persons_note_tells_that_an_order_went_wrong_wherever_it_stands():
    noted = order(entry(EntryKind.NOTE, "wrong, it was sent twice"), stage=OrderStage.UNKNOWN)
    assert bad_lines(noted, [], RULES)["rum"] == "Anna said of PO-7: wrong, it was sent twice"
    fine = order(entry(EntryKind.NOTE, "nothing is wrong"), stage=OrderStage.UNKNOWN)
    assert bad_lines(fine, [], RULES) == {}
