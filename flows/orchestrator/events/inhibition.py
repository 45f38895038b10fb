"""Trouble below explains trouble above, for as long as it goes on: a dead database is the cause.

What is explained stays in the ledger and is shown; it is not told, nobody is asked about it, and
nothing is tried on it. When its cause is over, it has a while to recover by itself; then it is
trouble of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from blocks.crash_points import reach
from blocks.ledger import Ledger
from blocks.ledger.events.records import IncidentRecord, IncidentResponse
from blocks.ledger.incidents.inhibitions import Inhibited
from blocks.policy.event_rules import EventRules
from blocks.vocabulary.told import in_words, told_by
from flows.orchestrator.events.correlation import dependencies, lowest_of
from flows.orchestrator.events.incident import Correlated


def explained(incidents: Iterable[IncidentRecord], rules: EventRules) -> dict[str, IncidentRecord]:
    """Which incidents others explain, each by the lowest one below it. Pure.

    Of several lowest ones it is the gravest, then the one opened first, then by id. Of a circle
    that one explains the others. A cause is no milder than ``inhibits_from``; a resource between
    the two need not be in trouble itself.

    Args:
        incidents: Those that are not over.
        rules: The topology, and how grave a cause is.

    Returns:
        Incident to its cause.
    """
    every = {each.id: each for each in incidents}
    at: dict[str, list[str]] = {}
    for each in every.values():
        if each.severity >= rules.inhibits_from:
            at.setdefault(each.resource, []).append(each.id)
    below = {
        name: {
            name,
            *(
                cause
                for resource in dependencies(one.resource, rules.topology)
                for cause in at.get(resource, ())
            ),
        }
        for name, one in every.items()
    }
    found = {}
    for name in every:
        cause = min(lowest_of(name, below.__getitem__), key=lambda c: _weight(every[c]))
        if cause != name and every[cause].resource != every[name].resource:
            found[name] = every[cause]
    return found


class Inhibition:
    """What is explained now, as one run sees it."""

    def __init__(self, ledger: Ledger, rules: EventRules) -> None:
        self._ledger, self._rules = ledger, rules
        self._resources = {*rules.topology, *(d for ds in rules.topology.values() for d in ds)}
        self._current: Mapping[str, Inhibited] = {}

    def cause_of(self, incident_id: str) -> Inhibited | None:
        """What explains an incident, as of the last look."""
        return self._current.get(incident_id)

    async def look(self, now: datetime) -> None:
        """Put down what is explained, and release what is no more, after its time of grace.

        Raises:
            LedgerError: It could not be kept.
        """
        before = self._current = await self._ledger.inhibitions.current()
        if not self._resources and not before:
            return
        found = await self._ledger.inhibitions.open_about(sorted(self._resources))
        wanted, severity = explained(found, self._rules), {each.id: each.severity for each in found}
        news = {
            name: cause
            for name, cause in wanted.items()
            if name not in before
            or before[name].cause_id != cause.id
            or cause.severity < severity[name]  # as when it was responded to meanwhile
        }
        if news:
            await self._ledger.inhibitions.inhibit(news, now)
            reach("incident.inhibited")
        grace = timedelta(seconds=self._rules.inhibition_grace_seconds)
        due = [each.incident_id for each in before.values() if _is_due(each, wanted, grace, now)]
        if due:
            await self._ledger.inhibitions.release(due, now)
        if self._resources:
            await self._ledger.inhibitions.split(sorted(self._resources), now - grace, now)
        if news or due:
            self._current = await self._ledger.inhibitions.current()


async def is_due(ledger: Ledger, rules: EventRules, now: datetime) -> bool:
    """Whether something that was explained is to be looked at again.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    grace = timedelta(seconds=rules.inhibition_grace_seconds)
    current = await ledger.inhibitions.current()
    over = (each.cause_over_at for each in current.values() if each.cause_over_at)
    return any(at + grace <= now for at in over)


def quiet_response(correlated: Correlated, cause: Inhibited) -> IncidentResponse:
    """What an incident keeps that was responded to by nothing, since another one explains it."""
    return IncidentResponse(
        done=f"{in_words(cause.cause)} is the cause (incident {cause.cause_id[:8]}): nothing is "
        "tried here while that goes on.",
        severity=correlated.severity,
        told=told_by(correlated.lead),
    )


def _is_due(
    each: Inhibited, wanted: Mapping[str, IncidentRecord], grace: timedelta, now: datetime
) -> bool:
    """Whether nothing explains it any more, and its time of grace is over."""
    if each.incident_id in wanted:
        return False
    # Of one that goes on the topology was changed: it explains nothing any more.
    return each.cause_over_at is None or each.cause_over_at + grace <= now


def _weight(incident: IncidentRecord) -> tuple[int, datetime, str]:
    return -incident.severity.rank, incident.opened_at, incident.id
