"""The steps of an incident's life, as its timeline keeps them: who did what, in a sentence.

They are written in the transaction that takes the step. One that is taken twice, by a run that
tries its commit again, has the same id and is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from blocks.ledger.events.records import Ending, IncidentRecord, IncidentResponse
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.vocabulary.messages import ORCHESTRATOR, Severity

_ENDINGS = {
    Ending.RESOLVED: "Its source says that it is over.",
    Ending.ANSWERED: "A person says that it is over.",
    Ending.WELL: "Our own look shows it well.",
    Ending.MENDED: "A remedy helped, and that was verified.",
    None: "There is nothing left to do about it.",
}


def step(
    incident_id: str,
    kind: EntryKind,
    at: datetime,
    text: str,
    by: str = ORCHESTRATOR,
    **data: Any,
) -> IncidentEntry:
    """A step that an instant tells apart from others of its kind."""
    return IncidentEntry(
        incident_id=incident_id,
        id=f"{kind} {at.isoformat()}",
        at=at,
        kind=kind,
        by=by,
        text=text,
        data=data,
    )


def opened(incident: IncidentRecord, by: str) -> IncidentEntry:
    """It began; by its source."""
    return step(
        incident.id,
        EntryKind.OPENED,
        incident.opened_at,
        f"{incident.title}.",
        by,
        severity=incident.severity.value,
        **({"previous": incident.previous_id} if incident.previous_id else {}),
    )


def worsened(incident: IncidentRecord, to: Severity, at: datetime, by: str) -> IncidentEntry:
    """Its source tells of something graver than all before."""
    text = f"It has become worse: {to.value}."
    if incident.acknowledged_by:
        text += f" {incident.acknowledged_by} had acknowledged it; that no longer counts."
    return step(incident.id, EntryKind.WORSENED, at, text, by, severity=to.value)


def reopened(incident: IncidentRecord, at: datetime, by: str) -> IncidentEntry:
    """Its alert fires again; the incident as it is from then on."""
    text = f"It is back: outage {incident.outages}."
    return step(incident.id, EntryKind.REOPENED, at, text, by, outages=incident.outages)


def flapping(incident: IncidentRecord, at: datetime, times: int) -> IncidentEntry:
    """It begins and ends again and again."""
    text = f"It flaps: reopened {times} times of late. It stays open until it is steady."
    return step(incident.id, EntryKind.FLAPPING, at, text, reopenings=times)


def steady(incident_id: str, at: datetime) -> IncidentEntry:
    """It flapped, and does so no more."""
    return step(incident_id, EntryKind.STEADY, at, "It is steady: nothing has changed for a while.")


def responded(incident: IncidentRecord, at: datetime) -> IncidentEntry:
    """The agents have looked at it."""
    response = incident.response or IncidentResponse()
    return step(
        incident.id,
        EntryKind.RESPONDED,
        at,
        response.done
        or ("Its events were only counted." if response.summary else "It was looked at."),
        severity=incident.severity.value,
        impact_per_hour=incident.impact_per_hour,
        agents=sorted(response.assessments or {}),
        failed=sorted(response.failed),
        run=incident.run_id,
    )


def ended(
    incident_id: str, ending: Ending | None, at: datetime, by: str = ORCHESTRATOR, note: str = ""
) -> IncidentEntry:
    """It is over."""
    text = f"{_ENDINGS[ending]} {note}".strip()
    ending_data = {"ending": None if ending is None else ending.value}
    return step(incident_id, EntryKind.ENDED, at, text, by, **ending_data)


def all_ended(
    ids: Sequence[str], ending: Ending, at: datetime, by: Mapping[str, str]
) -> list[IncidentEntry]:
    """Several are over at once, each by whom it says."""
    return [ended(each, ending, at, by.get(each, ORCHESTRATOR)) for each in ids]
