"""Incidents that are not over, on both databases: how they stand, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.dialects import alertmanager
from blocks.ledger import Ledger
from blocks.ledger.events.incidents import NEED
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentResponse, IncidentStatus
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.vocabulary.messages import Severity, SystemEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def alerts(*names: str, status: str = "firing", severity: str = "critical") -> list[SystemEvent]:
    """What Alertmanager says of some alerts; all began at noon."""
    each = [
        {
            "status": status,
            "labels": {"alertname": name, "severity": severity},
            "fingerprint": name,
            "startsAt": NOON.isoformat(),
        }
        for name in names
    ]
    return alertmanager.read({"version": "4", "receiver": "us", "alerts": each})


def numbered(name: str, status: str, severity: str = "warning") -> SystemEvent:
    """What a sender says that gives each notification an id."""
    data = {"status": status, "fingerprint": "disk"}
    return SystemEvent(
        id=name, source="shop", type="disk.full", subject="disk:1", severity=severity, data=data
    )


async def stands(ledger: Ledger, now: datetime, key: str = "k", **fields: Any) -> IncidentRecord:
    """Respond to all that waits, as one incident about which nobody knows anything."""
    inbox = ledger.inbox
    taken = await inbox.take(now, "run", now + DAY, 1000)
    given = {"need_key": key, "resource": "pod:shop/a", "severity": "critical", "title": "Ill"}
    wanted = IncidentRecord(**given | {"opened_at": now, "updated_at": now} | fields)
    (opened,) = await inbox.join([(wanted, [one.key for one in taken])], "run", now)
    assert opened is not None
    assert await inbox.respond(opened.id, "run", now)
    responded = opened.model_copy(
        update={
            "run_id": "run",
            "response": IncidentResponse(done="Nobody knows."),
            "status": IncidentStatus.STANDING,
            "group_key": "g",
        }
    )
    settled = await inbox.settle(responded, now)
    assert settled is not None
    assert await inbox.incident(settled.id) == settled
    return settled


def question(about: IncidentRecord, now: datetime, **fields: Any) -> ApprovalRecord:
    given = {"need_key": f"{NEED}{about.id}", "title": "Is it dealt with?", "proposal": {}}
    given |= {"asked_at": now, "expires_at": now + timedelta(hours=1)}
    return ApprovalRecord(**given | fields)


async def test_what_fires_stays_open_until_all_of_it_is_resolved(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one", "two"), at(0))
    incident = await stands(ledger, at(1))
    assert (incident.status, incident.settled_at) == (IncidentStatus.STANDING, None)
    assert await ledger.incidents.open() == [incident]
    assert await ledger.incidents.counts() == {
        Severity.WARNING: 0,
        Severity.ERROR: 0,
        Severity.CRITICAL: 1,
    }
    assert (await ledger.inbox.depth(at(2))).events == 0, "its events are settled"

    assert (await ledger.inbox.accept(alerts("one"), at(60))).new == 0
    assert await ledger.incidents.heard() == {incident.id: at(60)}
    assert await ledger.incidents.open() == [incident], "the repeat changes nothing"

    await ledger.inbox.accept(alerts("one", status="resolved"), at(90))
    assert await ledger.incidents.open() == [incident], "the other one still fires"
    assert await ledger.incidents.heard() == {incident.id: at(0)}
    await ledger.inbox.accept(alerts("two", status="resolved"), at(120))
    assert await ledger.incidents.open() == []
    ended = await ledger.inbox.incident(incident.id)
    assert ended is not None
    assert (ended.status, ended.ending, ended.settled_at) == (
        IncidentStatus.SETTLED,
        Ending.RESOLVED,
        at(120),
    )
    # The events that ended it have their place in it.
    taken = await ledger.inbox.take(at(121), "run", at(200), 100)
    keys = [one.key for one in taken]
    assert await ledger.inbox.place(keys, "run", at(122)) == set(keys)
    assert len(await ledger.inbox.events(incident.id)) == 4
    assert (await ledger.inbox.depth(at(123))).events == 0


async def test_what_was_resolved_while_it_was_responded_to_is_over(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one"), at(0))
    await ledger.inbox.accept(alerts("one", status="resolved"), at(1))
    incident = await stands(ledger, at(2))
    assert (incident.status, incident.ending) == (IncidentStatus.SETTLED, Ending.RESOLVED)
    # Firing again, whatever its start, is another outage of which nothing is placed.
    assert (await ledger.inbox.accept(alerts("one"), at(3))).new == 1
    (taken,) = await ledger.inbox.take(at(4), "run", at(200), 100)
    assert await ledger.inbox.place([taken.key], "run", at(5)) == set()


async def test_our_own_look_ends_what_fires_and_news_never_stands(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one"), at(0))
    inbox = ledger.inbox
    (taken,) = await inbox.take(at(1), "run", at(100), 1)
    wanted = IncidentRecord(
        need_key="k",
        resource="service:web",
        severity=Severity.CRITICAL,
        title="Ill",
        opened_at=at(1),
        updated_at=at(1),
    )
    (opened,) = await inbox.join([(wanted, [taken.key])], "run", at(1))
    assert opened is not None
    await inbox.respond(opened.id, "run", at(1))
    seen = opened.model_copy(
        update={"run_id": "run", "response": IncidentResponse(), "ending": Ending.WELL}
    )
    settled = await inbox.settle(seen, at(2))
    assert settled is not None
    assert (settled.status, settled.ending) == (IncidentStatus.SETTLED, Ending.WELL)
    assert (await inbox.accept(alerts("one"), at(3))).new == 0

    await inbox.accept(alerts("watchdog", severity="none"), at(4))
    (news,) = await inbox.take(at(5), "run", at(100), 1)
    wanted = wanted.model_copy(update={"id": "n", "need_key": "n", "severity": Severity.INFO})
    (opened,) = await inbox.join([(wanted, [news.key])], "run", at(5))
    assert opened is not None
    await inbox.respond(opened.id, "run", at(5))
    told = opened.model_copy(update={"run_id": "run", "response": IncidentResponse()})
    settled = await inbox.settle(told, at(6))
    assert settled is not None
    assert settled.status is IncidentStatus.SETTLED
    assert await ledger.incidents.open() == []


async def test_what_becomes_worse_is_open_again_and_what_is_said_again_is_not(
    ledger: Ledger,
) -> None:
    inbox = ledger.inbox
    await inbox.accept([numbered("1", "firing")], at(0))
    incident = await stands(ledger, at(1), severity="warning")

    await inbox.accept([numbered("2", "firing"), numbered("1", "firing")], at(2))
    (again,) = await inbox.take(at(3), "run", at(100), 10)
    assert await inbox.place([again.key], "run", at(3)) == {again.key}
    assert await ledger.incidents.heard() == {incident.id: at(2)}
    assert (await inbox.depth(at(4))).events == 0

    await inbox.accept([numbered("3", "firing", "critical")], at(5))
    (worse,) = await inbox.take(at(6), "run", at(100), 10)
    assert await inbox.place([worse.key], "run", at(6)) == set()
    (joined,) = await inbox.join([(incident, [worse.key])], "run", at(6))
    assert joined is not None
    assert (joined.id, joined.status) == (incident.id, IncidentStatus.OPEN)
    assert await inbox.respond(incident.id, "run", at(7))
    once_more = joined.model_copy(update={"run_id": "run", "severity": Severity.CRITICAL})
    settled = await inbox.settle(once_more, at(8))
    assert settled is not None
    assert (settled.status, settled.severity) == (IncidentStatus.STANDING, Severity.CRITICAL)

    # Delivered again it says nothing of now; its end is one.
    await inbox.accept([numbered("2", "firing")], at(9))
    assert await ledger.incidents.heard() == {incident.id: at(5)}
    await inbox.accept([numbered("4", "resolved"), numbered("1", "firing")], at(10))
    assert await ledger.incidents.open() == []


async def test_a_person_is_asked_once_and_again_when_nobody_answers(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one"), at(0))
    first = await stands(ledger, at(1))
    await ledger.inbox.accept(alerts("two"), at(2))
    second = await stands(ledger, at(3), key="l", resource="pod:shop/b")
    assert await ledger.incidents.unasked(at(4)) == [first, second]

    asked = question(first, at(4))
    assert await ledger.incidents.ask(asked, [first.id]) == asked
    assert [each.id for each in await ledger.incidents.unasked(at(5))] == [second.id]
    more = asked.model_copy(update={"title": "Are they dealt with?"})
    assert await ledger.incidents.ask(more, [first.id, second.id]) == more
    assert await ledger.incidents.unasked(at(5)) == []
    ((found, about),) = (await ledger.incidents.asked()).values()
    assert (found, [each.id for each in about]) == (more, [first.id, second.id])
    assert await ledger.incidents.pointless_questions() == []

    late = at(4) + timedelta(hours=1)
    await ledger.approvals.expire_due(late)
    assert [each.id for each in await ledger.incidents.unasked(late)] == [first.id, second.id]
    assert await ledger.incidents.ask(asked, [first.id]) is None, "its time is up"
    again = question(first, late, need_key=f"{NEED}{first.id} again")
    assert await ledger.incidents.ask(again, [first.id, second.id]) == again
    # Left open: they are asked anew, but not before the question's time is up.
    await ledger.approvals.answer(again.id, False, by="x", via="test", now=late)
    assert await ledger.incidents.unasked(late + timedelta(minutes=59)) == []
    later = late + timedelta(hours=1)
    assert len(await ledger.incidents.unasked(later)) == 2

    last = question(first, later, need_key=f"{NEED}{first.id} at last")
    await ledger.incidents.ask(last, [first.id, second.id])
    await ledger.approvals.answer(last.id, True, by="Ada", via="test", now=later)
    assert await ledger.incidents.answer(last.id, "Ada", later) == 2
    assert await ledger.incidents.answer(last.id, "Ada", later) == 0
    closed = await ledger.inbox.incident(first.id)
    assert closed is not None
    assert (closed.ending, closed.ended_by) == (Ending.ANSWERED, "Ada")
    assert (await ledger.inbox.accept(alerts("one", "two"), later)).new == 0, "it is covered"
    assert await ledger.incidents.open() == []


async def test_a_question_about_what_is_over_is_pointless(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one"), at(0))
    incident = await stands(ledger, at(1))
    asked = question(incident, at(2))
    await ledger.incidents.ask(asked, [incident.id])
    assert await ledger.incidents.pointless_questions() == []
    await ledger.inbox.accept(alerts("one", status="resolved"), at(3))
    assert await ledger.incidents.pointless_questions() == [asked]
    await ledger.approvals.answer(asked.id, True, by="x", via="test", now=at(4))
    assert await ledger.incidents.pointless_questions() == []
    assert await ledger.approvals.list(ApprovalStatus.OPEN) == []


async def test_what_no_source_ends_stands_until_a_person_answers(ledger: Ledger) -> None:
    record = IncidentRecord(
        need_key="broadcast 1",
        resource="alert:Flood",
        severity=Severity.WARNING,
        title="Flood",
        opened_at=at(0),
        updated_at=at(0),
        status=IncidentStatus.STANDING,
        group_key="broadcast 1",
    )
    assert await ledger.incidents.stand(record) == record
    assert await ledger.incidents.stand(record.model_copy(update={"id": "other"})) == record
    await ledger.incidents.end_resolved(at(1))
    assert await ledger.incidents.open() == [record]
    assert await ledger.incidents.heard() == {}


async def test_warnings_that_were_only_counted_stand_while_they_fire(ledger: Ledger) -> None:
    await ledger.inbox.accept(alerts("one", "two", severity="warning"), at(0))
    one, two = await ledger.inbox.summarise(at(1))
    assert {each.status for each in (one, two)} == {IncidentStatus.STANDING}
    assert {each.id for each in await ledger.incidents.open()} == {one.id, two.id}
    await ledger.inbox.accept(alerts("one", status="resolved"), at(2))
    assert [each.id for each in await ledger.incidents.open()] == [two.id]
