"""What each agent is told of an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.registry import registry
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.responses import read_event
from flows.orchestrator.messages.alert_formats import FORMATS, Alert, event_for

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(**fields: Any) -> Alert:
    given = {"title": "It is down", "severity": Severity.ERROR, "raised_at": NOON, "id": "a1"}
    return Alert(**given | fields)


def test_every_agent_that_takes_alerts_has_a_format_of_its_own() -> None:
    assert {a.event_action for a in registry().agents.values()} == set(FORMATS)


@pytest.mark.parametrize("action", [*FORMATS, "one_to_come"])
def test_an_alert_is_an_event_for_every_agent(action: str) -> None:
    event = read_event(event_for(action, alert(resource="service:web", detail="Since noon.")))
    assert (event.id, event.severity, event.time) == ("a1", Severity.ERROR, NOON)
    assert event.subject == "service:web"
    assert (event.data["title"], event.data["detail"]) == ("It is down", "Since noon.")
    assert event.data["asked"]


def test_each_agent_is_told_what_it_needs() -> None:
    told = {
        action: event_for(action, alert(resource="supplier:acme", data={"late_days": 3}))["data"]
        for action in FORMATS
    }
    assert told["process_event"]["values"] == {"late_days": 3}
    assert "at risk" in told["process_event"]["asked"][0]
    assert told["respond_to_event"]["severity"] == "error"
    assert told["respond_to_event"]["resource"] == "supplier:acme"
    assert "remedies" in told["respond_to_event"]["asked"][1]
    assert told["handle_event"]["connection"] == "supplier:acme"
    assert event_for("handle_event", alert(resource="sku:1"))["data"]["connection"] is None
