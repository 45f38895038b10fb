"""Who has to let an order happen, by a real ledger: earned, lost at once, within its limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord
from blocks.ledger.work.approvals import ApprovalRecord, question_key
from blocks.ledger.work.effects import EffectOutcome
from blocks.policy.policy import Policy
from blocks.vocabulary.effects import Approval, EffectStatus
from flows.orchestrator.purchasing.autonomy import keep_outcomes, ladder_of, levels, settle_bad_ones
from tests.orders import NOON, effect_of, order
from tests.unit.flows.orchestrator.purchasing.histories import BEGIN, history

FREE = Policy.extended({"autonomy": {"ceiling": "automatic"}})
LATER = BEGIN + timedelta(days=60)
"""When thirty good orders of tea are settled."""


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


@pytest.fixture
async def proven(ledger: Ledger) -> Ledger:
    """A ledger in which tea has earned that nobody is asked."""
    await keep_outcomes(ledger, FREE, history([6.0] * 30))
    return ledger


def of(*groups: str, worth: str | None = "100.00", **given: Any) -> OrderRecord:
    """An order with an item of each group."""
    lines = [
        {"sku": f"sku-{n}-{group}", "units": 1, "unit_cost": Decimal(1), "group": group}
        for n, group in enumerate(groups)
    ]
    total = None if worth is None else Decimal(worth)
    return order("x", lines=lines, total_in_store_currency=total, **given)


async def proposed(ledger: Ledger, wanted: OrderRecord, **effect: Any) -> OrderRecord:
    kept = await ledger.orders.propose(wanted, effect_of(wanted, **effect))
    assert isinstance(kept, OrderRecord)
    return kept


async def refused(ledger: Ledger, wanted: OrderRecord) -> None:
    effect = await ledger.effects.get(wanted.effect_id)
    closed = await ledger.effects.close(effect, EffectStatus.REFUSED, EffectOutcome(), LATER)
    assert closed is not None


async def test_before_anything_is_known_people_decide(ledger: Ledger):
    level, why = (await levels(ledger, FREE, LATER))(of("tea"))
    assert level is Approval.ASK
    assert why.startswith("tea: ask. Where every group begins.")
    assert (await levels(ledger, FREE, LATER))(of(""))[1].startswith("Items of no group: ask.")


async def test_what_is_proven_is_sent_unasked_up_to_the_ceiling(proven: Ledger):
    level, why = (await levels(proven, FREE, LATER))(of("tea"))
    assert level is Approval.AUTOMATIC
    assert why.startswith("tea: automatic. 20 lines of 20 orders saved 120.00 EUR")
    assert (await levels(proven, Policy(), LATER))(of("tea"))[0] is Approval.ASK
    shadow = Policy.extended(
        {
            "autonomy": {"ceiling": "automatic"},
            "effects": {"approval": {"purchase-order": "shadow"}},
        }
    )
    level, why = (await levels(proven, shadow, LATER))(of("tea"))
    assert (level, why) == (Approval.SHADOW, "The policy has shadow for every purchase-order.")


async def test_at_prices_of_earlier_days_a_person_decides(proven: Ledger):
    order = of("tea")
    level_of = await levels(proven, FREE, LATER, down=[order.supplier])
    assert level_of(order) == (
        Approval.ASK,
        f"{order.supplier} did not answer today: its prices are those of earlier.",
    )


async def test_an_order_has_the_level_of_its_least_free_group(proven: Ledger):
    level, why = (await levels(proven, FREE, LATER))(of("tea", "rum"))
    assert (level, why.split(".")[0]) == (Approval.ASK, "rum: ask")


@pytest.mark.parametrize(
    ("worth", "why"),
    [
        ("500.00", ""),
        ("500.01", "It is worth 500.01, and up to 500.00 an order is sent without asking."),
        (None, "Nobody knows what USD is worth in the store's money."),
    ],
)
async def test_what_is_worth_much_or_nobody_knows_what_is_asked_about(proven, worth, why):
    level, told = (await levels(proven, FREE, LATER))(of("tea", worth=worth))
    assert level is (Approval.ASK if why else Approval.AUTOMATIC)
    assert told == why or not why


async def test_the_days_limit_counts_what_was_sent_unasked_in_this_run_and_before(proven: Ledger):
    before = LATER - timedelta(hours=23)
    await proposed(proven, of("tea", worth="400", proposed_at=before))
    await proposed(proven, of("rum", worth="900", proposed_at=before, level=Approval.ASK))
    gone = await proposed(proven, of("oil", worth="900", proposed_at=before))
    await refused(proven, gone)
    await proposed(proven, of("ale", worth="900", proposed_at=LATER - timedelta(hours=25)))
    level_of = await levels(proven, FREE, LATER)
    wanted = [of("tea", worth="500") for _ in range(4)]
    given = [level_of(each)[0].value for each in wanted]
    assert given == ["automatic", "automatic", "automatic", "ask"], "400 and 500 three times"
    assert level_of(wanted[0])[0] is Approval.AUTOMATIC, "asked again it counts once"
    assert level_of(of("tea", worth="100.00"))[0] is Approval.AUTOMATIC, "there are 100 left"
    assert level_of(wanted[3])[1] == (
        "With it 2,500.00 would be sent within a day without asking; the limit is 2,000.00."
    )


async def test_a_persons_word_costs_the_level_at_once(proven: Ledger):
    sent = await proposed(proven, of("tea", proposed_at=LATER))
    assert (await levels(proven, FREE, LATER))(of("tea"))[0] is Approval.AUTOMATIC
    word = OrderEntry(
        key="n", kind=EntryKind.NOTE, at=LATER, by="Anna", detail="wrong, we have plenty"
    )
    await proven.orders.enter(sent.id, word)
    level, why = (await levels(proven, FREE, LATER))(of("tea"))
    assert level is Approval.ASK
    assert f"Anna said of {sent.reference}: wrong, we have plenty" in why
    assert await settle_bad_ones(proven, FREE, LATER) == [], "it is settled once"


async def test_a_no_that_calls_it_wrong_costs_it_too(proven: Ledger):
    wanted = of("tea", proposed_at=LATER)
    asked = ApprovalRecord(
        need_key=question_key(wanted.effect_id, 0),
        title="Order?",
        proposal={"kind": "effect"},
        asked_at=LATER,
        expires_at=LATER + timedelta(days=1),
    )
    await proposed(proven, wanted, approval_id=asked.id)
    assert await settle_bad_ones(proven, FREE, LATER) == [], "the question is not on record yet"
    await proven.approvals.ask(asked)
    answer = {"by": "Anna", "via": "cli", "note": "Wrong: discontinued.", "now": LATER}
    await proven.approvals.answer(asked.id, False, **answer)
    await refused(proven, wanted)
    (bad,) = await settle_bad_ones(proven, FREE, LATER)
    assert (bad.group, bad.savings, bad.level) == ("tea", None, Approval.AUTOMATIC)
    assert bad.bad == f"Anna said no to {wanted.reference}: Wrong: discontinued."


async def test_each_step_leaves_one_receipt_however_often_it_is_looked_at(proven: Ledger):
    for _ in range(2):
        await keep_outcomes(proven, FREE, [])
    (left,) = await proven.receipts.of(kind=ReceiptKind.ENTRUST)
    assert (left.subject, left.policy_version) == ("group:tea", FREE.version)
    assert left.body["decision"] == {"level": "automatic"}
    assert left.body["why"].startswith("20 lines of 20 orders saved")
    assert (await proven.receipts.verify()).sound
    (standing,) = await ladder_of(proven, FREE.autonomy)
    assert standing.level is Approval.AUTOMATIC


async def test_old_orders_are_not_looked_at_any_more(ledger: Ledger):
    old = await proposed(ledger, of("tea", proposed_at=NOON))
    word = OrderEntry(key="n", kind=EntryKind.NOTE, at=NOON, by="Anna", detail="wrong")
    await ledger.orders.enter(old.id, word)
    assert await settle_bad_ones(ledger, FREE, NOON + timedelta(days=400)) == []
    assert len(await settle_bad_ones(ledger, FREE, NOON + timedelta(days=9))) == 1
