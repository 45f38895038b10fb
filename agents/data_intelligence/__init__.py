"""The Data Intelligence agent."""

from agents.registry import AgentSpec

EVENT_KINDS = frozenset({"service", "sku", "supplier", "store"})
"""Kinds of subject that the business's figures speak of."""

AGENT = AgentSpec(
    id="data-intelligence",
    title="Data Intelligence",
    specialization=(
        "Finds what the numbers say: patterns, forecasts, anomalies, and whether to trust them."
    ),
    event_action="process_event",
    alert_questions=(
        "Which revenue depends on it, and how much is at risk per hour?",
        "How often did this come before?",
    ),
    events_action="process_events",
    event_kinds=EVENT_KINDS,
)
