"""The SRE Reliability agent."""

from agents.registry import AgentSpec

PLATFORM = frozenset(
    {"host", "pool", "queue", "worker", "flow", "deployment", "limit", "ledger", "prefect"}
)
"""Kinds of subject that are about what we ourselves run on."""

AGENT = AgentSpec(
    id="sre-reliability",
    title="SRE Reliability",
    specialization=(
        "Keeps services and the platform healthy: watches, remedies and verifies, "
        "and says what is worth improving."
    ),
    event_action="respond_to_event",
    alert_questions=(
        "Is it still so?",
        "Which remedies are probable, and safe to try?",
    ),
    events_action="respond_to_events",
    event_kinds=PLATFORM | {"probe", "service", "run", ""},
)
