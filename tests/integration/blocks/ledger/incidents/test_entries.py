"""The steps of an incident's life are kept once, and told in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger import Ledger
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_step_is_told_once_and_in_its_place(ledger_url: str) -> None:
    later = IncidentEntry(
        incident_id="i", id="2", at=NOON + timedelta(hours=1), kind=EntryKind.ENDED, by="ann"
    )
    first = IncidentEntry(incident_id="i", id="1", at=NOON, kind=EntryKind.OPENED, data={"n": 1})
    with Ledger.open(ledger_url) as ledger:
        await ledger.incident_entries.add([later, first])
        await ledger.incident_entries.add([first.model_copy(update={"text": "again"})])
        await ledger.incident_entries.add([])
        assert await ledger.incident_entries.of(["i"]) == [first, later]
        assert await ledger.incident_entries.of(["j"]) == []
