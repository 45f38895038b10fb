"""The status page, computed by hand from a few records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.ledger.calls.history import HourOfCalls
from blocks.ledger.events.records import Depth, Waiting
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import Outcome, Severity
from flows.reports.model import Section, Table
from flows.status.page import activity, overview
from tests.unit.flows.status.pages import (
    HOUR,
    MINUTE,
    NOW,
    daily,
    facts,
    finding,
    incident,
    question,
    run,
)


def health(**fields):
    found = overview(facts(**fields), NOW).health
    return found.state, [reason.text for reason in found.reasons]


def judged(state, *reasons):
    return facts().status.model_copy(update={"system_health": state, "reasons": list(reasons)})


def test_nothing_yet_is_healthy():
    page = overview(facts(), NOW)
    assert (page.health.state, page.health.headline) == ("healthy", "Everything works")
    assert (page.incidents.open, page.approvals, page.workflows, page.stock) == ([], [], [], None)


@pytest.mark.parametrize(
    ("severity", "state"),
    [
        (Severity.CRITICAL, "unhealthy"),
        (Severity.ERROR, "degraded"),
        (Severity.WARNING, "healthy"),
    ],
)
def test_an_incident_weighs_as_much_as_it_is_severe(severity, state):
    assert health(incidents=[incident(severity=severity)])[0] == state


def test_the_gravest_reason_comes_first():
    oldest = Waiting(3, NOW - 7 * MINUTE, NOW)
    state, reasons = health(
        status=judged("degraded", "a has no free slot"),
        depth=Depth(NOW, {Severity.INFO: oldest}),
        prefect_answers=False,
        runs=[run(Outcome.FAILED)],
        reports=[daily(finding("sku:1", impact_per_day=200.0), finding("sku:2"), ago=27 * HOUR)],
    )
    assert state == "unhealthy"
    assert reasons == [
        "Prefect's server does not answer: no workflow starts or goes on.",
        "3 events waiting, the oldest for 7 minutes: nothing deals with them.",
        "w failed",
        "2 serious stock shortages, at about 200 GBP per day.",
        "The daily health check was missed.",
        "A has no free slot.",
    ]
    assert health(status=judged("unhealthy", "work is lost")) == ("unhealthy", ["Work is lost."])


def test_a_failed_run_is_told_once_whatever_event_it_led_to():
    failed = run(Outcome.FAILED)
    event = incident(resource=f"run:{failed.id}", title="run r: failed")
    page = overview(facts(runs=[failed], incidents=[event]), NOW)
    assert [incident.title for incident in page.incidents.open] == ["w failed"]
    assert [moment.title for moment in page.timeline] == ["w failed"]


def test_a_workflow_is_told_by_its_newest_run():
    runs = [
        run(None, ago=MINUTE),
        run(None, ago=2 * MINUTE),
        run(ago=2 * HOUR, workflow="v"),
        run(Outcome.FAILED, ago=3 * HOUR),
        run(ago=4 * HOUR),
    ]
    w, v = overview(facts(runs=runs, headlines={runs[2].id: "Good."}), NOW).workflows
    assert (w.workflow, w.outcome, w.going_on, w.has_report) == ("w", None, 2, False)
    assert w.recent == [Outcome.SUCCEEDED, Outcome.FAILED]
    assert (v.headline, v.has_report, v.going_on) == ("Good.", True, 0)


def test_the_most_pressing_question_comes_first_and_settled_ones_are_not_asked():
    later, sooner = question(title="b"), question(title="a", expires_at=NOW + MINUTE)
    done = question(title="c", status=ApprovalStatus.REJECTED, answered_at=NOW)
    page = overview(facts(approvals=[later, done, sooner]), NOW)
    assert [asked.title for asked in page.approvals] == ["a", "b"]


def test_an_open_question_leads_to_where_it_is_answered():
    status = judged("degraded", "a has no free slot", "1 question waits for a person")
    status = status.model_copy(update={"awaiting_approval": 1})
    reasons = overview(facts(status=status), NOW).health.reasons
    assert [reason.part for reason in reasons] == ["agents", "approvals"]


def test_the_stock_is_that_of_the_newest_report_that_looked():
    table = Table(columns=["SKU"], rows=[["1"]])
    looked = daily(
        workflow="sequential-workflow",
        run_id="s",
        ago=2 * HOUR,
        sections=[Section(title="Stock at risk", text="1 of 2.", tables=[table])],
    )
    stock = overview(facts(reports=[daily(), looked]), NOW).stock
    assert (stock.run_id, stock.text, stock.tables) == ("s", "1 of 2.", [table])
    assert stock.as_of == NOW - 2 * HOUR


def test_the_week_has_every_hour_and_ends_with_this_one():
    this_hour = datetime(2026, 3, 1, 12, tzinfo=UTC)
    first = this_hour - timedelta(hours=167)
    calls = [
        HourOfCalls(start=first, completed=1, failed=2, response_ms=10.26),
        HourOfCalls(start=first - HOUR, completed=9, failed=9, response_ms=9),
        HourOfCalls(start=this_hour, completed=3, failed=0, response_ms=None),
    ]
    week = activity(calls, {this_hour: 4}, NOW)
    assert week.start == first
    assert {len(v) for v in (week.completed, week.failed, week.response_ms, week.events)} == {168}
    assert (week.completed[0], week.failed[0], week.response_ms[0]) == (1, 2, 10.3)
    assert (week.completed[-1], week.response_ms[-1], week.events[-1]) == (3, None, 4)
    assert sum(week.completed) == 4
