"""What each agent is told of an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents.registry import AgentSpec, registry
from blocks.vocabulary.messages import Severity
from blocks.vocabulary.responses import read_event
from flows.orchestrator.messages.alert_formats import Alert, event_for

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def alert(**fields: Any) -> Alert:
    given = {"title": "It is down", "severity": Severity.ERROR, "raised_at": NOON, "id": "a1"}
    return Alert(**given | fields)


AGENTS = [*registry().agents.values(), AgentSpec("one-to-come", "One", "Comes.")]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.id)
def test_an_alert_is_an_event_for_every_agent(agent: AgentSpec) -> None:
    told = alert(resource="service:web", detail="Since noon.", data={"late_days": 3})
    event = read_event(event_for(agent, told))
    assert (event.id, event.severity, event.time) == ("a1", Severity.ERROR, NOON)
    assert event.subject == "service:web"
    assert (event.data["title"], event.data["detail"]) == ("It is down", "Since noon.")
    assert event.data["values"] == {"late_days": 3}
    assert event.data["asked"] == list(agent.alert_questions) != []


def test_each_agent_is_asked_what_it_alone_can_say() -> None:
    asked = [agent.alert_questions for agent in AGENTS]
    assert len(set(asked)) == len(AGENTS)
