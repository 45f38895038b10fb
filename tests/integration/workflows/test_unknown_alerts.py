"""What no agent knows stays open, a person is asked, and its source or an answer ends it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.variables import Variable
from prometheus_client.parser import text_string_to_metric_families

from agents.registry import registry
from blocks.ledger.approvals import ApprovalStatus
from blocks.ledger.event_records import Ending, SituationStatus
from blocks.messages import Severity
from blocks.settings import get_settings
from flows.daily_health_check import daily_health_check
from flows.event_driven_workflow import event_driven_workflow
from flows.policy import VARIABLE, forget_policy, write_changes
from tests.integration.api.conftest import api_settings, serving
from tests.integration.api.intake import NO_PREFECT
from tests.integration.workflows.seen import ran

pytestmark = pytest.mark.prefect

NOTIFICATIONS = {
    file.stem: json.loads(file.read_text())
    for file in sorted((Path(__file__).parents[1] / "alerts").glob("*.json"))
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

    (situation,) = await ledger.incidents.open()
    assert situation.status is SituationStatus.STANDING
    assert situation.severity is Severity.CRITICAL
    (question,) = await ledger.approvals.list(ApprovalStatus.OPEN)
    assert situation.approval_id == question.id
    assert told["summary"] in question.detail
    assert told["runbook_url"] in question.detail
    assert f"alertname={told['alertname']}" in question.detail
    (section,) = (s for s in report.sections if s.title == "Open incidents")
    assert told["summary"] in str(section.tables[0].rows)
    assert told["runbook_url"] in str(section.tables[0].rows)

    (incident,) = on_the_page(api)
    assert incident["open"] is True
    assert told["summary"] in incident["standing"]
    assert incident["runbook"] == told["runbook_url"]
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
    assert await ledger.incidents.open() == [situation]
    assert await ledger.approvals.list() == [question]

    # Its end ends it, before any run has looked; then nobody is asked any more.
    assert (post(api, resolved(notification)), post(api, resolved(notification))) == (1, 0)
    (ended,) = await ledger.inbox.situations()
    assert (ended.status, ended.ending) == (SituationStatus.SETTLED, Ending.RESOLVED)
    await ran(event_driven_workflow)
    (settled,) = await ledger.approvals.list()
    assert (settled.status, settled.applied_at is None) == (ApprovalStatus.APPROVED, False)
    assert await ledger.inbox.situations() == [ended.model_copy(update={"events": 2})]
    assert open_incidents(api)["critical"] == 0

    # It fires again, with the same start: another outage.
    assert post(api, notification) == 1
    await ran(event_driven_workflow)
    (again,) = await ledger.incidents.open()
    assert again.id != situation.id
    assert len(await ledger.approvals.list(ApprovalStatus.OPEN)) == 1
