"""Prefect's API: what we ask of it, the runs that we start there, and whom it notifies."""
