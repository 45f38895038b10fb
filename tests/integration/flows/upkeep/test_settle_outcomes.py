"""What orders came to, settled hour by hour from what the ledger knows of the store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from blocks.ledger import Ledger
from blocks.ledger.purchasing.records import EntryKind, OrderEntry, OrderRecord, OrderStage
from blocks.ledger.work.effects import EffectOutcome
from blocks.vocabulary.effects import Approval, EffectStatus
from blocks.vocabulary.messages import Outcome, utc_now
from flows.orchestrator.purchasing.section import TITLE
from flows.sequential_workflow import sequential_workflow
from flows.upkeep.settle_outcomes import settle_outcomes
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import Shop
from tests.orders import effect_of, order
from tests.unit.agents.data_intelligence.predictive_analytics.purchasing.test_judging import facts

pytestmark = pytest.mark.prefect

BEST = "85123A"


async def shadowed(ledger: Ledger, days_ago: int, *skus: str, **line: Any) -> OrderRecord:
    """An order that was never to be sent, of so many days ago, on record."""
    at = utc_now() - timedelta(days=days_ago)
    given: dict[str, Any] = {
        "units": 60,
        "unit_cost": "1.00",
        "group": "hearts",
        "rule_units": {"Tryton": 20, "Odoo": 36, "ERPNext": 120},
    }
    lines = [{"sku": sku, "facts": facts(sku)} | given | line for sku in skus]
    wanted = order(
        "x",
        lines=lines,
        currency="GBP",
        level=Approval.SHADOW,
        proposed_at=at,
        expected_on=at.date() + timedelta(days=7),
    )
    refused = effect_of(
        wanted,
        status=EffectStatus.REFUSED,
        outcome=EffectOutcome(reason="shadow"),
        finished_at=at,
    )
    kept = await ledger.orders.propose(wanted, refused)
    assert isinstance(kept, OrderRecord)
    assert kept.stage is OrderStage.SHADOW
    return kept


async def test_an_order_whose_days_are_over_is_settled_once_from_the_last_snapshot(
    shop: Shop, ledger: Ledger
):
    over = await shadowed(ledger, 25, BEST, "gone")
    await shadowed(ledger, 3, "22423")
    _, before = await ran(settle_outcomes)
    assert before.missing == ["what orders came to: the store has not been read yet"]
    assert await ledger.order_outcomes.list() == []

    await ran(sequential_workflow)
    state, report = await ran(settle_outcomes)
    assert (state.name, report.outcome, report.missing) == ("Completed", Outcome.SUCCEEDED, [])
    told, untold = await ledger.order_outcomes.list()
    assert (told.order_id, told.sku, told.group, told.currency) == (over.id, BEST, "hearts", "GBP")
    assert told.savings is not None
    assert told.detail["wanted"] > 0
    assert (untold.savings, untold.detail) == (
        None,
        {"untold": "The store does not know gone any more."},
    )
    assert report.headline.endswith("What came of 2 order lines is known.")
    (section,) = [section for section in report.sections if section.title == TITLE]
    assert section.text.startswith("1 order line settled: they saved ")
    assert "Of 1 line nothing can be told: The store does not know gone" in section.text
    (row,) = section.tables[0].rows
    assert row[:6] == ["hearts", "ask", "ask", "ask", 1, 1]

    _, again = await ran(settle_outcomes)
    assert "order line" not in again.headline
    assert len(await ledger.order_outcomes.list()) == 2
    judged = [call for call in await ledger.calls(limit=500) if call.action == "judge_orders"]
    assert len(judged) == 1, "what is not over yet is no reason to read the sales"


async def test_a_person_who_calls_an_order_wrong_is_heard_without_a_business(
    no_blocks: None, ledger: Ledger
):
    fresh = await shadowed(ledger, 1, BEST)
    word = OrderEntry(key="n", kind=EntryKind.NOTE, at=utc_now(), by="Anna", detail="Wrong size.")
    await ledger.orders.enter(fresh.id, word)
    await shadowed(ledger, 25, "22423")
    _, report = await ran(settle_outcomes)
    (bad,) = await ledger.order_outcomes.list()
    assert bad.bad == f"Anna said of {fresh.reference}: Wrong size."
    assert report.missing == ["what orders came to: no business is configured"]
    (section,) = [section for section in report.sections if section.title == TITLE]
    assert section.text == bad.bad
