"""The Integration Specialist agent."""

from agents.registry import AgentSpec

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
)
