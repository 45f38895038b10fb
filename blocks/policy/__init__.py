"""The policy as data: the decision matrix, and the rules for alerts, events, claims, selection."""
