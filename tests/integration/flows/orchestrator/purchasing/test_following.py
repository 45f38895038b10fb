"""Orders followed to their end: what suppliers say, what is late, what came, what people say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pandas as pd
import pytest

from blocks.errors import InvalidMessage, NotFound, RequestError
from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import EntryKind, OrderRecord, OrderStage
from blocks.ledger.purchasing.stages import due_on, still_to_come
from blocks.vocabulary.effects import Approval
from blocks.vocabulary.frames import Problem, Snapshot
from blocks.vocabulary.messages import utc_now
from blocks.vocabulary.purchasing import SupplierSays
from flows.orchestrator.purchasing.arriving import take_arrivals
from flows.orchestrator.purchasing.by_hand import add_note, cancel, mark_received, pass_on
from flows.orchestrator.purchasing.following import follow_orders
from flows.orchestrator.purchasing.placing import place_orders
from flows.orchestrator.team.netting import with_orders_under_way
from tests.integration.flows.orchestrator.purchasing.buyer import Buyer, at
from tests.loopback import Reply, Request
from tests.suppliers import ASKED, SILENT, WEB_PAGE, Books, drafts, suppliers

NOW = utc_now()
DAY = timedelta(days=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    async with suppliers() as books:
        yield books


async def ordered(buyer: Buyer, way: str, skus: str, level: Approval = Approval.AUTOMATIC) -> str:
    soon = f"{(NOW + 4 * DAY).date()}"
    plan = drafts((way, skus), arrives_on=soon)
    (placed,) = await place_orders(buyer, plan, [], at(level))
    return placed.reference


async def stage(ledger: Ledger, reference: str) -> OrderStage:
    return (await ledger.orders.get(reference)).stage


async def test_each_word_is_entered_once_and_a_change_of_mind_is_a_correction(
    ledger: Ledger, books: Books
) -> None:
    books.says = {ASKED: "taken"}
    buyer = Buyer(ledger, books.business(ASKED))
    reference = await ordered(buyer, ASKED, "ab")
    assert await stage(ledger, reference) is OrderStage.SENT

    async def hears(says: str, **changes: object) -> OrderStage:
        books.says, books.changes = {ASKED: says}, {ASKED: changes}
        for _ in range(2):
            assert await follow_orders(buyer, buyer.business, NOW) == []
        return await stage(ledger, reference)

    assert await hears("taken") is OrderStage.SENT
    assert await hears("confirmed") is OrderStage.CONFIRMED
    assert await hears("confirmed", unit_cost=2.8) is OrderStage.PARTLY
    assert await hears("confirmed", units=6) is OrderStage.PARTLY
    assert await hears("confirmed") is OrderStage.CONFIRMED
    assert await hears("rejected") is OrderStage.REJECTED
    order = await ledger.orders.get(reference)
    assert [(entry.kind.value, entry.says) for entry in order.entries] == [
        ("answered", "taken"),
        ("answered", "confirmed"),
        ("corrected", "partly"),
        ("corrected", "partly"),
        ("corrected", "confirmed"),
        ("corrected", "rejected"),
    ]
    assert "2.8 instead of 2.50" in order.entries[2].detail
    assert still_to_come(order) == {}


async def test_a_supplier_that_has_no_such_order_is_noted_and_one_that_is_away_told(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(ASKED))
    reference = await ordered(buyer, ASKED, "a")
    books.mute = {ASKED}
    (fault,) = await follow_orders(buyer, buyer.business, NOW)
    assert fault.startswith("asked was not asked about its orders")
    books.mute, books.taken = set(), []
    for _ in range(2):
        assert await follow_orders(buyer, buyer.business, NOW) == []
    (_, note) = (await ledger.orders.get(reference)).entries
    assert "does not have the order" in note.detail


async def test_of_what_nobody_knows_somebody_is_reminded_when_its_question_is_over(
    ledger: Ledger, books: Books
) -> None:
    books.faults[SILENT] = ["hang"]
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")

    async def after(days: int) -> list[str]:
        for _ in range(2):
            await follow_orders(buyer, buyer.business, NOW + days * DAY)
        return [entry.kind.value for entry in (await ledger.orders.get(reference)).entries]

    assert await after(1) == []
    assert await after(3) == ["chased"]
    assert await after(6) == ["chased", "chased"]
    assert await stage(ledger, reference) is OrderStage.UNKNOWN, "its items are not ordered again"
    await pass_on(ledger, reference, SupplierSays.REJECTED, {}, by="ann", now=NOW)
    assert await after(9) == ["chased", "chased", "answered"]


async def test_garbage_about_one_order_leaves_the_others_followed(
    ledger: Ledger, books: Books
) -> None:
    books.says = {ASKED: "taken"}
    buyer = Buyer(ledger, books.business(ASKED))
    first, second = [await ordered(buyer, ASKED, sku) for sku in "ab"]
    books.says = {ASKED: "confirmed"}

    def garbled(request: Request) -> Reply:
        return WEB_PAGE if request.path.endswith(first) else books.answer(request)

    books.server.answer = garbled
    (fault,) = await follow_orders(buyer, buyer.business, NOW)
    assert fault.startswith(f"asked did not tell of {first}: ")
    assert await stage(ledger, first) is OrderStage.SENT
    assert await stage(ledger, second) is OrderStage.CONFIRMED


async def test_what_is_late_is_chased_again_and_again_until_it_is_there(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")
    due = due_on(await ledger.orders.get(reference))

    async def on(days: int) -> list[str]:
        for _ in range(2):
            await follow_orders(buyer, buyer.business, NOW + (4 + days) * DAY)
        order = await ledger.orders.get(reference)
        return [entry.kind.value for entry in order.entries]

    assert await on(0) == ["answered"], "it may come until midnight"
    assert await on(1) == ["answered", "late", "chased"]
    assert await stage(ledger, reference) is OrderStage.LATE
    assert await on(2) == ["answered", "late", "chased"]
    assert await on(3) == ["answered", "late", "chased", "chased"]
    late = (await ledger.orders.get(reference)).entries[1]
    assert late.key == f"late {due}"
    await mark_received(ledger, reference, {}, by="ann", now=NOW + 7 * DAY)
    assert await on(9) == ["answered", "late", "chased", "chased", "received"]


def listing(**units: float) -> Snapshot:
    """A store with these open order lines, by reference."""
    rows = [
        {"order_id": name.replace("_", "-"), "supplier": "s", "sku": "a", "units": n}
        for name, n in units.items()
    ]
    frame = pd.DataFrame(rows, columns=["order_id", "supplier", "sku", "units"])
    for name in ("ordered_at", "expected_at"):
        frame[name] = pd.Series([NOW] * len(frame), dtype="datetime64[us, UTC]")
    return Snapshot(NOW, {"open_orders": frame})


async def test_a_store_that_lists_our_order_tells_what_came_of_it(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")
    name = reference.replace("-", "_")

    async def looks(snapshot: Snapshot) -> tuple[OrderStage, dict[str, int]]:
        for _ in range(2):
            await take_arrivals(ledger, await ledger.orders.under_way(), snapshot, NOW)
        order = await ledger.orders.get(reference)
        return order.stage, still_to_come(order)

    confirmed = OrderStage.CONFIRMED
    assert await looks(listing(other=7.0)) == (confirmed, {"a": 10}), "never listed: nothing told"
    assert await looks(listing(**{name: 10.0})) == (confirmed, {"a": 10})
    assert await looks(listing(**{name: 7.0})) == (confirmed, {"a": 7})
    stale = listing()
    stale.stale_because = "the store is away"
    assert await looks(stale) == (confirmed, {"a": 7})
    assert await looks(Snapshot(NOW, {})) == (confirmed, {"a": 7})
    assert await looks(listing()) == (OrderStage.RECEIVED, {})
    (took,) = await ledger.orders.lead_times(SILENT)
    assert took.received_on == NOW.date()


async def test_what_the_store_could_not_read_has_not_come(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")

    async def looks(snapshot: Snapshot) -> dict[str, int]:
        await take_arrivals(ledger, await ledger.orders.under_way(), snapshot, NOW)
        return still_to_come(await ledger.orders.get(reference))

    assert await looks(listing(**{reference.replace("-", "_"): 10.0})) == {"a": 10}
    torn = listing()
    torn.problems.append(Problem("open_orders", "units", "not a number", 1, "ten"))
    assert await looks(torn) == {"a": 10}
    odd = listing()
    odd.problems.append(Problem("open_orders", "expected_at", "unreadable", 1, kept=True))
    assert await looks(odd) == {}


async def test_what_a_person_and_the_store_tell_of_one_delivery_came_once(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")
    name = reference.replace("-", "_")

    async def listed(units: float) -> dict[str, int]:
        snapshot = listing(**{name: units})
        await take_arrivals(ledger, await ledger.orders.under_way(), snapshot, NOW)
        return still_to_come(await ledger.orders.get(reference))

    assert await listed(10.0) == {"a": 10}
    await mark_received(ledger, reference, {"a": 5}, by="ann", now=NOW)
    assert await listed(5.0) == {"a": 5}
    assert await listed(2.0) == {"a": 2}
    assert await listed(1.0) == {"a": 1}


async def test_where_no_more_will_come_than_came_it_is_all_there(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a")
    await mark_received(ledger, reference, {"a": 6}, by="ann", now=NOW)
    word = await pass_on(ledger, reference, SupplierSays.PARTLY, {"a": 6}, by="ann", now=NOW)
    assert word.stage is OrderStage.RECEIVED
    await follow_orders(buyer, buyer.business, NOW + 9 * DAY)
    assert await stage(ledger, reference) is OrderStage.RECEIVED, "nothing is chased"
    word = await ledger.orders.get(reference)
    assert [entry.kind for entry in word.entries][-2:] == [EntryKind.RECEIVED, EntryKind.CORRECTED]


async def test_what_is_under_way_is_on_order_once(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    first = await ordered(buyer, SILENT, "a")
    second = await ordered(buyer, SILENT, "b", Approval.ASK)
    await ordered(buyer, SILENT, "c", Approval.SHADOW)
    await mark_received(ledger, first, {"a": 4}, by="ann", now=NOW)
    under_way = await ledger.orders.under_way()
    bare = Snapshot(NOW, {}, timezone="America/New_York")
    lines = with_orders_under_way(bare, under_way).frames["open_orders"]
    found = {row.order_id: (row.sku, row.units) for row in lines.itertuples()}
    assert found == {first: ("a", 6.0), second: ("b", 10.0)}
    due = lines["expected_at"].dt.tz_convert("America/New_York").dt.date
    assert list(due) == [due_on(order) for order in under_way]
    known = listing(**{first.replace("-", "_"): 5.0, "x": 1.0})
    lines = with_orders_under_way(known, under_way).frames["open_orders"]
    assert sorted(lines["units"]) == [1.0, 5.0, 10.0], "what the store lists is the store's to say"
    assert with_orders_under_way(bare, []) is bare


async def test_what_a_person_says_counts_and_a_slip_is_refused(
    ledger: Ledger, books: Books
) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "ab")
    says = {"by": "ann", "now": NOW}

    order = await pass_on(ledger, reference, SupplierSays.PARTLY, {"a": 4}, number="S-9", **says)
    assert (order.stage, still_to_come(order)) == (OrderStage.PARTLY, {"a": 4, "b": 10})
    again = await pass_on(ledger, reference, SupplierSays.PARTLY, {"a": 4}, number="S-9", **says)
    assert again.entries == order.entries
    order = await mark_received(ledger, reference, {"a": 4}, **says)
    assert still_to_come(order) == {"b": 10}
    order = await add_note(ledger, reference, " wrong: twice too many ", **says)
    assert (order.entries[-1].kind, order.entries[-1].detail) == (
        EntryKind.NOTE,
        "wrong: twice too many",
    )
    before = order.entries
    with pytest.raises(RequestError, match="no item 'A'"):
        await mark_received(ledger, reference, {"A": 1}, **says)
    with pytest.raises(InvalidMessage, match="1000000000000000000"):
        await mark_received(ledger, reference, {"a": 10**18}, **says)
    with pytest.raises(InvalidMessage, match="-1"):
        await pass_on(ledger, reference, SupplierSays.PARTLY, {"a": -1}, **says)
    with pytest.raises(RequestError, match="empty"):
        await add_note(ledger, reference, " ", **says)
    with pytest.raises(NotFound):
        await mark_received(ledger, "PO-999999", {}, **says)
    with pytest.raises(RequestError, match="waits for no yes"):
        await cancel(ledger, reference, by="ann", via="cli")
    assert (await ledger.orders.get(reference)).entries == before
    order = await mark_received(ledger, reference, {}, **says)
    assert order.stage is OrderStage.RECEIVED
    with pytest.raises(RequestError, match="received already"):
        await mark_received(ledger, reference, {}, **says)


async def test_of_what_was_never_sent_nothing_can_have_come(ledger: Ledger, books: Books) -> None:
    buyer = Buyer(ledger, books.business(SILENT))
    reference = await ordered(buyer, SILENT, "a", Approval.SHADOW)
    with pytest.raises(RequestError, match="it is shadow"):
        await mark_received(ledger, reference, {}, by="ann", now=NOW)
    with pytest.raises(RequestError, match="it is shadow"):
        await pass_on(ledger, reference, SupplierSays.CONFIRMED, {}, by="ann", now=NOW)


async def test_a_person_who_asked_the_supplier_settles_what_nobody_knew(
    ledger: Ledger, books: Books
) -> None:
    books.faults[SILENT] = ["lost", "hang"]
    buyer = Buyer(ledger, books.business(SILENT))
    lost, taken = await ordered(buyer, SILENT, "a"), await ordered(buyer, SILENT, "b")
    for reference in (lost, taken):
        assert await stage(ledger, reference) is OrderStage.UNKNOWN
    word = await pass_on(ledger, lost, SupplierSays.REJECTED, {}, by="ann", now=NOW)
    assert word.stage is OrderStage.REJECTED
    word = await pass_on(ledger, taken, SupplierSays.CONFIRMED, {}, by="ann", now=NOW)
    assert word.stage is OrderStage.CONFIRMED
    assert await stage(ledger, await ordered(buyer, SILENT, "a")) is OrderStage.CONFIRMED
    orders: list[OrderRecord] = list(await ledger.orders.under_way())
    assert {order.reference for order in orders} >= {taken}
    assert books.items == {"a": 1, "b": 1}
