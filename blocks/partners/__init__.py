"""Calling partners: one call, its retries, its breaker, and what is remembered of them."""
