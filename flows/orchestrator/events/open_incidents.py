"""The incidents that are not over, as reports and the command line tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentState, IncidentStatus
from blocks.ledger.incidents.inhibitions import Inhibited
from blocks.policy.event_rules import EventRules
from blocks.vocabulary.findings import INCIDENT, Finding
from blocks.vocabulary.severity import Severity
from blocks.vocabulary.told import in_words


@dataclass(frozen=True)
class OpenIncident:
    """One of them, and how it stands in words."""

    incident: IncidentRecord
    standing: str

    @property
    def told(self) -> str:
        """How it stands, and where it says what to do."""
        runbook = self.incident.told.runbook
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
    causes = await ledger.inhibitions.current()
    return [
        OpenIncident(s, _put_down(causes.get(s.id)) or how_it_stands(s, heard, silence, now))
        for s in ranked
    ]


def _put_down(cause: Inhibited | None) -> str:
    """That another incident explains it; empty when none does."""
    if cause is None:
        return ""
    told = f"{in_words(cause.cause)} is the cause (incident {cause.cause_id[:8]})"
    if cause.cause_over_at is None:
        return f"{told}: nobody is told of this while that goes on."
    return f"{told}, which is over: it has a while to recover by itself."


def as_incidents(findings: Sequence[Finding], found: Sequence[OpenIncident]) -> list[Finding]:
    """Findings, those about something that is an open incident told as that incident.

    Whoever is to be told of the incident is, by the incident; see ``digests``. A finding that is
    graver than the incident is told by itself.

    Args:
        findings: What a check found.
        found: What is open.
    """
    worst = {each.incident.resource: each for each in reversed(found)}
    told = []
    for finding in findings:
        open_one = worst.get(finding.resource)
        if open_one is None or open_one.incident.severity < finding.severity:
            told.append(finding)
            continue
        incident = open_one.incident
        since = f"It is an open incident since {incident.opened_at:%Y-%m-%d %H:%M} UTC."
        evidence = finding.evidence | {INCIDENT: incident.id}
        advice = f"{since} {open_one.told}".strip()
        told.append(finding.model_copy(update={"evidence": evidence, "advice": advice}))
    return told


def how_many(found: Sequence[OpenIncident]) -> str:
    """``2 incidents open, the worst critical``; empty when there is none."""
    if not found:
        return ""
    incidents = "incident" if len(found) == 1 else "incidents"
    told = f"{len(found):,} {incidents} open, the worst {found[0].incident.severity.value}"
    silenced = [each.incident for each in found if each.incident.is_silenced]
    grave = sum(each.severity is Severity.CRITICAL for each in silenced)
    told += f", {len(silenced):,} silenced" if silenced else ""
    return f"{told}, {grave:,} of them critical" if grave else told


def how_it_stands(
    incident: IncidentRecord,
    heard: Mapping[str, datetime],
    silence: timedelta,
    now: datetime,
) -> str:
    """What is being done about an incident that is not over, or has to be, in a few sentences.

    Args:
        incident: As the ledger has it.
        heard: When the source of each alert that fires was last heard of, by the incident's id.
        silence: For how long a source may say nothing before that is told.
        now: The instant to judge at.
    """
    marks = _marks(incident, now)
    if incident.status is IncidentStatus.RESPONDING:
        return f"{marks} The agents are dealing with it.".strip()
    if incident.status is IncidentStatus.OPEN:
        return f"{marks} Waits for the agents.".strip()
    told, last = incident.told, heard.get(incident.id)
    parts = [marks, told.summary.rstrip(".") + "." if told.summary else ""]
    parts.append(incident.done)
    if last is not None:
        quiet = now - last > silence
        parts.append(f"No news since {last:%Y-%m-%d %H:%M} UTC." if quiet else "It still fires.")
    return " ".join(part for part in parts if part)


def _marks(incident: IncidentRecord, now: datetime) -> str:
    """What people, and its own past, make of it."""
    seen_to = incident.state(now) is IncidentState.ACKNOWLEDGED
    marks = ["Silenced: nobody is told of it."] if incident.is_silenced else []
    marks += [f"{incident.acknowledged_by} sees to it."] if seen_to else []
    marks += ["It begins and ends again and again."] if incident.flapping_since else []
    return " ".join(marks)
