"""Flows that only the product itself starts."""
