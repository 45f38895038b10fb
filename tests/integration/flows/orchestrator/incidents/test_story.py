"""The story of an incident, from real records, and the report that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from blocks.errors import NotFound, RequestError
from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentStatus
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.ledger.work.effects import EffectOutcome
from blocks.vocabulary.effects import EffectStatus, EffectVerdict
from blocks.vocabulary.looks import Sample
from blocks.vocabulary.messages import Severity, SystemEvent
from flows.orchestrator.incidents import post_incident
from flows.orchestrator.incidents.story import MOST_EVENTS, Story, last_grave_one, tell_story
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


def words(story: Story) -> list[tuple[str, str]]:
    return [(moment.kind, moment.by) for moment in story.moments]


async def test_the_story_has_every_record_in_its_place(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    await act(ledger, EffectVerdict.VERIFIED)
    await act(ledger, EffectVerdict.VERIFIED, target="service:mail")  # not its
    await act(ledger, EffectVerdict.VERIFIED, minute=-60)  # nor is what was before
    noted = IncidentEntry(
        incident_id=incident.id, at=at(2.5), kind=EntryKind.ACKNOWLEDGED, by="ann", text="On it."
    )
    await ledger.incident_entries.add([noted])
    story = await tell_story(ledger, incident.id[:8], at(60))
    assert (story.began, story.until, story.affected) == (at(0), at(12), ("service:cart",))
    assert story.lasted == timedelta(minutes=12)
    assert dict(story.events_per_minute) == {at(0): 1, at(1): 2}
    assert words(story)[:3] == [("event", "prometheus")] * 3
    assert ("acknowledged", "ann") in words(story)
    assert [moment.at for moment in story.moments] == sorted(m.at for m in story.moments)
    assert [moment.text for moment in story.moments if moment.kind == "act"] == [
        "Begins to restart service service:checkout.",
        "restart service service:checkout: verified. Three good answers.",
    ]
    assert {kind for kind, _ in words(story)} >= {"opened", "ended"}


async def test_the_report_says_what_happened_what_worked_and_what_is_left(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    await act(ledger, EffectVerdict.VERIFIED)
    await ledger.samples.keep(
        [
            Sample(series=f"{CHECKOUT}/latency_ms", at=at(minute), value=20.0 + minute)
            for minute in range(-5, 20)
        ]
    )
    story = await tell_story(ledger, incident.id, at(60))
    told = post_incident.headline(story, "Europe/Berlin")
    assert told.startswith("service checkout: down. Critical. It lasted 12 min, from 02 Mar 2026, ")
    assert "10:00" in told
    assert "a remedy was verified to have helped" in told
    assert told.endswith("Restart service of service:checkout helped, and was verified.")
    found = post_incident.sections(story, "Europe/Berlin")
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


async def test_what_goes_on_is_told_as_it_stands(ledger: Ledger) -> None:
    incident = await an_outage(ledger, settled_at=None, ending=None, status=IncidentStatus.STANDING)
    await act(ledger, EffectVerdict.INEFFECTIVE)
    story = await tell_story(ledger, incident.id, at(120))
    told = post_incident.headline(story, "UTC")
    assert "It goes on, since 02 Mar 2026, 09:00: for 2 h by now." in told
    assert "did not help, or nobody knows" in told
    left = named(post_incident.sections(story, "UTC"), "What is left").tables[0].rows
    assert ["It is not over yet."] in left
    assert ["No person took it on in 2 h."] in left


async def test_a_long_timeline_keeps_its_beginning_and_its_end(ledger: Ledger) -> None:
    incident = await an_outage(ledger)
    entries = [
        IncidentEntry(incident_id=incident.id, at=at(3 + i / 60), kind=EntryKind.NOTED, text=str(i))
        for i in range(100)
    ]
    await ledger.incident_entries.add(entries)
    story = await tell_story(ledger, incident.id, at(60))
    (table,) = named(post_incident.sections(story, "UTC"), "Timeline").tables
    assert len(table.rows) == post_incident.MOST_MOMENTS
    assert f"{len(story.moments) - post_incident.MOST_MOMENTS} moments" in table.note
    assert table.rows[0][0] == "09:00:00"
    assert table.rows[-1][0] == "09:12:00"
    assert len(story.moments) <= MOST_EVENTS + 100


async def test_whom_it_does_not_know_it_says_so(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no incident 'abcdef99'"):
        await tell_story(ledger, "abcdef99", at(0))
    with pytest.raises(RequestError, match="too short"):
        await tell_story(ledger, "abc", at(0))


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
