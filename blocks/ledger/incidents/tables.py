"""The tables of what is done about incidents."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Table

from blocks.ledger.engine.tables import (
    METADATA,
    CleanText,
    Instant,
    index_where,
    json_column,
    required,
)

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


INCIDENT_INHIBITIONS = Table(
    "incident_inhibitions",
    METADATA,
    required("incident_id", primary_key=True),
    required("cause_id"),
    required("since", Instant, index=True),
    Column("released_at", Instant),
)
"""One row per incident that another one explained, or explains until it is released."""

index_where(
    "ix_incident_inhibitions_open",
    INCIDENT_INHIBITIONS.c.released_at.is_(None),
    INCIDENT_INHIBITIONS.c.cause_id,
)
SILENCES = Table(
    "silences",
    METADATA,
    required("id", primary_key=True),
    required("resource"),
    required("type"),
    required("severity"),
    json_column("labels", nullable=False),
    required("reason"),
    required("by"),
    required("made_at", Instant),
    required("starts_at", Instant),
    required("ends_at", Instant, index=True),
    Column("ended_by", CleanText),
    required("maintenance", Boolean),
    json_column("weekly"),
)
"""One row per silence or maintenance window, also when it is over."""
