"""Callers of the API: their tokens, and requests that are done once."""
