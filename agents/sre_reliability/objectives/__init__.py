"""Service level objectives: error budgets, and how fast they burn."""
