"""The situations that are not over, as reports and the command line tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.ledger import Ledger
from blocks.ledger.events.records import SituationRecord
from blocks.policy.event_rules import EventRules
from flows.status.incidents import how_it_stands


@dataclass(frozen=True)
class OpenIncident:
    """One of them, and how it stands in words."""

    situation: SituationRecord
    standing: str

    @property
    def told(self) -> str:
        """How it stands, and where it says what to do."""
        runbook = self.situation.told.runbook
        return f"{self.standing} Runbook: {runbook}" if runbook else self.standing


async def open_incidents(ledger: Ledger, rules: EventRules, now: datetime) -> list[OpenIncident]:
    """All that are not over: the worst first, of these what costs most, then the oldest.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    found, heard = await ledger.incidents.open(), await ledger.incidents.heard()
    silence = timedelta(seconds=rules.silence_seconds)
    ranked = sorted(
        found,
        key=lambda s: (-s.severity.rank, -(s.impact_per_hour or 0), s.opened_at, s.id),
    )
    return [OpenIncident(s, how_it_stands(s, heard, silence, now)) for s in ranked]


def how_many(found: Sequence[OpenIncident]) -> str:
    """``2 incidents open, the worst critical``; empty when there is none."""
    if not found:
        return ""
    incidents = "incident" if len(found) == 1 else "incidents"
    return f"{len(found):,} {incidents} open, the worst {found[0].situation.severity.value}"
