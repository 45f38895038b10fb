"""What counts as wrong, and what ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from blocks.ledger.events.records import Ending, IncidentStatus
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.model import RemediationLine
from flows.status.troubles import troubles
from tests.unit.flows.status.pages import (
    HOUR,
    MINUTE,
    NOW,
    daily,
    facts,
    finding,
    incident,
    remedy,
    run,
)

LEFT = {"mended": False, "advice": ["Look at it."], "done": "Look at it.", "assessments": {}}
NOTHING = {"mended": False, "advice": [], "done": "Nothing to do.", "assessments": {}}
WELL = {"mended": False, "severity": "info", "advice": ["Nothing to do."], "assessments": {}}
COUNTED = {"summary": {"type": "t", "events": 3, "first": NOW, "last": NOW, "example": {"id": "e"}}}
MENDED = {"mended": True, "advice": [], "done": "restart_service: verified.", "assessments": {}}


def titles(**fields):
    return [incident.title for incident in troubles(facts(**fields), NOW)]


def test_an_open_incident_is_an_incident():
    [found] = troubles(facts(incidents=[incident()]), NOW)
    assert (found.open, found.standing) == (True, "Waits for the agents.")


@pytest.mark.parametrize(
    ("settled", "told"),
    [(LEFT, True), (NOTHING, False), (WELL, False), (MENDED, False), (COUNTED, False)],
)
def test_a_settled_one_is_an_incident_when_a_person_is_needed(settled, told):
    found = troubles(facts(incidents=[incident(settled=settled)]), NOW)
    assert [i.open for i in found] == [False] * told
    assert [i.standing for i in found] == ["Look at it."] * told


def test_what_was_left_to_a_person_ends_with_the_day_or_when_it_was_mended():
    old = incident(settled=LEFT, ago=25 * HOUR)
    assert titles(incidents=[old]) == []
    left = incident(settled=LEFT, ago=2 * HOUR)
    again = incident(settled=MENDED, ago=HOUR)
    assert titles(incidents=[left]) == [left.title]
    assert titles(incidents=[again, left]) == []
    assert titles(incidents=[left], acts=[remedy("verified", ago=HOUR)]) == []
    assert titles(incidents=[left], acts=[remedy("failed", ago=HOUR)]) == [left.title]
    assert titles(incidents=[left], acts=[remedy("verified", ago=3 * HOUR)]) != []


def test_a_workflow_fails_until_a_run_does_better():
    failed = [run(Outcome.FAILED, ago=HOUR), run(Outcome.FAILED, ago=2 * HOUR)]
    good, going_on = run(ago=30 * MINUTE), run(None, ago=MINUTE)
    assert titles(runs=failed[:1]) == ["w failed"]
    [found] = troubles(facts(runs=[going_on, *failed], headlines={failed[0].id: "No."}), NOW)
    assert found.title == "w failed 2 times in a row"
    assert (found.standing, found.run_id) == ("No.", failed[0].id)
    assert found.since == failed[1].started_at
    assert titles(runs=[good, *failed]) == []
    assert titles(runs=[run(Outcome.FAILED, ago=timedelta(days=2))]) == []


def test_a_refused_run_is_no_incident_and_ends_none():
    refused = run(Outcome.REFUSED, ago=MINUTE)
    assert titles(runs=[refused]) == []
    assert titles(runs=[refused, run(Outcome.FAILED, ago=HOUR)]) == ["w failed"]


def test_what_the_daily_check_found_stands_until_it_was_mended():
    found = finding(impact_per_day=5.0)
    [trouble] = troubles(facts(reports=[daily(found)]), NOW)
    assert (trouble.standing, trouble.impact_per_day) == ("Look at it.", 5.0)
    line = RemediationLine(
        finding=found.fingerprint, action="restart", status="verified", detail=""
    )
    assert titles(reports=[daily(found, remediations=[line])]) == []
    assert titles(reports=[daily(found)], acts=[remedy("verified", ago=MINUTE)]) == []
    assert titles(reports=[daily(found)], incidents=[incident()]) == ["service shop: down"]
    assert titles(reports=[daily(finding(severity=Severity.INFO), finding("sku:1"))]) == []


def test_the_worst_comes_first():
    incidents = [
        incident(title="b", severity=Severity.WARNING, resource="b"),
        incident(title="c", severity=Severity.CRITICAL, resource="c"),
        incident(title="a", severity=Severity.CRITICAL, resource="a", settled=LEFT),
    ]
    cheap, dear = finding("x:1", impact_per_day=1.0), finding("x:2", impact_per_day=2.0)
    assert titles(incidents=incidents, reports=[daily(cheap, dear)]) == [
        "c",
        "a",
        "x:2 is down",
        "x:1 is down",
        "b",
    ]


TOLD = {"summary": "Pod is down", "runbook": "https://rb.example/pod", "labels": {}}
NOBODY = {"done": "No agent knows anything about it: a person is asked.", "told": TOLD}


def standing(**fields):
    given = {"status": IncidentStatus.STANDING, "response": NOBODY, "settled_at": None}
    return incident(**given | fields)


def test_what_stands_is_open_with_what_its_sender_says_of_it():
    one = standing(severity=Severity.CRITICAL, impact_per_hour=2.0)
    heard = {one.id: NOW - HOUR}
    [found] = troubles(facts(incidents=[one], heard=heard), NOW)
    assert (found.open, found.runbook, found.impact_per_hour) == (True, TOLD["runbook"], 2.0)
    assert found.standing == (
        "Pod is down. No agent knows anything about it: a person is asked. It still fires."
    )


def test_a_source_that_falls_silent_ends_nothing_and_that_is_told():
    one = standing(ago=50 * HOUR)
    heard = {one.id: NOW - 3 * HOUR}
    told = facts(incidents=[one], heard=heard, silence=3 * HOUR)
    assert "It still fires." in troubles(told, NOW)[0].standing
    told = facts(incidents=[one], heard=heard, silence=2 * HOUR)
    assert troubles(told, NOW)[0].standing.endswith("No news since 2026-03-01 09:30 UTC.")
    # What no source tells of again does not fire either.
    assert "fires" not in troubles(facts(incidents=[one]), NOW)[0].standing


@pytest.mark.parametrize("ending", Ending)
def test_what_something_ended_is_no_incident_any_more(ending):
    assert titles(incidents=[incident(settled=LEFT, ending=ending)]) == []


def test_news_that_goes_on_is_no_incident():
    assert titles(incidents=[standing(severity=Severity.INFO)]) == []


def test_of_equal_severity_what_costs_more_comes_first():
    cheap = standing(title="cheap", resource="a", impact_per_hour=1.0)
    dear = standing(title="dear", resource="b", impact_per_hour=2.0)
    assert titles(incidents=[cheap, standing(title="?", resource="c"), dear]) == [
        "dear",
        "cheap",
        "?",
    ]
