"""How the objectives stand, for whoever asks: command line, API, status page."""

from __future__ import annotations

from datetime import datetime

from agents.sre_reliability.objectives.reading import standings
from agents.sre_reliability.objectives.standing import ObjectiveStanding
from blocks.ledger import Ledger
from flows.orchestrator.watching.watch import configured


async def objectives_now(ledger: Ledger, now: datetime) -> list[ObjectiveStanding]:
    """All objectives in force, those that burn first, then by the budget that is left.

    Raises:
        LedgerError: The ledger cannot be read.
        ConfigurationError: Business or policy cannot be read.
        SourceError: The Prefect API does not answer.
    """
    business, policy = await configured(ledger)
    return await standings(business, ledger, policy.objectives, now)
