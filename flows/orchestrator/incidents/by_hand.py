"""What a person says of an incident: they see to it, whose it is, a note, or that it is over.

Said twice it counts once, and of two who speak at once each sees what the other one said.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from blocks.errors import RequestError
from blocks.ledger import Ledger
from blocks.ledger.events.changes import Change
from blocks.ledger.events.records import IncidentRecord, IncidentState
from blocks.ledger.events.steps import step
from blocks.ledger.incidents.entries import EntryKind, IncidentEntry
from blocks.policy.watching.incident_rules import IncidentRules
from blocks.text import printable

LONGEST = 2000
"""Characters of a note."""

LONGEST_NAME = 100
"""Characters of whose it is."""


async def acknowledge(
    ledger: Ledger, which: str, rules: IncidentRules, *, by: str, now: datetime, note: str = ""
) -> IncidentRecord:
    """Say that somebody sees to an incident: nobody else is called for ``ack_hours``.

    It no longer counts when the incident becomes worse, or ends and comes again.

    Args:
        ledger: Where it is.
        which: Its id, or enough of its beginning; its resource, if that has one open incident.
        rules: For how long it counts.
        by: Who sees to it.
        now: When they say so.
        note: What else there is to say.

    Returns:
        The incident as it stands then; unchanged when the same person had said so.

    Raises:
        NotFound: There is no such incident.
        RequestError: It is over.
        LedgerError: The ledger cannot be read or written.
    """
    incident, text = await ledger.incidents.get(which), _note(note)
    until = now + timedelta(hours=rules.ack_hours)

    def judge(one: IncidentRecord) -> Change | None:
        seen_to = one.state(now) is IncidentState.ACKNOWLEDGED and one.acknowledged_by == by
        if one.is_over or seen_to:
            return None
        said = f"{by} sees to it. {text}".strip()
        return Change(
            {"acknowledged_by": by, "acknowledged_at": now, "acknowledged_until": until},
            step(one.id, EntryKind.ACKNOWLEDGED, now, said, by, until=until.isoformat()),
        )

    return _require_open(await ledger.incidents.change(incident.id, judge))


async def assign(
    ledger: Ledger, which: str, to: str, *, by: str, now: datetime, note: str = ""
) -> IncidentRecord:
    """Say whose an incident is: a person's or an audience's. Empty: nobody's.

    Raises:
        NotFound: There is no such incident.
        RequestError: It is over, or the name is too long.
        LedgerError: The ledger cannot be read or written.
    """
    name, text = printable(to).strip(), _note(note)
    if len(name) > LONGEST_NAME:
        raise RequestError(
            f"{name[:LONGEST_NAME]!r} is too long a name.",
            hint=f"Give up to {LONGEST_NAME} characters.",
        )
    incident = await ledger.incidents.get(which)

    def judge(one: IncidentRecord) -> Change | None:
        if one.is_over or (one.assigned_to or "") == name:
            return None
        said = f"It is {name}'s. {text}" if name else f"It is nobody's any more. {text}"
        entry = step(one.id, EntryKind.ASSIGNED, now, said.strip(), by, to=name or None)
        return Change({"assigned_to": name or None}, entry)

    return _require_open(await ledger.incidents.change(incident.id, judge))


async def add_note(
    ledger: Ledger, which: str, text: str, *, by: str, now: datetime
) -> IncidentRecord:
    """Put a note to an incident, also to one that is over.

    Raises:
        NotFound: There is no such incident.
        RequestError: The note is empty, or too long.
        LedgerError: The ledger cannot be read or written.
    """
    if not (said := _note(text)):
        raise RequestError("The note is empty.", hint="Say what there is to remember.")
    incident = await ledger.incidents.get(which)
    entry = IncidentEntry(incident_id=incident.id, at=now, kind=EntryKind.NOTED, by=by, text=said)
    return await ledger.incidents.change(incident.id, lambda one: Change({}, entry))


async def resolve(
    ledger: Ledger, which: str, *, by: str, now: datetime, note: str = ""
) -> IncidentRecord:
    """Say that an incident is over. What fires of it still is covered until it was resolved.

    Returns:
        The incident as it stands then; unchanged when it was over.

    Raises:
        NotFound: There is no such incident.
        LedgerError: The ledger cannot be read or written.
    """
    incident = await ledger.incidents.get(which)
    await ledger.incidents.resolve(incident.id, by, _note(note), now)
    return await ledger.incidents.get(incident.id)


def _require_open(incident: IncidentRecord) -> IncidentRecord:
    """The incident, unless nothing more is to come of it."""
    if incident.is_over:
        ended = f"{incident.settled_at:%Y-%m-%d %H:%M} UTC" if incident.settled_at else "by now"
        raise RequestError(
            f"Incident {incident.id[:8]} is over since {ended}.",
            hint="A note can still be put to it: ./orchestrator incidents note",
        )
    return incident


def _note(text: str) -> str:
    said = printable(text).strip()
    if len(said) > LONGEST:
        raise RequestError(
            f"The note has {len(said):,} characters.", hint=f"Give up to {LONGEST:,}."
        )
    return said
