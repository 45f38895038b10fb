"""The table of samples."""

from __future__ import annotations

from sqlalchemy import Double, Table

from blocks.ledger.engine.tables import METADATA, Instant, required

SAMPLES = Table(
    "samples",
    METADATA,
    required("series", primary_key=True),
    required("at", Instant, primary_key=True, index=True),
    required("value", Double),
)
"""One row per value that a look of ours measured."""
