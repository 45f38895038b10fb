"""Measurements: ``python -m benchmarks.NAME`` prints a table, ``--json`` one JSON line at the end."""
