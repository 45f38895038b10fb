"""Orders in the ledger: one per need however many decide at once, and what becomes of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from blocks.errors import LedgerError, NotFound, RequestError
from blocks.ledger import EffectOutcome, Ledger
from blocks.ledger.purchasing.orders import LeadTime
from blocks.ledger.purchasing.proposing import Taken
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.purchasing.stages import still_to_come
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.purchasing import SupplierSays
from tests.orders import NOON, effect_of, order, received, said

DAY = timedelta(days=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def propose(
    ledger: Ledger, wanted: OrderRecord, seen: tuple[str, ...] = (), **effect: Any
) -> OrderRecord | Taken:
    return await ledger.orders.propose(wanted, effect_of(wanted, **effect), seen)


async def proposed(ledger: Ledger, wanted: OrderRecord, *seen: str, **effect: Any) -> OrderRecord:
    kept = await propose(ledger, wanted, seen, **effect)
    assert isinstance(kept, OrderRecord)
    return kept


async def closed(ledger: Ledger, wanted: OrderRecord, status: EffectStatus) -> OrderRecord:
    """The order once an attempt to send it came to this."""
    effect = await ledger.effects.get(wanted.effect_id)
    begun = await ledger.effects.begin(effect, NOON, NOON + DAY)
    assert begun is not None
    assert await ledger.effects.close(begun, status, EffectOutcome(), NOON + DAY)
    return await ledger.orders.get(wanted.reference)


async def test_an_order_reads_back_as_it_was_proposed(ledger: Ledger) -> None:
    wanted = order(
        "a",
        "ü",
        site="berlin",
        total_in_store_currency=Decimal("1234567890123.45"),
        run_id="run",
        lines=[
            {
                "sku": "a",
                "units": 10**9,
                "unit_cost": Decimal("0.0001"),
                "group": "toys",
                "rule_units": {"tryton": 12.5},
                "facts": {"why": ["€", None]},
            },
            {"sku": "ü", "units": 1, "unit_cost": Decimal("999999999999.99")},
        ],
    )
    kept = await proposed(ledger, wanted)
    assert [line.need_key for line in kept.lines] == ["a@berlin after none", "ü@berlin after none"]
    lines = [line.model_copy(update={"need_key": ""}) for line in kept.lines]
    assert kept.model_copy(update={"lines": lines, "stage": OrderStage.PROPOSED}) == wanted
    assert kept.stage is OrderStage.APPROVED
    assert (await ledger.effects.get(kept.effect_id)).need_key == f"order {kept.id}"
    for name in (kept.reference, kept.reference[:8], kept.id, kept.id[:6]):
        assert await ledger.orders.get(name) == kept
    assert await ledger.orders.of_effect(kept.effect_id) == kept
    assert await ledger.orders.of_effect("another") is None
    with pytest.raises(NotFound):
        await ledger.orders.get("PO-nothing")
    with pytest.raises(RequestError, match="too short"):
        await ledger.orders.get("PO-")


async def test_of_many_that_want_the_same_item_one_orders_it(
    ledger: Ledger, ledger_url: str
) -> None:
    with Ledger.open(ledger_url) as other:
        for _ in range(10):
            rivals = [order("a", "b"), order("b", "c"), order("c", "a")]
            came = await asyncio.gather(
                *(
                    (ledger, other)[n % 2].orders.propose(o, effect_of(o))
                    for n, o in enumerate(rivals)
                )
            )
            (kept,) = [order for order in came if isinstance(order, OrderRecord)]
            taken = [each for each in came if isinstance(each, Taken)]
            assert {by.id for each in taken for by in each.by.values()} == {kept.id}
            for each in rivals:
                if each.id != kept.id:  # all or nothing
                    assert await ledger.orders.of_effect(each.effect_id) is None
                    with pytest.raises(NotFound):
                        await ledger.effects.get(each.effect_id)
            assert [o.id for o in await ledger.orders.under_way()] == [kept.id]
            await closed(ledger, kept, EffectStatus.FAILED)


async def test_what_may_be_on_its_way_is_not_ordered_again(ledger: Ledger) -> None:
    first = await proposed(ledger, order("a"))
    again = await propose(ledger, order("a", "b"), (first.id,))
    assert isinstance(again, Taken)
    assert {sku: by.id for sku, by in again.by.items()} == {"a": first.id}
    assert isinstance(await propose(ledger, order("a", site="berlin")), OrderRecord)
    unknown = await closed(ledger, first, EffectStatus.UNKNOWN)
    assert unknown.stage is OrderStage.UNKNOWN
    assert isinstance(await propose(ledger, order("a"), (first.id,)), Taken)


async def test_after_an_order_that_was_sent_only_who_knew_of_it_orders_more(
    ledger: Ledger,
) -> None:
    first = await closed(ledger, await proposed(ledger, order("a")), EffectStatus.DONE)
    assert (first.stage, first.sent_at) == (OrderStage.SENT, NOON + DAY)
    assert isinstance(await propose(ledger, order("a")), Taken)
    second = await proposed(ledger, order("a", proposed_at=NOON - DAY), first.id)
    assert second.lines[0].need_key == f"a@ after {first.id}"
    third = await propose(ledger, order("a"), (first.id,))
    assert isinstance(third, Taken), "a clock that is behind does not hide the last order"
    assert third.by["a"].id == second.id


@pytest.mark.parametrize("status", [EffectStatus.FAILED, EffectStatus.REFUSED])
async def test_an_item_whose_order_is_over_is_ordered_anew(
    ledger: Ledger, status: EffectStatus
) -> None:
    first = await closed(ledger, await proposed(ledger, order("a")), status)
    assert await ledger.orders.under_way() == []
    assert isinstance(await propose(ledger, order("a")), OrderRecord)
    assert first.stage.is_over


async def test_an_order_that_has_an_item_twice_is_refused_whole(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="twice"):
        await propose(ledger, order("a", "b", "a"))
    assert await ledger.orders.list() == []
    assert await ledger.effects.list() == []


async def test_an_order_that_waits_for_a_yes_is_proposed_even_before_it_is_asked(
    ledger: Ledger,
) -> None:
    wanted = await proposed(ledger, order("a"), approval_id="q", next_at=NOON)
    assert (wanted.stage, wanted.approval_id) == (OrderStage.PROPOSED, "q")
    effect = await ledger.effects.get(wanted.effect_id)
    assert await ledger.effects.asked(effect, "q")
    assert (await ledger.orders.get(wanted.id)).stage is OrderStage.PROPOSED


async def test_entries_are_added_once_in_the_order_in_which_they_came(ledger: Ledger) -> None:
    sent = await closed(ledger, await proposed(ledger, order("a", "b")), EffectStatus.DONE)
    partly = said(SupplierSays.PARTLY, a=(4, "2026-03-09"), b=10)
    partly = partly.model_copy(update={"number": "SO-7", "detail": "Sold out."})
    note = OrderEntry(key="n", kind=EntryKind.NOTE, at=NOON - DAY, by="ann", detail="They called.")
    for entry in (partly, note):
        assert await ledger.orders.enter(sent.id, entry)
        assert not await ledger.orders.enter(sent.id, entry.model_copy(update={"detail": "again"}))
    known = await ledger.orders.get(sent.id)
    assert known.entries == [partly, note]
    assert (known.stage, still_to_come(known)) == (OrderStage.PARTLY, {"a": 4, "b": 10})
    with pytest.raises(NotFound):
        await ledger.orders.enter("nothing", note)


async def test_what_came_ends_it_and_a_correction_revives_it(ledger: Ledger) -> None:
    sent = await closed(ledger, await proposed(ledger, order("a")), EffectStatus.DONE)
    await ledger.orders.enter(sent.id, said(SupplierSays.REJECTED))
    assert await ledger.orders.under_way() == []
    await ledger.orders.enter(sent.id, said(SupplierSays.CONFIRMED, a=(10, "2026-03-09")))
    assert [o.stage for o in await ledger.orders.under_way()] == [OrderStage.CONFIRMED]
    assert await ledger.orders.lead_times("acme") == []
    came = received().model_copy(update={"at": NOON + 9 * DAY})
    await ledger.orders.enter(sent.id, came)
    assert await ledger.orders.under_way() == []
    took = LeadTime(date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 10), 10)
    assert await ledger.orders.lead_times("acme") == [took]
    assert await ledger.orders.lead_times("another") == []


async def test_what_is_known_before_it_counts_as_sent_ends_it_as_well(ledger: Ledger) -> None:
    wanted = await proposed(ledger, order("a"))
    assert await ledger.orders.enter(wanted.id, received(a=10))
    sent = await closed(ledger, wanted, EffectStatus.DONE)
    assert sent.stage is OrderStage.RECEIVED
    (took,) = await ledger.orders.lead_times("acme")
    assert took.units == 10


async def test_both_halves_that_come_at_once_make_it_whole(ledger: Ledger, ledger_url: str) -> None:
    sent = await closed(ledger, await proposed(ledger, order("a")), EffectStatus.DONE)
    with Ledger.open(ledger_url) as other:
        await asyncio.gather(
            *(each.orders.enter(sent.id, received(a=5)) for each in (ledger, other))
        )
    assert (await ledger.orders.get(sent.id)).stage is OrderStage.RECEIVED
    assert await ledger.orders.under_way() == []


async def test_orders_are_found_by_stage_and_item_newest_first(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.ledger.purchasing.orders._PAGE", 2)
    made = [
        await proposed(ledger, order(sku, "x" * number, proposed_at=NOON + number * DAY))
        for number, sku in enumerate("abcde", start=1)
    ]
    for each in (made[0], made[3]):
        await closed(ledger, each, EffectStatus.DONE)
    orders = ledger.orders
    newest = [order.id for order in reversed(made)]
    assert [order.id for order in await orders.list()] == newest
    assert [order.id for order in await orders.list(limit=3)] == newest[:3]
    assert [o.id for o in await orders.list([OrderStage.SENT])] == [made[3].id, made[0].id]
    assert [o.id for o in await orders.list([OrderStage.SENT], limit=1)] == [made[3].id]
    assert [o.id for o in await orders.of_skus(["a", "d", "z"])] == [made[3].id, made[0].id]
    assert [order.id for order in await orders.under_way()] == newest[::-1]
