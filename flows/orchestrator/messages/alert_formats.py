"""An alert as each agent needs it: what it is about, and what is asked of that agent. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.registry import AgentSpec
from blocks.vocabulary.messages import ORCHESTRATOR, Severity, SystemEvent, new_id


@dataclass(frozen=True)
class Alert:
    """Something that all agents are told.

    Attributes:
        title: What happened, in one line.
        severity: How bad it is.
        raised_at: When it was raised.
        detail: What else is to say.
        resource: The thing concerned, ``type:name``; empty when nothing in particular.
        data: Measured values, name to value.
    """

    title: str
    severity: Severity
    raised_at: datetime
    detail: str = ""
    resource: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_id)


def event_for(agent: AgentSpec, alert: Alert) -> dict[str, Any]:
    """The alert as a SystemEvent in JSON, with what this agent is asked about it."""
    event = SystemEvent(
        id=alert.id,
        source=ORCHESTRATOR,
        type="alert.broadcast",
        time=alert.raised_at,
        severity=alert.severity,
        subject=alert.resource,
        data={
            "title": alert.title,
            "detail": alert.detail,
            "values": alert.data,
            "asked": list(agent.alert_questions),
        },
    )
    return event.model_dump(mode="json")
