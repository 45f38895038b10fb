"""Drafts become orders: each supplier gets each once, or a person is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from blocks.business.terms import SupplierTerms
from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import EntryKind, OrderStage
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import utc_now
from flows.orchestrator.effects.answers import do_what_was_let, refuse
from flows.orchestrator.effects.perform import perform
from flows.orchestrator.effects.purchase_orders import purchase_orders
from flows.orchestrator.effects.sweep import sweep
from flows.orchestrator.purchasing.placing import place_orders
from tests.integration.flows.orchestrator.purchasing.buyer import Buyer, at
from tests.orders import effect_of
from tests.orders import order as an_order
from tests.suppliers import ASKED, KEYED, SILENT, Books, drafts, suppliers

AUTOMATIC, ASK, SHADOW = Approval.AUTOMATIC, Approval.ASK, Approval.SHADOW
SENT = OrderStage.CONFIRMED


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    async with suppliers() as books:
        yield books


async def place(buyer: Buyer, level: Approval, *orders: tuple[str, str], **more: Any) -> list[Any]:
    return await place_orders(buyer, drafts(*orders, **more), [], at(level))


async def settle(buyer: Buyer, days: int = 1) -> None:
    """What the sweeper does, the same time some days later."""
    business = buyer.business

    async def load() -> Any:
        return business

    kind = purchase_orders(buyer.ledger, load)
    await sweep(buyer, {kind.name: kind}, utc_now() + timedelta(days=days))


async def test_what_needs_no_yes_is_sent_at_once_and_answered(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(KEYED, ASKED, SILENT))
    placed = await place(buyer, AUTOMATIC, (KEYED, "ab"), (ASKED, "c"), (SILENT, "d"))
    assert [each.stage for each in placed] == [SENT, SENT, SENT]
    assert books.items == {"a": 1, "b": 1, "c": 1, "d": 1}
    order = await ledger.orders.get(placed[0].reference)
    assert (order.level, order.run_id, order.total) == (AUTOMATIC, buyer.run.id, Decimal("54.90"))
    assert order.lines[0].rule_units == {"Tryton": 12, "Odoo": 12, "ERPNext": 14}
    assert order.lines[0].facts["why_item"]
    (answer,) = order.entries
    assert (answer.kind, answer.by, answer.number) == (EntryKind.ANSWERED, "supplier", "S-1")
    assert "keyed has it as S-1 (confirmed)" in placed[0].detail
    await settle(buyer)
    assert books.posts == 3


async def test_who_is_asked_is_told_all_and_a_yes_sends_it(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(KEYED, SILENT))
    placed = await place(buyer, ASK, (KEYED, "ab"), (SILENT, "c"))
    assert [each.stage for each in placed] == [OrderStage.PROPOSED, OrderStage.PROPOSED]
    await settle(buyer)
    assert books.posts == 0
    questions = {q.title: q for q in await ledger.approvals.list()}
    assert set(questions) == {
        "Order 2 items from keyed?",
        "Order 10 of Item c from silent?",
    }
    question = questions["Order 2 items from keyed?"]
    assert question.resource == "supplier:keyed"
    for fact in (
        placed[0].reference,
        "54.90 USD (27.45 EUR): 50.00 USD for the goods and 4.90 freight",
        "lose 6.40 EUR",
        "- 10 × Item a (a) at 2.50 USD, 25.00: 2 are there",
        "keyed is the cheapest",
        "All is ask.",
    ):
        assert fact in question.detail
    order = await ledger.orders.get(placed[0].reference)
    assert order.approval_id == question.id
    _, counted = await ledger.approvals.answer(
        question.id, True, by="ann", via="cli", now=utc_now()
    )
    assert counted
    assert not (
        await ledger.approvals.answer(question.id, False, by="bob", via="cli", now=utc_now())
    )[1]


async def test_an_answer_is_applied_once(
    ledger: Ledger, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = Buyer(ledger, books.business(KEYED, SILENT))
    use(monkeypatch, buyer)
    await place(buyer, ASK, (KEYED, "a"), (SILENT, "c"))
    for question in await ledger.approvals.list():
        is_yes = "silent" in question.title
        answer = await ledger.approvals.answer(
            question.id, is_yes, by="ann", via="cli", note="wrong", now=utc_now()
        )
        for _ in range(2):
            if is_yes:
                assert "done" in await do_what_was_let(buyer, answer[0])
            else:
                await refuse(buyer, answer[0], "ann said no")
    assert books.items == {"c": 1}
    stages = {order.supplier: order for order in await ledger.orders.list()}
    assert {name: order.stage for name, order in stages.items()} == {
        SILENT: SENT,
        KEYED: OrderStage.DECLINED,
    }
    no = await ledger.approvals.get(stages[KEYED].approval_id or "")
    assert (no.note, stages[KEYED].effect_reason) == ("wrong", "rejected")


def use(monkeypatch: pytest.MonkeyPatch, buyer: Buyer) -> None:
    """Have the configured business be that of a buyer."""

    async def load() -> Any:
        return buyer.business

    kind = purchase_orders(buyer.ledger, load)
    monkeypatch.setattr("flows.orchestrator.effects.actions.purchase_orders", lambda _: kind)


async def test_a_shadow_is_on_record_and_never_sent(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    (placed,) = await place(buyer, SHADOW, (SILENT, "a"))
    assert placed.stage is OrderStage.SHADOW
    await settle(buyer)
    assert (books.posts, await ledger.approvals.list()) == (0, [])
    assert await ledger.orders.under_way() == []
    effect = (await ledger.effects.list())[0]
    assert (effect.status, effect.outcome.reason) == (EffectStatus.REFUSED, "shadow")


@pytest.mark.parametrize("way", [KEYED, ASKED])
@pytest.mark.parametrize("fault", ["hang", "page", "lost"])
async def test_an_answer_that_does_not_come_is_cleared_up_without_a_person(
    ledger: Ledger, books: Books, way: str, fault: str
) -> None:
    books.faults[way] = [fault]
    buyer = Buyer(ledger, books.business(way))
    (placed,) = await place(buyer, AUTOMATIC, (way, "a"))
    is_found = way == ASKED and fault != "lost"
    assert placed.stage is (SENT if is_found else OrderStage.SENDING)
    await settle(buyer)
    assert (await ledger.orders.get(placed.reference)).stage is SENT
    assert books.items == {"a": 1}
    assert await ledger.approvals.list() == []


@pytest.mark.parametrize("fault", ["hang", "page", "lost"])
async def test_who_can_neither_be_asked_nor_told_twice_gets_it_once_and_a_person_is_asked(
    ledger: Ledger, books: Books, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    books.faults[SILENT] = [fault]
    buyer = Buyer(ledger, books.business(SILENT))
    use(monkeypatch, buyer)
    (placed,) = await place(buyer, AUTOMATIC, (SILENT, "a"))
    assert placed.stage is OrderStage.UNKNOWN
    for days in (1, 2):
        await settle(buyer, days)
    assert books.posts == 1
    (again,) = await place(buyer, AUTOMATIC, (SILENT, "a"))
    assert again.stage is None
    assert placed.reference in again.detail
    (question,) = await ledger.approvals.list()
    assert question.title == f"Does silent have order {placed.reference}?"
    assert "Ask silent" in question.detail
    yes, _ = await ledger.approvals.answer(question.id, True, by="ann", via="cli", now=utc_now())
    await do_what_was_let(buyer, yes)
    assert books.posts == 2
    assert (await ledger.orders.get(placed.reference)).stage is SENT


async def test_who_did_not_answer_is_asked_anew_by_the_run_of_the_next_day(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    await place(buyer, ASK, (SILENT, "a"))
    shortest_day = timedelta(hours=23)  # that on which clocks go forward
    took_to_ask = timedelta(minutes=30)
    for question in await ledger.approvals.expire_due(utc_now() + shortest_day - took_to_ask):
        await refuse(buyer, question, "Nobody answered.")
    (placed,) = await place(buyer, ASK, (SILENT, "a"))
    assert placed.stage is OrderStage.PROPOSED, placed.detail


async def test_what_was_refused_for_sure_has_failed_and_its_need_is_free(
    ledger: Ledger, books: Books
) -> None:
    books.faults[SILENT] = ["refuse"]
    buyer = Buyer(ledger, books.business(SILENT))
    (placed,) = await place(buyer, AUTOMATIC, (SILENT, "a"))
    assert placed.stage is OrderStage.FAILED
    assert "no credit" in placed.detail
    (again,) = await place(buyer, AUTOMATIC, (SILENT, "a"))
    assert again.stage is SENT
    # What failed is not sent any more, now that its items are ordered again.
    effect = await ledger.effects.get((await ledger.orders.get(placed.reference)).effect_id)
    assert await ledger.effects.reopen(effect, utc_now())
    await settle(buyer)
    assert books.items == {"a": 1}
    assert (await ledger.orders.get(placed.reference)).stage is OrderStage.DECLINED


async def test_who_stood_still_for_too_long_does_not_send_beside_another(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(ASKED))
    (placed,) = await place(buyer, ASK, (ASKED, "a"))
    effect = await ledger.effects.get((await ledger.orders.get(placed.reference)).effect_id)

    async def load() -> Any:
        return buyer.business

    kind = purchase_orders(ledger, load)
    assert kind.act is not None
    await perform(buyer, kind, effect, kind.act, utc_now() + timedelta(seconds=1))
    assert books.posts == 0
    assert (await ledger.orders.get(placed.reference)).stage is OrderStage.SENDING
    await settle(buyer)
    assert books.items == {"a": 1}


async def test_what_nobody_said_yes_to_is_not_sent_days_later(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    days = {"a": 2, "b": 0}  # so long nothing ran that could send it
    for sku, ago in days.items():
        decided = utc_now() - timedelta(days=ago)
        wanted = an_order(sku, supplier=SILENT, proposed_at=decided)
        await ledger.orders.propose(wanted, effect_of(wanted, next_at=decided))
    await settle(buyer)
    assert books.items == {"b": 1}
    stages = {o.lines[0].sku: o.stage for o in await ledger.orders.list()}
    assert stages == {"a": OrderStage.DECLINED, "b": SENT}


async def test_a_supplier_that_is_away_gets_it_when_it_is_back(
    ledger: Ledger, books: Books
) -> None:
    away = books.supplier(SILENT).model_copy(update={"base_url": "http://127.0.0.1:9"})
    buyer = Buyer(ledger, books.business())
    (placed,) = await place(
        Buyer(ledger, type(buyer.business)(None, (away,))), AUTOMATIC, (SILENT, "a")
    )
    assert placed.stage is OrderStage.SENDING
    assert "could not be reached" in placed.detail or "refused" in placed.detail
    await settle(Buyer(ledger, books.business(SILENT)))
    assert books.items == {"a": 1}


async def test_who_cannot_tell_whether_it_has_it_is_not_sent_it_again(
    ledger: Ledger, books: Books
) -> None:
    books.faults[ASKED], books.mute = ["hang"], {ASKED}
    buyer = Buyer(ledger, books.business(ASKED))
    (placed,) = await place(buyer, AUTOMATIC, (ASKED, "a"))
    for days in range(1, 8):
        await settle(buyer, days)
    assert books.posts == 1
    order = await ledger.orders.get(placed.reference)
    assert order.stage is OrderStage.UNKNOWN
    assert len(await ledger.approvals.list()) == 1, "at the end of its schedule a person is asked"


async def test_a_supplier_that_no_longer_knows_an_order_again_is_not_sent_it_again(
    ledger: Ledger, books: Books
) -> None:
    books.faults[KEYED] = ["hang"]
    (placed,) = await place(Buyer(ledger, books.business(KEYED)), AUTOMATIC, (KEYED, "a"))
    assert placed.stage is OrderStage.SENDING
    plain = books.supplier(SILENT).model_copy(update={"name": KEYED})
    await settle(Buyer(ledger, type(books.business())(None, (plain,))))
    assert (await ledger.orders.get(placed.reference)).stage is OrderStage.UNKNOWN
    assert books.posts == 1
    assert len(await ledger.approvals.list()) == 1


async def test_items_that_are_under_way_are_left_out_and_the_rest_is_ordered(
    ledger: Ledger, books: Books
) -> None:
    terms = SupplierTerms(
        min_order_value=Decimal(40), freight=Decimal(7), free_freight_from=Decimal(75)
    )
    buyer = Buyer(ledger, books.business(SILENT, terms=terms))
    (first,) = await place(buyer, ASK, (SILENT, "a"))
    (second,) = await place(buyer, AUTOMATIC, (SILENT, "abc"))
    order = await ledger.orders.get(second.reference)
    assert [line.sku for line in order.lines] == ["b", "c"]
    assert (order.goods, order.freight, order.total) == (Decimal(50), Decimal(7), Decimal(57))
    assert order.total_in_store_currency == Decimal("28.50")
    assert f"1 item under way already, with {first.reference}." in second.detail
    (third,) = await place(buyer, AUTOMATIC, (SILENT, "ad"))
    assert third.stage is None
    assert "takes orders from 40.00" in third.detail
    (fourth,) = await place(buyer, AUTOMATIC, (SILENT, "ab"))
    assert "Nothing is left to order." in fourth.detail
    assert books.items == {"b": 1, "c": 1}


async def test_a_slip_is_refused_before_anything_is_on_record(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    (placed,) = await place(buyer, AUTOMATIC, (SILENT, "a"), units=10**18)
    assert placed.stage is None
    assert "1000000000000000000" in placed.detail
    assert (await ledger.orders.list(), books.posts) == ([], 0)


async def test_who_takes_no_orders_from_us_gets_none(ledger: Ledger, books: Books) -> None:
    plain = books.supplier(SILENT).model_copy(update={"ordering": None})
    buyer = Buyer(ledger, type(books.business())(None, (plain,)))
    (placed,) = await place(buyer, AUTOMATIC, (SILENT, "a"))
    assert (placed.stage, await ledger.orders.list()) == (None, [])
    assert "order by hand" in placed.detail


async def test_fewer_pieces_or_a_higher_price_are_no_confirmation(
    ledger: Ledger, books: Books
) -> None:
    books.changes = {SILENT: {"units": 4}, KEYED: {"unit_cost": 2.75}}
    buyer = Buyer(ledger, books.business(SILENT, KEYED))
    placed = await place(buyer, AUTOMATIC, (SILENT, "a"), (KEYED, "b"))
    assert [each.stage for each in placed] == [OrderStage.PARTLY, OrderStage.PARTLY]
    assert "4 of 10" in placed[0].detail
    assert "2.75 instead of 2.50" in placed[1].detail
