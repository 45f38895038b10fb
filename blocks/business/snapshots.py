"""Reading the store and keeping what was read, for the days when it cannot be."""

from __future__ import annotations

from datetime import datetime

from blocks.ledger import Ledger
from blocks.settings import get_settings
from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import Snapshot

READING_TIMEOUT = 840.0
"""Seconds that an action may take which reads the store: the first reading of a large shop adds up
years of lines (``blocks.store.days.reading.READING_SECONDS``), those that follow two months."""

KEPT_DAYS = "store-days"
"""Folder in the state folder of what is kept of settled days; it may be thrown away."""


async def take_snapshot(store: StoreDatabase, ledger: Ledger, now: datetime) -> Snapshot:
    """Read the store and keep the snapshot in the ledger.

    A snapshot without any frame is returned, for its problems, but not kept: it must not stand in
    for a better one later.

    Raises:
        SourceError: The store cannot be read at all; see StoreDatabase.read_snapshot.
        LedgerUnavailable: It cannot be kept.
    """
    kept_in = get_settings().state_dir / KEPT_DAYS
    snapshot = await store.read_snapshot(now, kept_in=kept_in)
    if snapshot.frames:
        await ledger.snapshots.save(snapshot)
    return snapshot
