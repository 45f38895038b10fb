"""Measurements: ``python -m benchmarks.NAME [--json]``; JSON is the last line."""
