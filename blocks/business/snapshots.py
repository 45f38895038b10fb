"""Reading the store and its suppliers, and keeping what was read for when they cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from blocks.errors import ContractViolation
from blocks.ledger import Ledger
from blocks.machine.memory import give_back
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
    give_back()  # before others are forked, who would seem to hold it, too
    return snapshot


async def keep_offers(supplier: str, offers: Snapshot, ledger: Ledger) -> None:
    """Keep what a supplier offers, for the time when it does not answer.

    It lies among the snapshots, under a name that no store can have. Where nothing was offered,
    what was offered before stays.

    Raises:
        LedgerUnavailable: It cannot be kept.
    """
    if len(offers.frames["offers"]):
        await ledger.snapshots.save(replace(offers, store=_kept_as(supplier)))


async def last_offers(supplier: str, ledger: Ledger) -> Snapshot | None:
    """What a supplier offered when it last answered; None when it never did.

    Raises:
        LedgerUnavailable: The ledger cannot be read.
    """
    try:
        return await ledger.snapshots.latest(_kept_as(supplier))
    except ContractViolation:  # of another release: what it said is not understood any more
        return None


def _kept_as(supplier: str) -> str:
    return f"supplier:{supplier}"
