"""All suppliers asked at once, within one deadline; who does not answer counts as it last did."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from blocks.business.business import Business
from blocks.business.catalogues.answers import SupplierAnswer
from blocks.business.snapshots import keep_offers, last_offers
from blocks.business.suppliers import SupplierConnection
from blocks.errors import ConfigurationError, OrchestratorError, SourceError, SourceTimeout
from blocks.ledger import Ledger
from blocks.vocabulary.frames import Snapshot


@dataclass(frozen=True)
class Asked:
    """What came of asking a supplier.

    Attributes:
        supplier: Whom.
        known: What it offers, or offered last; None where nothing is known.
        answer: Its answer; None without one, or where it was asked before.
        error: Why there is none; None where there is one, or it was asked before.
    """

    supplier: SupplierConnection
    known: Snapshot | None
    answer: SupplierAnswer | None = None
    error: OrchestratorError | None = None

    @property
    def offers(self) -> pd.DataFrame | None:
        """What counts of its offers, contract OFFERS."""
        return None if self.known is None else self.known.frames["offers"]


async def ask_all(
    business: Business,
    ledger: Ledger,
    now: datetime,
    deadline_seconds: float,
    asked: Collection[str] = (),
) -> list[Asked]:
    """Ask every supplier for its offers, side by side, and keep them.

    Args:
        business: Whose suppliers.
        ledger: Keeps what they offer.
        now: The instant of the check.
        deadline_seconds: What each may take.
        asked: Suppliers that have just been asked, and whose kept offers are of now.

    Raises:
        LedgerUnavailable: The ledger cannot be read or written.
    """
    return await asyncio.gather(
        *(
            _just_asked(supplier, ledger)
            if supplier.name in asked
            else _ask(supplier, business, ledger, now, deadline_seconds)
            for supplier in business.suppliers
        )
    )


async def fetch_offers(
    supplier: SupplierConnection, business: Business, ledger: Ledger, now: datetime
) -> tuple[SupplierAnswer, Snapshot]:
    """Ask a supplier for its offers, and keep them for the time when it does not answer.

    Raises:
        SourceError: It did not do its part.
        LedgerUnavailable: They cannot be kept.
    """
    answer = await supplier.fetch_offers(now)
    offers = Snapshot(
        taken_at=now,
        frames={"offers": answer.frame},
        problems=answer.problems,
        currency=business.currency,
        timezone=business.timezone,
    )
    await keep_offers(supplier.name, offers, ledger)
    return answer, offers


async def _just_asked(supplier: SupplierConnection, ledger: Ledger) -> Asked:
    return Asked(supplier, await last_offers(supplier.name, ledger))


async def _ask(
    supplier: SupplierConnection,
    business: Business,
    ledger: Ledger,
    now: datetime,
    deadline_seconds: float,
) -> Asked:
    try:
        async with asyncio.timeout(deadline_seconds):
            answer, offers = await fetch_offers(supplier, business, ledger, now)
        return Asked(supplier, offers, answer)
    except TimeoutError:
        error: OrchestratorError = SourceTimeout(
            f"supplier {supplier.name!r} gave no complete answer within {deadline_seconds:g} s.",
            hint="Give it more time: a larger deadline_seconds, or a lower urgency.",
        )
    except (SourceError, ConfigurationError) as failed:
        error = failed
    return Asked(supplier, await last_offers(supplier.name, ledger), error=error)
