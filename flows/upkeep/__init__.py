"""Workflows that keep up to date what the others go by: demand, orders under way, outcomes."""
