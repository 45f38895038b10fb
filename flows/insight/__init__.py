"""Workflows that only look, and tell what they saw."""
