"""What happens in the ledger is told to partners in the very commit that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from blocks.ledger import EffectOutcome, Ledger, ReportRecord
from blocks.ledger.events.records import IncidentRecord
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.ledger.purchasing.records import OrderRecord
from blocks.ledger.webhooks.records import PartnerEvent
from blocks.vocabulary.effects import EffectStatus
from blocks.vocabulary.messages import Severity, utc_now
from blocks.vocabulary.purchasing import SupplierSays
from tests.orders import NOON, effect_of, order, received, said


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def told(ledger: Ledger) -> list[PartnerEvent]:
    return await ledger.partner_events.unshared(100)


async def test_each_place_where_an_order_comes_to_stand_is_told_once(ledger: Ledger) -> None:
    wanted = order("a", "b")
    effect = effect_of(wanted)
    assert isinstance(await ledger.orders.propose(wanted, effect), OrderRecord)
    begun = await ledger.effects.begin(effect, NOON, NOON + timedelta(minutes=1))
    assert begun is not None
    again = await ledger.effects.close(begun, EffectStatus.INTENDED, EffectOutcome(), NOON)
    assert again is not None
    assert await told(ledger) == [], "what is tried again is not told"
    begun = await ledger.effects.begin(again, NOON, NOON + timedelta(minutes=1))
    assert begun is not None
    await ledger.effects.close(begun, EffectStatus.DONE, EffectOutcome(), NOON)
    partly = said(SupplierSays.PARTLY, a=4)
    for entry in (partly, partly, received(a=4), received()):
        await ledger.orders.enter(wanted.id, entry)
    events = await told(ledger)
    assert [each.type.value for each in events] == ["order.sent", "order.partly", "order.received"]
    assert {each.subject for each in events} == {f"order:{wanted.reference}"}
    assert events[1].data["lines"] == [
        {"sku": "a", "units": 10, "to_come": 4},
        {"sku": "b", "units": 10, "to_come": 10},
    ]
    assert events[1].data["total"] == str(wanted.total)


async def test_an_order_that_was_never_to_be_sent_is_nobodys_business(ledger: Ledger) -> None:
    wanted = order("a")
    effect = effect_of(wanted)
    await ledger.orders.propose(wanted, effect)
    shadow = EffectOutcome(reason="shadow")
    await ledger.effects.close(effect, EffectStatus.REFUSED, shadow, NOON)
    assert await told(ledger) == []


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.INFO])
async def test_the_life_of_an_incident_is_told_and_news_are_not(
    ledger: Ledger, severity: Severity
) -> None:
    incident = IncidentRecord(
        need_key="i",
        resource="service:checkout",
        severity=severity,
        title="Checkout is down",
        opened_at=NOON,
        updated_at=NOON,
    )
    incident = await ledger.incidents.stand(incident)
    before = len(await told(ledger))  # that it was opened may be told by that already
    steps = [
        IncidentEntry(incident_id=incident.id, id=kind.value, at=NOON, kind=kind)
        for kind in (EntryKind.ACKNOWLEDGED, EntryKind.NOTED, EntryKind.ENDED)
    ]
    await ledger.incident_entries.add(steps)
    await ledger.incident_entries.add(steps)
    events = (await told(ledger))[before:]
    if severity is Severity.INFO:
        assert events == []
        return
    kinds = [each.type.value for each in events]
    assert kinds == ["incident.acknowledged", "incident.resolved"]
    assert events[0].resource == "service:checkout"
    assert events[0].data == {
        "id": incident.id,
        "resource": "service:checkout",
        "title": "Checkout is down",
        "severity": "error",
        "opened_at": "2026-03-01T12:00:00Z",
    }


async def test_a_report_is_told_once_per_run(ledger: Ledger) -> None:
    report = ReportRecord(run_id="r", workflow="system-status", created_at=utc_now(), body={})
    await ledger.save_report(report)
    await ledger.save_report(report)
    [event] = await told(ledger)
    assert (event.type, event.data) == (
        "report.ready",
        {"run_id": "r", "workflow": "system-status"},
    )
