"""Incidents as people read them: how each stands, and one with its whole story."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentState
from blocks.ledger.incidents.entries import IncidentEntry
from blocks.ledger.incidents.silences import SilenceRecord
from blocks.vocabulary.severity import Severity

LISTED = 100
"""Incidents that are listed, unless somebody asks for more."""


class ListedIncident(BaseModel):
    """An incident, and where it stands.

    Attributes:
        state: ``triggered``, ``acknowledged`` or ``resolved``.
        silenced: Whether a silence covers it: nobody is told of it.
    """

    incident: IncidentRecord
    state: IncidentState
    silenced: bool


class IncidentStory(ListedIncident):
    """An incident with all that became of it.

    Attributes:
        silence: The silence that covers it.
        timeline: Its steps, the earliest first.
    """

    silence: SilenceRecord | None
    timeline: list[IncidentEntry]


def listed(incident: IncidentRecord, now: datetime) -> ListedIncident:
    """An incident, and where it stands at an instant."""
    return ListedIncident(
        incident=incident,
        state=incident.state(now),
        silenced=incident.is_silenced and not incident.is_over,
    )


async def list_incidents(
    ledger: Ledger,
    now: datetime,
    *,
    over: bool = False,
    resource: str = "*",
    severity: Severity | None = None,
    assigned_to: str | None = None,
    limit: int = LISTED,
) -> list[ListedIncident]:
    """Incidents: those that are not over first, the worst of them first; then the latest.

    Args:
        ledger: Where they are.
        now: The instant to judge at.
        over: Also those that are over.
        resource: What they are about, with ``*`` and ``?``.
        severity: From this one on.
        assigned_to: Only whose they are.
        limit: How many at most.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    await ledger.incidents.silence(now)
    found = await ledger.incidents.list(
        over=over, resource=resource, severity=severity, assigned_to=assigned_to, limit=limit
    )
    return [listed(one, now) for one in found]


async def story_of(ledger: Ledger, which: str, now: datetime) -> IncidentStory:
    """One incident with its timeline.

    Raises:
        NotFound: There is no such incident.
        RequestError: More than one is named so.
        LedgerError: The ledger cannot be read.
    """
    await ledger.incidents.silence(now)
    incident = await ledger.incidents.get(which)
    known = {each.id: each for each in await ledger.silences.all()} if incident.silence_id else {}
    silence = known.get(incident.silence_id or "")
    timeline = await ledger.incident_entries.of([incident.id])
    return IncidentStory(**dict(listed(incident, now)), silence=silence, timeline=timeline)
