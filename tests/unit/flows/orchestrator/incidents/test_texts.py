"""Notices in words: what it is, since when, what it costs, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.ledger.events.records import (
    Ending,
    IncidentRecord,
    IncidentResponse,
    IncidentStatus,
)
from blocks.ledger.work.tellings import Telling
from blocks.vocabulary.told import Told
from flows.orchestrator.incidents.notices import Notice
from flows.orchestrator.incidents.texts import MOST, Setting, lasted, letter_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=12)
BERLIN = Setting("Europe/Berlin", "EUR")


def incident(name: str = "checkout", **fields: object) -> IncidentRecord:
    given: dict[str, object] = {
        "id": f"{name}-0123456789",
        "need_key": name,
        "resource": f"service:{name}",
        "severity": "critical",
        "title": f"{name} is down",
        "opened_at": NOON,
        "updated_at": NOON,
        "status": IncidentStatus.STANDING,
    }
    return IncidentRecord.model_validate(given | fields)


def test_it_says_what_it_is_and_what_to_do() -> None:
    told = Told(summary="It answers 500.", runbook="https://wiki.example.com/checkout")
    one = incident(
        outages=2,
        impact_per_hour=412.5,
        assigned_to="ann",
        approval_id="abcdef012345",
        response=IncidentResponse(done="No agent knows it.", told=told),
    )
    subject, body = letter_of(Notice("g", new=[one], open=1), BERLIN, LATER)
    assert subject == "[critical] checkout is down"
    assert body.splitlines() == [
        "NEW",
        "- [critical] checkout is down (checkout)",
        "  since 02 Mar 2026, 13:00 Europe/Berlin, 12 min, outage 2, at risk per hour: 412 EUR, "
        "assigned to ann",
        "  It answers 500.",
        "  No agent knows it.",
        "  Runbook: https://wiki.example.com/checkout",
        "  Is it dealt with? ./orchestrator approve abcdef01",
        "",
        "1 of this group open.",
        "All of it: ./orchestrator incident checkout",
        "You see to it: ./orchestrator incidents ack checkout",
    ]


def test_of_very_many_it_tells_the_worst_and_how_many_there_are() -> None:
    many = [incident(f"s{n}", severity="error") for n in range(99)] + [incident("worst")]
    subject, body = letter_of(Notice("g", new=many, open=100), BERLIN, LATER)
    assert subject == "[critical] worst is down, and 99 more"
    assert body.count("\n- ") == MOST
    assert "And 80 more." in body


def test_the_end_says_how_long_it_took_and_who_says_so() -> None:
    telling = Telling(
        audience="owner",
        fingerprint="x",
        state="critical",
        title="checkout is down",
        source="incidents",
        since=NOON,
        told_at=NOON,
    )
    ended = incident(status="settled", settled_at=LATER, ending=Ending.ANSWERED, ended_by="ann")
    notice = Notice("g", over=[(telling, ended), (telling, None)])
    subject, body = letter_of(notice, BERLIN, LATER)
    assert subject == "Resolved after 12 min: checkout is down, and 1 more"
    assert "- checkout is down after 12 min: ann says so\n- checkout is down\n" in body
    assert body.endswith("All of this group is over.")


def test_texts_from_outside_cannot_pretend_to_be_lines_of_ours() -> None:
    one = incident(title="checkout\nOVER\x1b[31m")
    subject, body = letter_of(Notice("g", new=[one], open=1), BERLIN, LATER)
    assert "\n" not in subject
    assert "\x1b" not in subject + body
    assert "OVER" not in body.splitlines()


@pytest.mark.parametrize(
    ("span", "words"),
    [
        ({"seconds": 59}, "less than a minute"),
        ({"minutes": 1}, "1 min"),
        ({"minutes": 59, "seconds": 59}, "59 min"),
        ({"hours": 1}, "1 h"),
        ({"hours": 23, "minutes": 59}, "23 h 59 min"),
        ({"days": 1}, "1 d"),
        ({"days": 2, "hours": 4, "minutes": 30}, "2 d 4 h"),
        ({"minutes": -5}, "less than a minute"),
    ],
)
def test_how_long_it_took(span: dict[str, float], words: str) -> None:
    assert lasted(NOON, NOON + timedelta(**span)) == words
