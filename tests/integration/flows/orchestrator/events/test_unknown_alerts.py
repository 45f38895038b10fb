"""What no agent knows stays open, a person is asked, and its source or an answer ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.variables import Variable
from prometheus_client.parser import text_string_to_metric_families

from agents.registry import registry
from blocks.dialects import alertmanager
from blocks.ledger import Ledger
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.events.records import Ending, IncidentResponse, IncidentStatus
from blocks.ledger.work.approvals import ApprovalRecord, ApprovalStatus
from blocks.policy.policy import Policy
from blocks.settings import PROJECT_ROOT, get_settings
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from flows.broadcast_alert import broadcast_alert
from flows.daily_health_check import daily_health_check
from flows.event_driven_workflow import event_driven_workflow
from flows.internal.apply_approval import apply_approval
from flows.orchestrator.dispatch.policy import VARIABLE, forget_policy, write_changes
from flows.orchestrator.events.accept import accept_events
from flows.orchestrator.events.joining import Joining
from tests.integration.blocks.ledger.events.test_incidents_machine import NoMoney
from tests.integration.deployments.api.conftest import api_settings, serving
from tests.integration.deployments.api.intake import NO_PREFECT
from tests.integration.flows.seen import ran
from tests.integration.flows.shop import SICK
from tests.waiting import until

pytestmark = pytest.mark.prefect

NOTIFICATIONS = {
    file.stem: json.loads(file.read_text())
    for file in sorted((PROJECT_ROOT / "tests/integration/alerts").glob("*.json"))
}


ABOUT = {
    "KubePodCrashLooping": "pod:shop/checkout-6f7d9c-abcde",  # not the exporter that reported it
    "PaymentErrorRateHigh": "service:payments",
}


@pytest.fixture
async def rules(prefect_server: str) -> AsyncIterator[Any]:
    """Changes the rules of events for a test; nobody waits for a group."""

    async def change(**changes: Any) -> None:
        await write_changes({"events": {"group_wait_seconds": 0} | changes}, registry())

    forget_policy()
    await change()
    yield change
    await Variable.aunset(VARIABLE)
    forget_policy()


@pytest.fixture
def api(ledger, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = api_settings(tmp_path / "api", ledger_url=get_settings().effective_ledger_url)
    with (
        serving(settings, prefect_url=NO_PREFECT) as url,
        httpx.Client(base_url=url, timeout=60, trust_env=False) as client,
    ):
        yield client


def post(api: httpx.Client, notification: dict[str, Any]) -> int:
    answer = api.post("/alerts", json=notification)
    assert answer.status_code == 202, answer.text
    return answer.json()["new"]


def resolved(notification: dict[str, Any]) -> dict[str, Any]:
    ended = {"status": "resolved", "endsAt": "2026-11-29T06:00:00.000Z"}
    alerts = [alert | ended for alert in notification["alerts"]]
    return notification | {"status": "resolved", "alerts": alerts}


def open_incidents(api: httpx.Client) -> dict[str, float]:
    families = text_string_to_metric_families(api.get("/metrics").text)
    (family,) = (f for f in families if f.name == "orchestrator_open_incidents")
    return {sample.labels["severity"]: sample.value for sample in family.samples}


def on_the_page(api: httpx.Client) -> list[dict[str, Any]]:
    return api.get("/orchestrate/overview").json()["incidents"]["open"]


@pytest.mark.parametrize("notification", NOTIFICATIONS.values(), ids=NOTIFICATIONS)
async def test_an_alert_stays_open_a_person_is_asked_and_its_source_ends_it(
    shop, ledger, rules, api, notification: dict[str, Any]
) -> None:
    alert = notification["alerts"][0]
    told = {**alert["labels"], **alert["annotations"]}
    assert (post(api, notification), post(api, notification)) == (1, 0)
    _, report = await ran(event_driven_workflow)

    (incident,) = await ledger.incidents.open()
    assert incident.status is IncidentStatus.STANDING
    assert incident.severity is Severity.CRITICAL
    assert incident.resource == ABOUT[told["alertname"]]
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert incident.approval_id == question.id
    assert told["summary"] in question.detail
    assert told["runbook_url"] in question.detail
    assert f"alertname={told['alertname']}" in question.detail
    (section,) = (s for s in report.sections if s.title == "Open incidents")
    assert told["summary"] in str(section.tables[0].rows)
    assert told["runbook_url"] in str(section.tables[0].rows)

    (shown,) = on_the_page(api)
    assert shown["open"] is True
    assert told["summary"] in shown["standing"]
    assert shown["runbook"] == told["runbook_url"]
    page = api.get("/orchestrate/overview").json()
    assert page["health"]["state"] == "unhealthy"
    assert [one["id"] for one in page["approvals"]] == [question.id]
    assert open_incidents(api) == {"critical": 1, "error": 0, "warning": 0}
    assert api.get("/orchestrate/status").json()["open_incidents"] == {
        "critical": 1,
        "error": 0,
        "warning": 0,
    }
    _, daily = await ran(daily_health_check)
    (section,) = (s for s in daily.sections if s.title == "Open incidents")
    assert told["summary"] in str(section.tables[0].rows)
    assert "1 incident open" in daily.headline

    # The repeat changes nothing.
    assert post(api, notification) == 0
    await ran(event_driven_workflow)
    assert await ledger.incidents.open() == [incident]
    assert await ledger.approvals.list() == [question]

    # Its end ends it, before any run has looked; then nobody is asked any more.
    assert (post(api, resolved(notification)), post(api, resolved(notification))) == (1, 0)
    (ended,) = await ledger.inbox.incidents()
    assert (ended.status, ended.ending) == (IncidentStatus.SETTLED, Ending.RESOLVED)
    await ran(event_driven_workflow)
    (settled,) = await ledger.approvals.list()
    assert (settled.status, settled.applied_at is None) == (ApprovalStatus.APPROVED, False)
    assert await ledger.inbox.incidents() == [ended.model_copy(update={"events": 2})]
    assert open_incidents(api)["critical"] == 0

    # It fires again, with the same start: another outage of the same incident.
    assert post(api, notification) == 1
    await ran(event_driven_workflow)
    (again,) = await ledger.incidents.open()
    assert (again.id, again.outages) == (incident.id, 2)
    assert len(await ledger.approvals.list(ApprovalStatus.OPEN)) == 1


def notification(
    *names: str, status: str = "firing", severity: str = "critical", **labels: str
) -> dict[str, Any]:
    """What Alertmanager sends of some alerts of one group."""
    given = {"alertname": "Down", "severity": severity} | labels
    alerts = [
        {
            "status": status,
            "labels": given | {"pod": name, "namespace": "elsewhere"} if name else given,
            "annotations": {"summary": f"{name} is down"},
            "startsAt": "2026-11-29T05:00:00Z",
            "fingerprint": f"{name} {sorted(labels.items())}",
        }
        for name in names
    ]
    return {"version": "4", "groupKey": "{}:{}", "receiver": "us", "alerts": alerts}


async def answered(ledger: Ledger, approve: bool) -> ApprovalRecord:
    """Answer the one open question, and have the answer applied."""
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    await ledger.approvals.answer(question.id, approve, by="Ada", via="test", now=utc_now())
    await apply_approval(question.id)
    return await ledger.approvals.get(question.id)


async def test_a_thousand_alerts_of_a_group_ask_once(shop, ledger, rules) -> None:
    names = [f"pod-{number:04}" for number in range(1000)]
    now = utc_now()
    for part in (names[:600], names[600:]):  # the later ones are told in the question that stands
        events = alertmanager.read(notification(*part))
        await ledger.inbox.accept(events, now)
        taken = await ledger.inbox.take(now, "run", now + timedelta(minutes=1), 1000)
        joining = Joining(ledger, "run", Policy(), NoMoney())
        for _, incident in await joining.join(taken, now):
            await ledger.inbox.respond(incident.id, "run", now)
            said = IncidentResponse()
            left = {"run_id": "run", "response": said, "status": "standing", "group_key": "g"}
            await ledger.inbox.settle(incident.model_copy(update=left), now)
        await ran(event_driven_workflow)
    (question,) = await ledger.approvals.list()
    assert question.title.endswith("alert Down, and 999 more: are they dealt with?")
    assert "these 1,000 incidents" in question.detail
    assert "And 995 more." in question.detail
    assert (await answered(ledger, True)).outcome.endswith("1,000 incidents closed.")
    assert await ledger.incidents.open() == []


async def test_what_ends_before_the_wait_is_over_asks_nobody(shop, ledger, rules, api) -> None:
    await rules(group_wait_seconds=600)
    post(api, notification("a"))
    running = asyncio.create_task(ran(event_driven_workflow))
    (incident,) = await until(ledger.incidents.open, "an open incident")
    await until(lambda: _responded(ledger, incident.id), "a response")
    post(api, notification("a", status="resolved"))
    _, report = await running
    assert report.headline == "2 events, 1 incident. Nothing waits."
    assert await ledger.approvals.list() == []


async def _responded(ledger: Ledger, incident_id: str) -> bool:
    found = await ledger.inbox.incident(incident_id)
    return found is not None and found.status is IncidentStatus.STANDING


async def test_a_yes_closes_it_and_it_is_covered_until_it_fires_anew(
    shop, ledger, rules, api
) -> None:
    post(api, notification("a"))
    await ran(event_driven_workflow)
    settled = await answered(ledger, True)
    assert settled.outcome.endswith("1 incident closed.")
    (closed,) = await ledger.inbox.incidents()
    assert (closed.ending, closed.ended_by) == (Ending.ANSWERED, "Ada")
    assert any(
        (moment["title"], moment["detail"][:7])
        == (f"Closed by a person: {closed.title}", "By Ada.")
        for moment in api.get("/orchestrate/overview").json()["timeline"]
    )
    assert post(api, notification("a")) == 0
    await ran(event_driven_workflow)
    assert await ledger.incidents.open() == []
    post(api, notification("a", status="resolved"))
    post(api, notification("a"))
    await ran(event_driven_workflow)
    (again,) = await ledger.incidents.open()
    assert (again.id, again.outages) == (closed.id, 2)
    assert len(await ledger.approvals.list(ApprovalStatus.OPEN)) == 1


async def test_a_no_leaves_it_open_and_so_does_silence_and_it_is_asked_again(
    shop, ledger, rules, api
) -> None:
    await write_changes(
        {"events": {"group_wait_seconds": 0}, "recovery": {"approval_hours": 1 / 3600}}, registry()
    )
    post(api, notification("a"))
    await ran(event_driven_workflow)
    (incident,) = await ledger.incidents.open()
    rejected = await answered(ledger, False)
    assert "stays open" in rejected.outcome
    assert await ledger.incidents.open() == [incident]
    await until(lambda: ledger.incidents.unasked(utc_now()), "an unasked incident")
    await ran(event_driven_workflow)
    (anew,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert anew.id != rejected.id
    await until(lambda: ledger.approvals.expire_due(utc_now()), "an expiry")
    await apply_approval(anew.id)
    assert "stays open" in (await ledger.approvals.get(anew.id)).outcome
    assert [each.id for each in await ledger.incidents.open()] == [incident.id]
    await ran(event_driven_workflow)
    assert len(await ledger.approvals.list()) == 3


async def test_what_our_own_look_shows_well_stays_until_its_source_ends_it(
    shop, ledger, rules, api
) -> None:
    await ran(daily_health_check)  # from then on it is known what the shop takes
    shop.answers["search"] = SICK
    post(api, notification("", service="checkout") | {"groupKey": "c"})
    post(api, notification("", service="search") | {"groupKey": "s"})
    _, report = await ran(event_driven_workflow)
    found = {each.resource: each for each in await ledger.inbox.incidents()}
    well, ill = found["service:checkout"], found["service:search"]
    assert (well.status, well.ending) == (IncidentStatus.STANDING, None)
    assert well.severity is Severity.CRITICAL, "that it answers does not refute what is told of it"
    assert well.done.startswith("Our own look shows it well: checkout answers well")
    assert well.done.endswith("Its source says when it is over.")
    assert ill.status is IncidentStatus.STANDING
    assert [finding.resource for finding in report.findings] == ["service:search"]
    assert await ledger.approvals.list() == [], "an agent knows it"
    standing = {each["resource"]: each for each in on_the_page(api) if each["open"]}
    assert standing.keys() == {"service:checkout", "service:search"}
    incident = standing["service:search"]
    assert "It still fires." in incident["standing"]
    assert ill.impact_per_hour is not None
    receipts = {receipt.kind: receipt for receipt in await ledger.receipts.of(subject=ill.id)}
    urgency = receipts[ReceiptKind.RESPOND].body["inputs"]["urgency"]
    assert any("per hour at risk" in reason for reason in urgency), "known before they were asked"
    assert incident["impact_per_hour"] == pytest.approx(ill.impact_per_hour)


async def test_a_statement_that_no_agent_knows_goes_to_a_person_from_error_on(
    shop, ledger, rules
) -> None:
    told = {"source": "erp", "subject": "printer:3", "data": {"summary": "Paper jam"}}
    mild = SystemEvent(id="1", type="jam", severity="warning", **told | {"subject": "printer:2"})
    await accept_events(mild, SystemEvent(id="2", type="jam", severity="error", **told))
    await ran(event_driven_workflow)
    (incident,) = await ledger.incidents.open()
    assert incident.resource == "printer:3"
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert "Paper jam" in question.detail
    # Said again it is no second question; it stands until somebody answers.
    await accept_events(SystemEvent(id="3", type="jam", severity="error", **told))
    await ran(event_driven_workflow)
    assert [(each.id, each.events) for each in await ledger.incidents.open()] == [(incident.id, 2)]
    assert await ledger.approvals.list() == [question]
    await answered(ledger, True)
    assert await ledger.incidents.open() == []


async def test_what_becomes_worse_is_looked_at_again(shop, ledger, rules) -> None:
    def disk(name: str, severity: str) -> SystemEvent:
        data = {"status": "firing", "fingerprint": "disk 1"}
        told = {"source": "nagios", "type": "disk.full", "subject": "disk:1", "data": data}
        return SystemEvent(id=name, severity=severity, **told)

    await accept_events(disk("1", "warning"))
    await ran(event_driven_workflow)
    (warning,) = await ledger.incidents.open()
    assert (warning.severity, warning.group_key) == (Severity.WARNING, None)
    await accept_events(disk("2", "critical"))
    await ran(event_driven_workflow)
    (critical,) = await ledger.incidents.open()
    assert (critical.id, critical.severity, critical.events) == (warning.id, Severity.CRITICAL, 2)
    assert len(await ledger.approvals.list(ApprovalStatus.OPEN)) == 1


async def test_of_more_events_than_are_read_the_one_that_is_worse_counts(
    shop, ledger, rules
) -> None:
    def disk(alert: int, severity: str) -> SystemEvent:
        data = {"status": "firing", "fingerprint": f"disk {alert}"}
        told = {"source": "nagios", "type": "disk.full", "subject": "disk:1", "data": data}
        return SystemEvent(id=f"{alert} {severity}", severity=severity, **told)

    await accept_events(*(disk(number, "warning") for number in range(120)))
    await ran(event_driven_workflow)
    await accept_events(disk(119, "critical"))
    await ran(event_driven_workflow)
    (critical,) = await ledger.incidents.open()
    assert (critical.severity, critical.events) == (Severity.CRITICAL, 121)


async def test_a_broadcast_that_concerns_nobody_stays_until_a_person_answers(
    shop, ledger, rules, api
) -> None:
    given = {"title": "Flood in the cellar", "severity": Severity.WARNING, "detail": "Water."}
    _, report = await ran(broadcast_alert, **given, data={"cm": 12})
    assert report.headline == ("3 agents told, 0 concerned. It stays open until a person answers.")
    (incident,) = await ledger.incidents.open()
    assert (incident.title, incident.resource) == (
        "Flood in the cellar",
        "alert:Flood in the cellar",
    )
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert "Water." in question.detail
    assert "cm=12" in question.detail
    assert [each["title"] for each in on_the_page(api)] == ["Flood in the cellar"]
    await ran(event_driven_workflow)
    assert len(await ledger.approvals.list()) == 1
    await answered(ledger, True)
    assert await ledger.incidents.open() == []

    await ran(broadcast_alert, **given | {"severity": Severity.INFO})
    await ran(broadcast_alert, **given, resource="service:search")
    assert await ledger.incidents.open() == []
