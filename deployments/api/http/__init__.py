"""What every route shares: problems, bodies, limits, callers, idempotency."""
