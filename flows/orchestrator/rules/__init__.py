"""Rules: which events start which workflow, what came of it, and what would have."""
