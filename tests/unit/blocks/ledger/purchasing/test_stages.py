"""Where an order stands, and what of it is to come, by its effect and its entries."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderStage
from blocks.ledger.purchasing.stages import due_on, promised_on, stage_of, to_come
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.purchasing import SupplierSays
from tests.orders import NOON, order, received, said

ORDERED = {"a": 10, "b": 5}
LATE = OrderEntry(key="late", kind=EntryKind.LATE, at=NOON, by="orchestrator")
NOTE = OrderEntry(key="note", kind=EntryKind.NOTE, at=NOON, by="ann")
CHASED = OrderEntry(key="chased", kind=EntryKind.CHASED, at=NOON, by="orchestrator")
TAKEN, CONFIRMED, PARTLY, REJECTED, SHIPPED, DELIVERED = map(said, SupplierSays)

DONE, UNKNOWN = EffectStatus.DONE, EffectStatus.UNKNOWN


@pytest.mark.parametrize(
    ("status", "reason", "awaits", "stage"),
    [
        (EffectStatus.INTENDED, "", True, OrderStage.PROPOSED),
        (EffectStatus.INTENDED, "", False, OrderStage.APPROVED),
        (EffectStatus.ACTING, "", False, OrderStage.SENDING),
        (EffectStatus.REFUSED, "shadow", False, OrderStage.SHADOW),
        (EffectStatus.REFUSED, "rejected", False, OrderStage.DECLINED),
        (EffectStatus.REFUSED, "expired", False, OrderStage.DECLINED),
        (EffectStatus.FAILED, "", False, OrderStage.FAILED),
        (EffectStatus.UNKNOWN, "", False, OrderStage.UNKNOWN),
        (EffectStatus.DONE, "", False, OrderStage.SENT),
    ],
)
def test_before_anything_is_heard_its_effect_tells(
    status: EffectStatus, reason: str, awaits: bool, stage: OrderStage
) -> None:
    assert stage_of(status, reason, awaits, [NOTE], ORDERED) is stage


@pytest.mark.parametrize(
    ("status", "entries", "stage"),
    [
        (DONE, [TAKEN], OrderStage.SENT),
        (DONE, [CONFIRMED], OrderStage.CONFIRMED),
        (DONE, [PARTLY], OrderStage.PARTLY),
        (DONE, [REJECTED], OrderStage.REJECTED),
        (DONE, [CONFIRMED, SHIPPED], OrderStage.CONFIRMED),
        (DONE, [PARTLY, DELIVERED, CHASED, NOTE], OrderStage.PARTLY),
        (DONE, [SHIPPED], OrderStage.SENT),
        (DONE, [CONFIRMED, REJECTED], OrderStage.REJECTED),
        (DONE, [REJECTED, CONFIRMED], OrderStage.CONFIRMED),
        (DONE, [CONFIRMED, LATE], OrderStage.LATE),
        (DONE, [LATE, CHASED], OrderStage.LATE),
        (DONE, [LATE, PARTLY], OrderStage.PARTLY),
        (DONE, [CONFIRMED, received(a=10)], OrderStage.CONFIRMED),
        (DONE, [CONFIRMED, received(a=10), received(b=5)], OrderStage.RECEIVED),
        (DONE, [received()], OrderStage.RECEIVED),
        (DONE, [LATE, received()], OrderStage.RECEIVED),
        (DONE, [said(SupplierSays.PARTLY, a=4, b=0), received(a=4)], OrderStage.RECEIVED),
        (DONE, [received(), REJECTED], OrderStage.RECEIVED),
        # What nobody knew is known once the supplier speaks of it, or something came.
        (UNKNOWN, [CONFIRMED], OrderStage.CONFIRMED),
        (UNKNOWN, [SHIPPED], OrderStage.SENT),
        (UNKNOWN, [REJECTED], OrderStage.REJECTED),
        (UNKNOWN, [received(a=1)], OrderStage.SENT),
        (UNKNOWN, [received()], OrderStage.RECEIVED),
        (UNKNOWN, [NOTE], OrderStage.UNKNOWN),
        # A word about what was never sent changes nothing.
        (EffectStatus.FAILED, [CONFIRMED], OrderStage.FAILED),
        (EffectStatus.REFUSED, [received()], OrderStage.DECLINED),
    ],
)
def test_afterwards_its_entries_tell(
    status: EffectStatus, entries: list[OrderEntry], stage: OrderStage
) -> None:
    assert stage_of(status, "", False, entries, ORDERED) is stage


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ([], {"a": 10, "b": 5}),
        ([TAKEN, LATE, NOTE], {"a": 10, "b": 5}),
        ([said(SupplierSays.PARTLY, a=4)], {"a": 4, "b": 5}),
        ([said(SupplierSays.PARTLY, a=4), SHIPPED], {"a": 4, "b": 5}),
        ([said(SupplierSays.PARTLY, a=4), CONFIRMED], {"a": 10, "b": 5}),
        ([said(SupplierSays.PARTLY, a=0, x=9)], {"b": 5}),
        ([REJECTED], {}),
        ([received(a=4)], {"a": 6, "b": 5}),
        ([received(a=4), received(a=6, x=1)], {"b": 5}),
        ([received(a=40)], {"b": 5}),
        ([received(a=4), said(SupplierSays.PARTLY, a=4)], {"b": 5}),
        ([received(a=4), received()], {}),
    ],
)
def test_what_is_to_come_follows_the_last_word_and_what_came(
    entries: list[OrderEntry], left: dict[str, int]
) -> None:
    assert to_come(ORDERED, entries) == left


def test_it_is_due_when_it_was_promised_else_as_expected_from_the_day_it_was_sent() -> None:
    wanted = order("a", expected_on=date(2026, 3, 8))
    assert (promised_on(wanted), due_on(wanted)) == (None, date(2026, 3, 8))
    sent = wanted.model_copy(update={"sent_at": NOON + timedelta(days=2)})
    assert due_on(sent) == date(2026, 3, 10)
    days = said(SupplierSays.CONFIRMED, a=(4, "2026-03-12"), b=(5, "2026-03-09"))
    promised = sent.model_copy(update={"entries": [days, SHIPPED, received(a=4)]})
    assert (promised_on(promised), due_on(promised)) == (date(2026, 3, 12), date(2026, 3, 12))
