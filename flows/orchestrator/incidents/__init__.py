"""The life of an incident: acknowledged, assigned, silenced, escalated, resolved."""
