"""The tables of samples."""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, LargeBinary, Table

from blocks.ledger.engine.tables import METADATA, Instant, required

SAMPLES = Table(
    "samples",
    METADATA,
    required("series", primary_key=True),
    required("at", Instant, primary_key=True, index=True),
    required("value", Double),
)
"""One row per value that a look of ours measured in the last hours."""

SAMPLE_DAYS = Table(
    "sample_days",
    METADATA,
    required("series", primary_key=True),
    required("day", Instant, primary_key=True, index=True),
    required("count", BigInteger),
    required("packed", LargeBinary),
)
"""One row per series and day (UTC) of the values before those, see ``packing``."""
