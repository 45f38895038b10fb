"""The tables of what is done about incidents."""

from __future__ import annotations

from sqlalchemy import Table

from blocks.ledger.engine.tables import METADATA, Instant, json_column, required

INCIDENT_ENTRIES = Table(
    "incident_entries",
    METADATA,
    required("incident_id", primary_key=True),
    required("id", primary_key=True),
    required("at", Instant, index=True),
    required("kind"),
    required("by"),
    required("text"),
    json_column("data", nullable=False),
)
"""One row per step in an incident's life that no other record tells."""
