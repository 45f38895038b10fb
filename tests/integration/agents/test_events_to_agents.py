"""Each agent's answer to an event, from a real store, real services and a real ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents.data_intelligence.pattern_recognition.events import process_event
from agents.integration_specialist.webhook_handling import handle_event
from agents.sre_reliability.incident_response import respond_to_event
from blocks.business.snapshots import take_snapshot
from blocks.errors import InvalidMessage
from blocks.ledger import RunRecord
from blocks.vocabulary.messages import Outcome, Severity, SystemEvent
from blocks.vocabulary.responses import EventResponse
from tests.integration.matrix_shop import NOW, MatrixShop, event
from tests.loopback import Reply

SICK = Reply("oops", status=500)


async def ask_all(shop: MatrixShop, what: dict[str, Any]) -> dict[str, EventResponse]:
    business = shop.business
    return {
        "data": await process_event(what, business, shop.ledger, NOW),
        "sre": await respond_to_event(what, business, shop.ledger, NOW),
        "integration": await handle_event(what, business, NOW),
    }


async def keep_snapshot(shop: MatrixShop, hours_ago: float = 0) -> None:
    store = shop.business.store
    assert store
    await take_snapshot(store, shop.ledger, NOW - timedelta(hours=hours_ago))


async def test_an_ill_service_is_worth_money_and_a_restart(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("checkout", SICK, revenue_share=0.5, restart=["true"])
    await keep_snapshot(matrix_shop)
    said = await ask_all(matrix_shop, event("service:checkout", severity="error"))

    # 24.00 a day and every day: 1.00 an hour, of which half depends on the checkout.
    assert said["data"].impact_per_hour == pytest.approx(0.5)
    assert said["data"].severity is Severity.CRITICAL
    assert said["data"].assessment == (
        "50% of revenue depends on checkout, about 0.50 GBP per hour, averaged over the day."
    )
    assert said["sre"].relevant
    assert said["sre"].assessment == "checkout answers with errors."
    assert said["sre"].evidence["http_status"] == 500
    (remedy,) = said["sre"].proposals
    assert (remedy.action, remedy.params) == ("restart_service", {"service": "checkout"})
    assert not said["integration"].relevant


async def test_a_service_that_is_well_again_needs_nothing(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("checkout", revenue_share=0.1, restart=["true"])
    said = await ask_all(matrix_shop, event("service:checkout", severity="error"))
    assert (said["sre"].severity, said["sre"].proposals) == (Severity.INFO, [])
    assert "answers well now" in said["sre"].assessment
    assert said["data"].severity is Severity.ERROR  # a tenth is not vital
    assert said["data"].impact_per_hour is None  # no snapshot was ever kept
    assert "about" not in said["data"].assessment


async def test_an_sku_is_told_by_its_stock_and_sales(matrix_shop: MatrixShop) -> None:
    await keep_snapshot(matrix_shop)
    ledger, business = matrix_shop.ledger, matrix_shop.business
    there = await process_event(event("sku:a"), business, ledger, NOW)
    assert there.assessment == "Apple sells 6.0 a day: 60 left, enough for 10 days."
    assert (there.severity, there.impact_per_hour) == (Severity.INFO, None)
    gone = await process_event(event("sku:b"), business, ledger, NOW)
    assert gone.assessment == "Pear sells 3.0 a day: 0 left."
    assert gone.severity is Severity.WARNING
    assert gone.impact_per_hour == pytest.approx(3 * 4 / 24)
    assert gone.advice
    unknown = await process_event(event("sku:zzz"), business, ledger, NOW)
    assert (unknown.relevant, unknown.assessment) == (False, "The store has no SKU 'zzz'.")


async def test_a_supplier_is_asked_and_what_it_owes_us_is_told(matrix_shop: MatrixShop) -> None:
    await matrix_shop.supplier("acme", None)
    await keep_snapshot(matrix_shop)
    said = await ask_all(matrix_shop, event("supplier:acme", severity="warning"))
    assert said["data"].assessment == "1 order line of 20 units from acme have not arrived."
    assert said["integration"].assessment == "acme does not answer."
    assert said["integration"].severity is Severity.ERROR
    assert not said["sre"].relevant

    matrix_shop.suppliers.clear()
    await matrix_shop.supplier("acme")
    said = await ask_all(matrix_shop, event("supplier:acme", severity="warning"))
    assert "answers in" in said["integration"].assessment
    assert said["integration"].severity is Severity.INFO


async def test_a_store_that_is_gone_may_be_fetched_again(matrix_shop: MatrixShop) -> None:
    await keep_snapshot(matrix_shop, hours_ago=3)
    matrix_shop.file.unlink()
    said = await ask_all(matrix_shop, event("store:shop", severity="critical"))
    assert "snapshot of 3.0 hours ago" in said["data"].assessment
    assert said["integration"].severity is Severity.CRITICAL
    assert [remedy.action for remedy in said["integration"].proposals] == ["refetch_snapshot"]


async def test_a_connection_may_be_named_without_its_kind(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("search", SICK)
    seen = await handle_event(event("connection:search"), matrix_shop.business, NOW)
    assert (seen.resource, seen.severity) == ("service:search", Severity.ERROR)
    assert "HTTP 500" in seen.assessment


async def test_a_run_and_the_platform_are_reliabilitys(matrix_shop: MatrixShop) -> None:
    failed = RunRecord(
        id="r1",
        workflow="daily-health-check",
        started_at=NOW,
        finished_at=NOW,
        outcome=Outcome.FAILED,
    )
    matrix_shop.ledger.record(failed)
    await matrix_shop.ledger.flush()
    said = await ask_all(matrix_shop, event("run:r1"))
    assert said["sre"].severity is Severity.WARNING
    assert "run of daily-health-check from 2026-03-02 09:00 UTC ended as failed" in (
        said["sre"].assessment
    )
    assert not said["data"].relevant
    assert not said["integration"].relevant
    platform = await respond_to_event(
        event("", type="prefect.worker.lost"), matrix_shop.business, matrix_shop.ledger, NOW
    )
    assert platform.relevant
    assert platform.evidence["cpus"] >= 1


@pytest.mark.parametrize(
    "subject",
    ["", "moon", "moon:full", "service:none", "supplier:none", "store:none", "run:none"],
)
async def test_what_concerns_nobody_is_answered_without_a_look(
    matrix_shop: MatrixShop, subject: str
) -> None:
    await matrix_shop.service("checkout", None)
    for said in (await ask_all(matrix_shop, event(subject, severity="critical"))).values():
        assert (said.relevant, said.severity) == (False, Severity.INFO)
        assert said.assessment


async def test_how_often_an_event_came_is_told(matrix_shop: MatrixShop) -> None:
    await matrix_shop.service("checkout", revenue_share=0.1)
    this = event("service:checkout")
    told = [
        (this, 0.0),
        (event("service:checkout"), 1.0),
        (event("service:checkout"), 23.0),
        (event("service:checkout"), 25.0),  # too long ago
        (event("service:checkout", type="other"), 1.0),
        (event("service:search"), 1.0),
    ]
    for document, hours_ago in told:
        came = SystemEvent.model_validate(document)
        await matrix_shop.ledger.inbox.accept([came], NOW - timedelta(hours=hours_ago))
    seen = await process_event(this, matrix_shop.business, matrix_shop.ledger, NOW)
    assert seen.evidence["earlier_within_24_h"] == 2
    assert seen.assessment.endswith("2 such events came within the 24 hours before.")


async def test_what_is_no_event_is_refused_by_all(matrix_shop: MatrixShop) -> None:
    with pytest.raises(InvalidMessage, match=r"event\.source"):
        await ask_all(matrix_shop, {"type": "trouble"})
    with pytest.raises(InvalidMessage, match=r"event\.source"):
        await respond_to_event({}, matrix_shop.business, matrix_shop.ledger, NOW)
    with pytest.raises(InvalidMessage, match=r"event\.source"):
        await handle_event({}, matrix_shop.business, NOW)


async def test_no_other_look_ends_what_our_look_at_orders_told(matrix_shop: MatrixShop) -> None:
    """A checkout may answer well and sell nothing."""
    await matrix_shop.service("checkout", revenue_share=0.5, restart=["true"])
    told = {"impact_per_hour": 80.0, "annotations": {"summary": "No order since noon."}}
    happened = event("service:checkout", severity="critical")
    happened |= {"type": "orders.stopped", "data": told}
    said = await ask_all(matrix_shop, happened)
    assert (said["data"].well, said["data"].impact_per_hour) == (False, 80.0)
    assert said["data"].assessment.startswith("No order since noon.")
    assert "Place an order" in said["data"].advice
