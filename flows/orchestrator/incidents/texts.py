"""Notices of incidents in words, for whatever channel: plain text, one line per thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus
from blocks.text import printable
from flows.orchestrator.incidents.notices import Notice, in_order
from flows.reports.mail.letters import subject_of
from flows.reports.model import local, money

MOST = 20
"""Incidents that a notice tells in full; of the others it tells how many there are."""


@dataclass(frozen=True)
class Setting:
    """By which clocks and in which money people are told; UTC and no name while nobody knows."""

    timezone: str = "UTC"
    currency: str = ""


def letter_of(notice: Notice, setting: Setting, now: datetime) -> tuple[str, str]:
    """Subject and body of a notice."""
    return _subject(notice, now), "\n".join(_body(notice, setting, now))


def lasted(begin: datetime, end: datetime) -> str:
    """How long something took: ``12 min``, ``3 h 5 min``, ``2 d 4 h``."""
    minutes = max(0, int((end - begin) / timedelta(minutes=1)))
    if minutes < 1:
        return "less than a minute"
    hours, days = minutes // 60, minutes // 1440
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def _subject(notice: Notice, now: datetime) -> str:
    if told := notice.told:
        first = told[0]
        flaps = notice.flapping and not (notice.new or notice.again)
        word = "flapping" if flaps else first.severity.value
        what = f"[{word}] {printable(first.title)}"
        others = len(told) - 1
    else:
        telling, ended = notice.over[0]
        what = f"Resolved{_after(ended)}: {printable(telling.title)}"
        others = len(notice.over) - 1
    return subject_of(f"{what}, and {others:,} more" if others else what)


def _after(incident: IncidentRecord | None) -> str:
    if incident is None or incident.settled_at is None:
        return ""
    return f" after {lasted(incident.began_at, incident.settled_at)}"


def _body(notice: Notice, setting: Setting, now: datetime) -> Iterator[str]:
    kinds = (
        ("NEW", notice.new),
        ("STILL OPEN, AND NOBODY HAS ACKNOWLEDGED IT", notice.again),
        ("FLAPPING: you are told again when it is steady, or worse", notice.flapping),
    )
    for title, incidents in kinds:
        if incidents:
            yield title
            for one in in_order(incidents)[:MOST]:
                yield from _open(one, setting, now)
            yield from _more(len(incidents) - MOST)
            yield ""
    if notice.over:
        yield "OVER"
        for telling, ended in notice.over[:MOST]:
            yield f"- {printable(telling.title)}{_after(ended)}{_how(ended)}"
        yield from _more(len(notice.over) - MOST)
        yield ""
    yield (
        "All of this group is over." if not notice.open else f"{notice.open:,} of this group open."
    )
    if told := notice.told:
        short = told[0].id[:8]
        yield f"All of it: ./orchestrator incident {short}"
        yield f"You see to it: ./orchestrator incidents ack {short}"


def _open(one: IncidentRecord, setting: Setting, now: datetime) -> Iterator[str]:
    since = local(one.began_at, setting.timezone)
    yield f"- [{one.severity.value}] {printable(one.title)} ({one.id[:8]})"
    facts = [f"since {since} {setting.timezone}, {lasted(one.began_at, now)}"]
    if one.outages > 1:
        facts.append(f"outage {one.outages}")
    if one.impact_per_hour is not None:
        facts.append(f"at risk per hour: {money(one.impact_per_hour, setting.currency)}")
    if one.assigned_to:
        facts.append(f"assigned to {one.assigned_to}")
    yield f"  {', '.join(facts)}"
    if one.told.summary:
        yield f"  {printable(one.told.summary)}"
    yield f"  {printable(_doing(one))}"
    if one.told.runbook:
        yield f"  Runbook: {one.told.runbook}"
    if one.approval_id:
        yield f"  Is it dealt with? ./orchestrator approve {one.approval_id[:8]}"


def _doing(one: IncidentRecord) -> str:
    if one.status is IncidentStatus.STANDING:
        return one.done or "It goes on."
    return "The agents are looking at it."


def _how(one: IncidentRecord | None) -> str:
    if one is None or one.ending is None:
        return ""
    return {
        Ending.RESOLVED: ": its source says so",
        Ending.ANSWERED: f": {one.ended_by or 'somebody'} says so",
        Ending.WELL: ": our own look shows it well",
        Ending.MENDED: ": mended, and verified",
    }[one.ending]


def _more(number: int) -> Iterator[str]:
    if number > 0:
        yield f"And {number:,} more."
