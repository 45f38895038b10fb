"""The Integration Specialist agent."""

from agents.registry import AgentSpec

EVENT_KINDS = frozenset({"connection", "store", "supplier"})
"""Kinds of subject that are connections."""

AGENT = AgentSpec(
    id="integration-specialist",
    title="Integration Specialist",
    specialization=(
        "Connects to databases, suppliers and partners: fetches, checks, converts and synchronises."
    ),
    event_action="handle_event",
    alert_questions=(
        "Which connection is concerned?",
        "Does it answer, and does it know us?",
    ),
    events_action="handle_events",
    event_kinds=EVENT_KINDS,
)
