"""A routed task: its steps, and the ladder of recovery."""
