"""Events in, one response out: joined, answered by all agents, mended, told; and storms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.variables import Variable

from agents.registry import registry
from blocks.errors import InvalidMessage
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.events.records import IncidentStatus
from blocks.vocabulary.effects import EffectVerdict
from blocks.vocabulary.messages import Outcome, Severity, SystemEvent, utc_now
from flows.event_driven_workflow import event_driven_workflow
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.events.accept import accept_events
from flows.orchestrator.events.joining import MOST_TRIES
from tests.integration.flows.seen import artifacts_of, assert_nothing_half_written, ran
from tests.integration.flows.shop import SICK

pytestmark = pytest.mark.prefect


def event(name, **fields):
    given = {"id": name, "source": "monitor", "type": "latency.high", "severity": "error"}
    return SystemEvent(**given | {"subject": "service:checkout"} | fields)


@pytest.fixture
async def rules(prefect_server):
    """Changes the rules of events for a test."""

    async def change(**changes):
        await write_changes({"events": changes}, registry())

    forget_policy()
    yield change
    await Variable.aunset(VARIABLE)
    forget_policy()


async def test_events_of_one_trouble_get_one_response_that_mends_it(shop, ledger):
    shop.break_checkout()
    await accept_events(event("1"), event("2", data={"ms": 900}), event("3", severity="warning"))
    state, report = await ran(event_driven_workflow)
    assert state.is_completed()
    assert report.outcome is Outcome.SUCCEEDED
    assert report.headline == ("3 events, 1 incident, 1 mended and verified. Nothing waits.")
    (incident,) = await ledger.inbox.incidents()
    assert (incident.status, incident.events) == (IncidentStatus.SETTLED, 3)
    assert incident.severity is Severity.CRITICAL, "half of the revenue depends on it"
    assert incident.title == "service checkout: latency high, told by 3 events"
    assert incident.response.mended
    assert set(incident.response.assessments) == {"data-intelligence", "sre-reliability"}
    assert shop.restarts == 1
    (line,) = report.remediations
    assert line.status is EffectVerdict.VERIFIED
    asked = await ledger.calls(run_id=report.run_id, limit=100)
    assert {(c.agent, c.action) for c in asked if c.action != "restart_service"} == {
        ("data-intelligence", "process_event"),
        ("sre-reliability", "respond_to_event"),
    }, "a service is no connection: integration is not asked"
    receipts = {r.kind: r for r in await ledger.receipts.of(subject=incident.id)}
    assert "they say 3 different things" in receipts[ReceiptKind.CORRELATE].body["why"]
    assert receipts[ReceiptKind.RESPOND].body["decision"]["mended"] is True
    (artifact,) = await artifacts_of(state.state_details.flow_run_id)
    assert "Events per minute" in artifact.data
    await assert_nothing_half_written(ledger, report)


async def test_an_event_of_year_one_is_settled_like_any_other(shop, ledger):
    await accept_events(event("1", time=datetime(1, 1, 1, tzinfo=UTC)), event("2"))
    state, _ = await ran(event_driven_workflow)
    assert state.is_completed()
    assert (await ledger.inbox.depth(utc_now())).events == 0


async def test_an_event_that_no_run_survives_is_left_to_a_person(shop, ledger, rules):
    await rules(group_wait_seconds=0)
    now = utc_now()
    await accept_events(event("1"))
    for past in range(MOST_TRIES, 0, -1):  # each died before it had put anything together
        then = now - timedelta(hours=past)
        (taken,) = await ledger.inbox.take(then, f"dead {past}", then, 10)
        assert taken.incident_id is None
    await accept_events(event("2", subject="service:search"))
    state, _ = await ran(event_driven_workflow)
    assert state.is_completed()
    standing = {s.resource: s.response for s in await ledger.inbox.incidents()}
    assert "a person must look" in standing["service:checkout"].done
    (left,) = await ledger.incidents.open()
    assert (left.resource, left.approval_id is None) == ("service:checkout", False)
    assert standing["service:search"].assessments is not None
    assert (await ledger.inbox.depth(utc_now())).events == 0


async def test_trouble_below_explains_trouble_above(shop, ledger, rules):
    await rules(topology={"service:search": ["supplier:globex"]})
    shop.answers["globex"] = SICK
    await accept_events(
        event("1", subject="service:search"), event("2", subject="supplier:globex", type="down")
    )
    _, report = await ran(event_driven_workflow)
    (incident,) = await ledger.inbox.incidents()
    assert incident.resource == "supplier:globex"
    assert incident.title == (
        "supplier globex: down, told by 2 events; it explains trouble with service search"
    )
    assert not incident.response.mended
    (finding,) = report.findings
    assert finding.advice

    # What comes after it is covered by it, as long as nothing was mended.
    await accept_events(event("3", subject="service:search"))
    await ran(event_driven_workflow)
    (again,) = await ledger.inbox.incidents()
    assert (again.id, again.events) == (incident.id, 3)


async def test_an_agent_that_fails_is_no_obstacle_and_is_named(shop, ledger):
    ledger_file = shop.database.with_name("gone.db")
    shop.description["store"]["url"] = f"sqlite:///{ledger_file}"
    shop.description["services"][1]["health_url"] = "http://[::1"
    shop.configure()
    await accept_events(event("1", subject="service:search"))
    state, report = await ran(event_driven_workflow)
    assert state.name == "Partial"
    (incident,) = await ledger.inbox.incidents()
    assert incident.status is IncidentStatus.SETTLED
    assert "sre-reliability" in incident.response.failed
    assert "data-intelligence" in incident.response.assessments
    assert any("respond_to_event" in line for line in report.missing)


async def test_an_event_comes_as_a_parameter_too_and_once(shop, ledger):
    document = event("1", subject="service:search").model_dump(mode="json")
    await ran(event_driven_workflow, event=document)
    _, report = await ran(event_driven_workflow, event=document)
    assert report.headline == "No event came. Nothing waits."
    assert len(await ledger.inbox.incidents()) == 1
    state = await event_driven_workflow(event={"type": "x"}, return_state=True)
    assert isinstance(await state.aresult(raise_on_failure=False), InvalidMessage)


async def test_in_a_storm_only_what_is_severe_is_answered_and_nothing_is_lost(shop, ledger, rules):
    await rules(storm_waiting=50, calm_waiting=10, calm_seconds=0.2)
    many = [event(f"{i}", severity="info", subject=f"sku:{i % 3}", type="sold") for i in range(90)]
    grave = [event("bad", severity="critical", subject="service:search")]
    await accept_events(*many[:60], *grave, *many[60:])
    _, report = await ran(event_driven_workflow)
    assert report.headline == ("1 event, 1 incident, 90 milder events summarised. Nothing waits.")
    found = await ledger.inbox.incidents()
    assert sorted((s.resource, s.events) for s in found) == [
        ("service:search", 1),
        *((f"sku:{i}", 30) for i in range(3)),
    ]
    assert all(s.status is IncidentStatus.SETTLED for s in found)
    assert {c.payload["event"]["subject"] for c in await ledger.calls()} == {"service:search"}
    assert (await ledger.inbox.depth(utc_now())).events == 0


async def test_what_is_unrelated_is_asked_about_together_and_answered_each_by_itself(shop, ledger):
    shop.break_checkout()
    kinds = ["sku", "service", "order"]
    strangers = [event(f"{n}", subject=f"{kinds[n % 3]}:unknown-{n}") for n in range(12)]
    await accept_events(event("ill"), *strangers)
    _, report = await ran(event_driven_workflow)
    assert report.headline.startswith("13 events, 13 incidents, 1 mended and verified.")
    found = {s.resource: s for s in await ledger.inbox.incidents()}
    assert len(found) == 13
    assert found["service:checkout"].response.mended, "each keeps its own answer"
    assert not found["service:unknown-1"].response.assessments
    asked = await ledger.calls(run_id=report.run_id, limit=100)
    told = {c.action: len(c.payload["events"]) for c in asked if "events" in c.payload}
    sku, service = 4, 4 + 1
    assert told == {"process_events": sku + service, "respond_to_events": service}
    assert not [c for c in asked if "order" in str(c.payload)], "nobody knows of orders"
    receipts = await ledger.receipts.of(subject=found["order:unknown-2"].id)
    respond = next(r for r in receipts if r.kind is ReceiptKind.RESPOND)
    assert {c["name"] for c in respond.body["candidates"]} == set(registry().agents)
