"""Fetching a stale snapshot of the store again."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from agents.capability import action
from agents.sre_reliability.automation.result import RemediationResult
from blocks.business.business import Business
from blocks.business.snapshots import READING_TIMEOUT, take_snapshot
from blocks.errors import ConfigurationError, SourceError
from blocks.ledger import Ledger
from blocks.store.block import StoreDatabase
from blocks.vocabulary.effects import Effect, EffectVerdict
from blocks.vocabulary.frames import Snapshot

FRESH = timedelta(minutes=5)
"""A complete snapshot that is younger needs no fetching."""

TRIES = 3
PAUSE = 3.0  # seconds between tries: a lock is mostly short


REFETCH = Effect(
    precondition=f"the newest snapshot is older than {FRESH.seconds // 60} minutes or incomplete",
    prediction="the ledger holds a snapshot of now with every mapped frame",
    verified_by="the newest snapshot that the ledger holds then",
    blast_radius="the store's database, which is read once more",
)


@action(timeout=READING_TIMEOUT, effect=REFETCH)
async def refetch_snapshot(business: Business, ledger: Ledger, now: datetime) -> RemediationResult:
    """Read the store again, and see whether the ledger then holds a fresh, complete snapshot.

    Args:
        business: Whose store.
        ledger: Where snapshots are kept.
        now: When the remedy starts.

    Returns:
        ``failed`` when the store cannot be read within three tries; ``ineffective`` when it can,
        and the kept snapshot is still old or lacks a mapped frame.

    Raises:
        ConfigurationError: The business has no store.
        LedgerUnavailable: The snapshot cannot be kept.
    """
    store = business.store
    if store is None:
        raise ConfigurationError(
            "The business has no store.", hint="Connect one with ./orchestrator connect URL."
        )
    began = monotonic()
    before = _measured(await ledger.snapshots.latest(store.name), store, now)
    after: dict[str, Any] = {}
    if before["fresh"] and not before["lacking"]:
        status, detail = EffectVerdict.NOT_NEEDED, "A fresh, complete snapshot is there."
    elif error := await _fetch(store, ledger, now):
        status, detail = EffectVerdict.FAILED, str(error)
    else:
        # Judged by what was kept, not by what was read: only that serves the next run.
        after = _measured(await ledger.snapshots.latest(store.name), store, now)
        status, detail = _verdict(after)
    return RemediationResult(
        action="refetch_snapshot",
        resource=f"store:{store.name}",
        status=status,
        acted=bool(after),
        detail=detail,
        before=before,
        after=after,
        seconds=round(monotonic() - began, 1),
    )


async def _fetch(store: StoreDatabase, ledger: Ledger, now: datetime) -> SourceError | None:
    """The last error, when no try succeeded."""
    for attempt in range(1, TRIES + 1):
        try:
            await take_snapshot(store, ledger, now)
        except SourceError as error:
            if attempt == TRIES or not error.retryable:
                return error
            await asyncio.sleep(PAUSE)
        else:
            break
    return None


def _verdict(after: dict[str, Any]) -> tuple[EffectVerdict, str]:
    if not after["fresh"]:
        return EffectVerdict.INEFFECTIVE, "The store answered, but with nothing to keep."
    if after["lacking"]:
        return (
            EffectVerdict.INEFFECTIVE,
            f"The snapshot is fresh, but lacks {', '.join(after['lacking'])}: {after['problems']}",
        )
    return EffectVerdict.VERIFIED, "The ledger holds a fresh, complete snapshot."


def _measured(snapshot: Snapshot | None, store: StoreDatabase, now: datetime) -> dict[str, Any]:
    wanted = set(store.frames) - {"sale_lines"}
    if "sale_lines" in store.frames:
        wanted |= {"sales", "orders"}  # what the lines are added up to
    if snapshot is None:
        return {"taken_at": None, "fresh": False, "lacking": sorted(wanted), "problems": ""}
    return {
        "taken_at": snapshot.taken_at.isoformat(),
        "fresh": now - snapshot.taken_at <= FRESH,
        "lacking": sorted(wanted - set(snapshot.frames)),
        "rows": {name: len(frame) for name, frame in snapshot.frames.items()},
        "problems": "; ".join(str(problem) for problem in snapshot.problems)[:500],
    }
