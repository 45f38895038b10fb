"""Fetching data from outside: the store's database, a supplier's catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agents.capability import ANYBODY, action
from agents.integration_specialist.external_connections.asking import fetch_offers
from blocks.business.business import Business
from blocks.business.snapshots import READING_TIMEOUT, take_snapshot
from blocks.errors import ConfigurationError, InvalidMessage, SourceError
from blocks.ledger import Ledger
from blocks.text import did_you_mean
from blocks.vocabulary.frames import Snapshot

STORE = "store"


@action(timeout=READING_TIMEOUT, retries=2, askers=ANYBODY)
async def fetch_data(
    business: Business, ledger: Ledger, now: datetime, source: str = STORE
) -> Snapshot:
    """Fetch the store's frames, or a supplier's offers.

    When the store cannot be read, its newest snapshot in the ledger stands in for it, marked
    with ``stale_because``.

    Args:
        business: Whose data.
        ledger: Keeps the store's snapshots, and the suppliers' last offers.
        now: The instant of the fetch.
        source: ``store``, or the name of a supplier.

    Returns:
        The store's snapshot, or one whose only frame is the supplier's ``offers``.

    Raises:
        SourceError: The source did not do its part, and there is no earlier snapshot.
        ConfigurationError: There is no store.
        InvalidMessage: There is no such source.
        LedgerUnavailable: The snapshot cannot be kept.
    """
    if source != STORE:
        return await _fetch_supplier(business, ledger, now, source)
    if business.store is None:
        raise ConfigurationError(
            "The business has no store.", hint="Connect one with ./orchestrator connect URL."
        )
    try:
        return await take_snapshot(business.store, ledger, now)
    except SourceError as error:
        earlier = await ledger.snapshots.latest(business.store.name)
        if earlier is None:
            raise
        return replace(earlier, stale_because=error.what)


async def _fetch_supplier(business: Business, ledger: Ledger, now: datetime, name: str) -> Snapshot:
    suppliers = {supplier.name: supplier for supplier in business.suppliers}
    if name not in suppliers:
        hint = did_you_mean(name, [STORE, *suppliers])
        raise InvalidMessage(f"There is no source {name!r}.", hint=hint)
    _, offers = await fetch_offers(suppliers[name], business, ledger, now)
    return offers
