"""An alert as each agent needs it: what it is about, and what is asked of that agent. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from blocks.vocabulary.messages import ORCHESTRATOR, Severity, SystemEvent, new_id

CONNECTIONS = frozenset({"supplier", "store", "connection"})


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


def _for_data(alert: Alert) -> dict[str, Any]:
    return {
        "values": alert.data,
        "asked": [
            "Which revenue depends on it, and how much is at risk per hour?",
            "How often did this come before?",
        ],
    }


def _for_reliability(alert: Alert) -> dict[str, Any]:
    return {
        "resource": alert.resource,
        "severity": alert.severity.value,
        "values": alert.data,
        "asked": ["Is it still so?", "Which remedies are probable, and safe to try?"],
    }


def _for_integration(alert: Alert) -> dict[str, Any]:
    kind = alert.resource.partition(":")[0]
    return {
        "connection": alert.resource if kind in CONNECTIONS else None,
        "asked": ["Which connection is concerned?", "Does it answer, and does it know us?"],
    }


def _for_anyone(alert: Alert) -> dict[str, Any]:
    return {"values": alert.data, "asked": ["Does it concern you, and what do you advise?"]}


FORMATS: dict[str, Callable[[Alert], dict[str, Any]]] = {
    "process_event": _for_data,
    "respond_to_event": _for_reliability,
    "handle_event": _for_integration,
}
"""What an agent is told beside title and detail, by its event action."""


def event_for(event_action: str, alert: Alert) -> dict[str, Any]:
    """The alert as a SystemEvent in JSON, for the agent of that event action."""
    told = FORMATS.get(event_action, _for_anyone)(alert)
    event = SystemEvent(
        id=alert.id,
        source=ORCHESTRATOR,
        type="alert.broadcast",
        time=alert.raised_at,
        severity=alert.severity,
        subject=alert.resource,
        data={"title": alert.title, "detail": alert.detail} | told,
    )
    return event.model_dump(mode="json")
