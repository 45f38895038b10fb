"""The tables of snapshots of the store."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, LargeBinary, Table, true

from blocks.ledger.engine.tables import METADATA, CleanText, Instant, json_column, required

SNAPSHOTS = Table(
    "snapshots",
    METADATA,
    required("id", primary_key=True),
    required("taken_at", Instant, index=True),
    required("currency"),
    required("timezone"),
    required("stale_because"),
    required("store", server_default=""),
    json_column("problems", nullable=False),
    json_column("amounts", nullable=False, server_default="{}"),
    required("complete", Boolean, server_default=true()),
    required("buckets", BigInteger, server_default="0"),
)
"""One row per kept snapshot of the store; until it is ``complete`` nobody sees it.

``buckets`` is into how many its items are divided; ``amounts`` what is in its revenue.
"""


def _of_snapshot() -> Column[Any]:
    reference = ForeignKey("snapshots.id", ondelete="CASCADE")
    return Column("snapshot_id", CleanText, reference, primary_key=True)


SNAPSHOT_PARTS = Table(
    "snapshot_parts",
    METADATA,
    _of_snapshot(),
    required("name", primary_key=True),
    required("part", BigInteger, primary_key=True, autoincrement=False),
    required("bytes", LargeBinary),
)
"""The frames of a snapshot: gzip CSV, cut into parts (see ``blocks.ledger.snapshots``)."""

SNAPSHOT_ITEMS = Table(
    "snapshot_items",
    METADATA,
    _of_snapshot(),
    required("name", primary_key=True),
    required("bucket", BigInteger, primary_key=True, autoincrement=False),
    required("csv_gz", LargeBinary),
)
"""What is asked of single items: a few SKUs' rows of a frame per bucket, gzip CSV."""
