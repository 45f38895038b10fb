"""Reading the store and keeping what was read, for the days when it cannot be."""

from __future__ import annotations

from datetime import datetime

from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.frames import Snapshot


async def take_snapshot(store: StoreDatabase, ledger: Ledger, now: datetime) -> Snapshot:
    """Read the store and keep the snapshot in the ledger.

    A snapshot without any frame is returned, for its problems, but not kept: it must not stand in
    for a better one later.

    Raises:
        SourceError: The store cannot be read at all; see StoreDatabase.read_snapshot.
        LedgerUnavailable: It cannot be kept.
    """
    snapshot = await store.read_snapshot(now)
    if snapshot.frames:
        await ledger.snapshots.save(snapshot)
    return snapshot
