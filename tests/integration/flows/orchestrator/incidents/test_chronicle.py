"""The chronicle of an incident, from real records, and the report that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from agents.data_intelligence.takings import usual_series
from blocks.business.business import Business
from blocks.business.services import MonitoredService
from blocks.errors import NotFound, RequestError
from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.ledger.work.effects import EffectOutcome
from blocks.store.block import StoreDatabase
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.looks import Sample
from blocks.vocabulary.messages import Severity, SystemEvent
from flows.orchestrator.incidents import post_incident
from flows.orchestrator.incidents.chronicle import (
    MOST_EVENTS,
    Chronicle,
    chronicle_of,
    last_grave_one,
)
from flows.orchestrator.incidents.costs import Cost, missed
from flows.orchestrator.incidents.report_parts import MOST_MOMENTS
from flows.reports.model import Section

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHECKOUT = "service:checkout"


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def an_outage(ledger: Ledger, **changes: object) -> IncidentRecord:
    """Seen at 9:00, noticed two minutes later, mended at 9:12."""
    events = [
        SystemEvent(
            source="prometheus", type="alert.Down", time=at(minute), severity="error", subject=name
        )
        for minute, name in ((0, CHECKOUT), (1, "service:cart"), (1, CHECKOUT))
    ]
    fields = {
        "need_key": "k",
        "resource": CHECKOUT,
        "severity": Severity.CRITICAL,
        "title": "service checkout: down",
        "opened_at": at(2),
        "updated_at": at(2),
        "events": 3,
        "response": {"done": "restart_service: verified.", "advice": ["Look at its log."]},
        "responded_at": at(12),
        "settled_at": at(12),
        "ending": "mended",
        "status": IncidentStatus.SETTLED,
    }
    record = IncidentRecord(**fields | changes)
    await ledger.inbox.accept(events, at(2))
    taken = await ledger.inbox.take(at(2), "run", at(30), 10)
    open_one = record.model_copy(update={"settled_at": None, "status": IncidentStatus.OPEN})
    await ledger.inbox.join([(open_one, [one.key for one in taken])], "run", at(2))
    await ledger.inbox.respond(record.id, "run", at(2))
    await ledger.inbox.settle(record.model_copy(update={"run_id": "run"}), at(12))
    found = await ledger.inbox.incident(record.id)
    assert found is not None
    return found


async def act(
    ledger: Ledger, verdict: EffectVerdict, minute: float = 3, target: str = CHECKOUT
) -> None:
    intent = EffectRecord(
        kind="sre-reliability.restart_service",
        target=target,
        need_key=f"{target} {minute}",
        intended_at=at(minute),
    )
    await ledger.effects.intend(intent)
    begun = await ledger.effects.begin(intent, at(minute), at(minute + 5))
    assert begun is not None
    outcome = EffectOutcome(verdict=verdict, detail="Three good answers.")
    await ledger.effects.close(begun, EffectStatus.DONE, outcome, at(minute + 1))


def named(sections: list[Section], title: str) -> Section:
    return next(section for section in sections if section.title == title)


def words(chronicle: Chronicle) -> list[tuple[str, str]]:
    return [(moment.kind, moment.by) for moment in chronicle.moments]


async def test_the_chronicle_has_every_record_in_its_place(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    await act(ledger, EffectVerdict.VERIFIED)
    await act(ledger, EffectVerdict.VERIFIED, target="service:mail")  # not its
    await act(ledger, EffectVerdict.VERIFIED, minute=-60)  # nor is what was before
    noted = IncidentEntry(
        incident_id=incident.id, at=at(2.5), kind=EntryKind.ACKNOWLEDGED, by="ann", text="On it."
    )
    await ledger.incident_entries.add([noted])
    chronicle = await chronicle_of(ledger, incident.id[:8], at(60))
    assert (chronicle.began, chronicle.until, chronicle.affected) == (
        at(0),
        at(12),
        ("service:cart",),
    )
    assert chronicle.lasted == timedelta(minutes=12)
    assert dict(chronicle.events_per_minute) == {at(0): 1, at(1): 2}
    assert [moment.text for moment in chronicle.moments if moment.kind == "event"] == [
        "service:checkout: alert Down, error, 2 times within 1 min.",
        "service:cart: alert Down, error.",
    ]
    assert ("acknowledged", "ann") in words(chronicle)
    assert [moment.at for moment in chronicle.moments] == sorted(m.at for m in chronicle.moments)
    assert [moment.text for moment in chronicle.moments if moment.kind == "act"] == [
        "Restart service (service:checkout) begins.",
        "Restart service (service:checkout): verified. Three good answers.",
    ]
    assert {kind for kind, _ in words(chronicle)} >= {"opened", "ended"}


async def test_the_report_says_what_happened_what_worked_and_what_is_left(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    await act(ledger, EffectVerdict.VERIFIED)
    await ledger.samples.keep(
        [
            Sample(series=f"{CHECKOUT}/latency_ms", at=at(minute), value=20.0 + minute)
            for minute in range(-5, 20)
        ]
    )
    chronicle = await chronicle_of(ledger, incident.id, at(60))
    told = post_incident.headline(plainly(chronicle, "Europe/Berlin"))
    assert told.startswith("service checkout: down. Critical. It lasted 12 min, from 02 Mar 2026, ")
    assert "10:00" in told
    assert "a remedy was verified to have helped" in told
    assert told.endswith("Restart service (service:checkout) helped, and that was verified.")
    found = post_incident.sections(plainly(chronicle, "Europe/Berlin"))
    steps = {row[0]: row[2] for row in named(found, "What happened").tables[0].rows}
    assert steps["First sign"] == "—"
    assert (steps["Noticed"], steps["A remedy had helped"], steps["Over"]) == (
        "2 min",
        "4 min",
        "12 min",
    )
    latency, arrivals = named(found, "What was measured").charts
    assert latency.title == "service:checkout: latency"
    assert (latency.x[0], latency.unit) == ("09:55", "ms")
    assert [latency.x[mark] for mark in latency.marks] == ["10:02", "10:12"]
    assert arrivals.series["events"] == [1.0, 2.0]
    assert ["Look at its log."] in named(found, "What is left").tables[0].rows


async def test_what_helped_at_last_is_told_with_what_did_not(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    await act(ledger, EffectVerdict.INEFFECTIVE)
    await act(ledger, EffectVerdict.VERIFIED, minute=8)
    chronicle = await chronicle_of(ledger, incident.id, at(60))
    told = post_incident.headline(plainly(chronicle, "UTC"))
    assert "helped at try 2 of 2, and that was verified." in told


async def test_what_goes_on_is_told_as_it_stands(ledger: Ledger) -> None:
    incident = await an_outage(ledger, settled_at=None, ending=None, status=IncidentStatus.STANDING)
    await act(ledger, EffectVerdict.INEFFECTIVE)
    chronicle = await chronicle_of(ledger, incident.id, at(120))
    told = post_incident.headline(plainly(chronicle, "UTC"))
    assert "It goes on, since 02 Mar 2026, 09:00: for 2 h by now." in told
    assert "Restart service (service:checkout) did not help, as far as anybody knows." in told
    sections = post_incident.sections(plainly(chronicle, "UTC"))
    left = named(sections, "What is left").tables[0].rows
    assert ["It is not over yet."] in left
    assert ["No person took it on in 2 h."] in left


async def test_a_long_timeline_keeps_its_beginning_and_its_end(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    entries = [
        IncidentEntry(incident_id=incident.id, at=at(3 + i / 60), kind=EntryKind.NOTED, text=str(i))
        for i in range(100)
    ]
    await ledger.incident_entries.add(entries)
    chronicle = await chronicle_of(ledger, incident.id, at(60))
    (table,) = named(post_incident.sections(plainly(chronicle, "UTC")), "Timeline").tables
    assert len(table.rows) == MOST_MOMENTS
    assert f"{len(chronicle.moments) - MOST_MOMENTS} moments" in table.note
    assert table.rows[0][0] == "09:00:00"
    assert table.rows[-1][0] == "09:12:00"
    assert len(chronicle.moments) <= MOST_EVENTS + 100


async def test_whom_it_does_not_know_it_says_so(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no incident 'abcdef99'"):
        await chronicle_of(ledger, "abcdef99", at(0))
    with pytest.raises(RequestError, match="too short"):
        await chronicle_of(ledger, "abc", at(0))


async def test_who_names_none_means_the_last_one_that_matters(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no incident that was an error"):
        await last_grave_one(ledger)
    grave = await an_outage(ledger)
    mild = IncidentRecord(
        need_key="later",
        resource="host:local",
        severity=Severity.WARNING,
        title="host local: busy",
        opened_at=at(90),
        updated_at=at(90),
    )
    await ledger.incidents.stand(mild)
    assert await last_grave_one(ledger) == grave.id


SHOP = Business(
    store=StoreDatabase(name="shop", url="sqlite:///shop.db", currency="GBP", frames={}),
    services=(
        MonitoredService(
            name="checkout", health_url="http://127.0.0.1:1/health", revenue_share=0.8
        ),
    ),
)


async def usual(ledger: Ledger, what: str, *money: float) -> None:
    """Of the hours from seven o'clock on."""
    name = usual_series("shop", what)
    hours = [Sample(series=name, at=at(60 * (n - 2)), value=each) for n, each in enumerate(money)]
    await ledger.samples.keep(hours)


async def test_it_cost_what_its_hours_usually_bring(ledger: Ledger) -> None:
    incident = await an_outage(ledger, impact_per_hour=400.0)
    await usual(ledger, "usual_revenue_per_hour", 100, 200, 500, 300, 300)
    await usual(ledger, "revenue_per_hour", 100, 210, 380)
    facts = await post_incident.facts_of(ledger, SHOP, incident.id, at(60))
    assert (facts.cost.share, facts.cost.by_hour) == (0.8, True)
    assert facts.cost.so_far == pytest.approx(0.8 * 500 * 10 / 60)
    assert missed(facts.hours) == pytest.approx(500 - 380 - 10)
    told = named(post_incident.sections(facts), "What it cost")
    assert told.text.startswith("80% of the revenue was judged to depend on it.")
    assert "66.67 GBP usually come in" in told.text
    assert "110 GBP of what is usual did not come, whatever the reason." in told.text
    assert told.charts[0].series["taken"][:3] == [100, 210, 380]
    assert "About 66.67 GBP were at risk." in post_incident.headline(facts)


async def test_what_nobody_knows_of_money_is_not_told(ledger: Ledger) -> None:
    incident = await an_outage(ledger, impact_per_hour=400.0)
    facts = await post_incident.facts_of(ledger, SHOP, incident.id, at(60))
    assert (facts.cost.so_far, missed(facts.hours)) == (None, None)
    told = named(post_incident.sections(facts), "What it cost")
    assert told.text.startswith("It cannot be told in money")
    assert "at risk" not in post_incident.headline(facts)
    elsewhere = await post_incident.facts_of(ledger, Business(store=None), incident.id, at(60))
    assert elsewhere.hours == ()


def plainly(chronicle: Chronicle, zone: str) -> post_incident.Facts:
    """Without money."""
    return post_incident.Facts(chronicle, Cost(), (), zone, "GBP")
