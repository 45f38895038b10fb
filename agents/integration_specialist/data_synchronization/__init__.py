"""Keeping our picture of the store's data in step with the store, and checking it against it."""
