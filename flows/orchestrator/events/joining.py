"""Taken events into their incidents: those that are known, those that stand, and new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from blocks.crash_points import reach
from blocks.ledger import Ledger
from blocks.ledger.events.grouping import RESPONDED
from blocks.ledger.events.records import EventKey, IncidentRecord, IncidentStatus, TakenEvent
from blocks.ledger.events.reopening import Earlier
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import FIRING, RESOLVED, SystemEvent
from blocks.vocabulary.told import group_of, told_by
from blocks.vocabulary.urgency import urgency
from flows.orchestrator.events.correlation import correlate, dependencies
from flows.orchestrator.events.incident import (
    Correlated,
    Known,
    around,
    in_order,
    resource_of,
    worst,
)

MOST_TRIES = 5
"""Runs that may die over an event before it is left to a person."""

_Plan = tuple[Correlated, IncidentRecord, list[EventKey]]


class Money(Protocol):
    """Knows what trouble puts at risk."""

    async def of(self, events: Iterable[SystemEvent]) -> Mapping[str, float]:
        """Resource to money per hour."""


class Joining:
    """Puts the events that one run takes where they belong.

    Args:
        ledger: Has the events, and the incidents.
        run_id: The run that takes them.
        policy: How events are put together, and how urgency is judged.
        at_risk: What is known of money at risk.
    """

    def __init__(self, ledger: Ledger, run_id: str, policy: Policy, at_risk: Money) -> None:
        self._ledger, self._inbox, self._run_id = ledger, ledger.inbox, run_id
        self._rules, self._priorities = policy.events, policy.priorities
        self._life = policy.incidents
        self._at_risk = at_risk

    async def join(
        self, taken: Sequence[TakenEvent], now: datetime
    ) -> list[tuple[Correlated, IncidentRecord]]:
        """Put events into incidents; what goes on with an outage or ends it, where that is.

        Returns:
            The incidents that were opened or joined, as they stand then, each with its events.

        Raises:
            LedgerError: The ledger cannot be read or written.
        """
        told = [one for one in taken if one.incident_id is None and one.event.status]
        ends = [one for one in told if one.event.status == RESOLVED]
        repeats = await self._place([one for one in told if one.event.status == FIRING], now)
        apart = repeats | {one.key for one in ends}
        joined = await self._put_together([one for one in taken if one.key not in apart], now)
        # After them: what they began may have ended by now.
        placed = await self._place(ends, now)
        return joined + await self._put_together([e for e in ends if e.key not in placed], now)

    async def _place(self, told: Sequence[TakenEvent], now: datetime) -> set[EventKey]:
        keys = [one.key for one in told]
        return await self._inbox.place(keys, self._run_id, now) if keys else set()

    async def _put_together(
        self, taken: Sequence[TakenEvent], now: datetime
    ) -> list[tuple[Correlated, IncidentRecord]]:
        if not taken:
            return []
        known = await self._known(taken)
        at_risk = await self._at_risk.of(one.event for one in taken)
        fire = [one.key for one in taken if one.event.status == FIRING and not one.incident_id]
        before = await self._inbox.last_outages(fire) if fire else {}
        begun = await self._begun_before(taken, now)
        plans = [*begun, *self._new(taken, known, before, at_risk, now)]
        joined = await self._inbox.join(
            [(incident, keys) for _, incident, keys in plans], self._run_id, now, self._life
        )
        reach("events.joined")
        return [
            (
                correlated if n < len(begun) else await self._whole(correlated, standing, now),
                standing,
            )
            for n, ((correlated, _, _), standing) in enumerate(zip(plans, joined, strict=True))
            if standing is not None
        ]

    async def _whole(
        self, correlated: Correlated, incident: IncidentRecord, now: datetime
    ) -> Correlated:
        """With all its events, if the incident is to be responded to anew."""
        if incident.responded_at is None or incident.status in RESPONDED:
            return correlated
        every = _all_of(await self._inbox.events(incident.id), correlated.events)
        why = "It stood, and has become worse."
        return self._again(every, incident.resource, why, now, correlated.tries)

    async def _known(self, taken: Sequence[TakenEvent]) -> dict[str, tuple[IncidentRecord, Known]]:
        resources = {resource_of(one.event) for one in taken}
        resources |= {d for r in resources for d in dependencies(r, self._rules.topology)}
        since = around(
            min(one.event.time for one in taken), -timedelta(seconds=self._rules.window_seconds)
        )
        found = [s for s in await self._inbox.about(resources, since) if not s.summary]
        stand = [s.id for s in found if s.status is IncidentStatus.STANDING]
        things = await self._ledger.incidents.things(stand) if stand else {}
        return {s.id: (s, _as_known(s, things.get(s.id, frozenset()))) for s in found}

    def _new(
        self,
        taken: Sequence[TakenEvent],
        known: dict[str, tuple[IncidentRecord, Known]],
        before: Mapping[EventKey, Earlier],
        at_risk: Mapping[str, float],
        now: datetime,
    ) -> Iterable[_Plan]:
        alone = [one for one in taken if one.incident_id is None]
        fresh = [one.event for one in alone if one.tries <= MOST_TRIES]
        covering = [as_known for _, as_known in known.values()]
        for one in correlate(fresh, self._rules, now, covering, self._priorities, at_risk):
            joined = known[one.known][0] if one.known else None
            incident = joined or self._again_or_new(one, before, now)
            yield one, incident, [(e.source, e.id) for e in one.events]
        for late in alone:
            if late.tries > MOST_TRIES:  # what runs die of must not take the others along
                why = f"A run that died had taken it; this is try {late.tries}."
                given_up = self._again([late.event], resource_of(late.event), why, now, late.tries)
                yield given_up, _incident(given_up, now), [late.key]

    def _again_or_new(
        self, one: Correlated, before: Mapping[EventKey, Earlier], now: datetime
    ) -> IncidentRecord:
        """The incident that the same alerts were told in last, if they may reopen it; else one.

        Only one of the same cause: what something else explains now is no part of it.
        """
        keys = [(event.source, event.id) for event in one.events]
        last = [
            found
            for key in keys
            if (found := before.get(key)) and found.incident.resource == one.resource
        ]
        last.sort(key=lambda each: (each.incident.opened_at, each.incident.id), reverse=True)
        reopened = next((each for each in last if each.may_reopen(self._life, now)), None)
        if reopened is not None:
            return reopened.incident
        return _incident(one, now, last[0].incident if last else None)

    async def _begun_before(self, taken: Sequence[TakenEvent], now: datetime) -> list[_Plan]:
        """What a run that died had put together already: it stays together."""
        again: dict[str, list[TakenEvent]] = {}
        for one in taken:
            if one.incident_id is not None:
                again.setdefault(one.incident_id, []).append(one)
        found = []
        for incident_id, events in again.items():
            incident = await self._inbox.incident(incident_id)
            assert incident is not None, "an event joins what is there"
            every = _all_of(await self._inbox.events(incident_id), [one.event for one in events])
            tries = max(one.tries for one in events)
            why = (
                f"A run that died had taken them; this is try {tries}."
                if tries > 1
                else "What explained it is over, and it still fires."
            )
            correlated = self._again(every, incident.resource, why, now, tries)
            found.append((correlated, incident, [one.key for one in events]))
        return found

    def _again(
        self,
        events: Sequence[SystemEvent],
        resource: str,
        why: str,
        now: datetime,
        tries: int = 1,
    ) -> Correlated:
        """Events that were put together before."""
        rules = self._priorities
        return Correlated(
            resource=resource,
            events=tuple(events),
            urgency=urgency(worst(events), now, since=events[0].time, rules=rules),
            why=(why,),
            tries=tries,
        )


def _all_of(known: Sequence[SystemEvent], taken: Sequence[SystemEvent]) -> list[SystemEvent]:
    """The events of an incident, in order, with those that were taken just now.

    Of very many only the first are read: what was taken may be the gravest of them.
    """
    return sorted({(e.source, e.id): e for e in (*known, *taken)}.values(), key=in_order)


def _incident(
    correlated: Correlated, now: datetime, previous: IncidentRecord | None = None
) -> IncidentRecord:
    lead = correlated.lead
    return IncidentRecord(
        need_key=correlated.need_key,
        resource=correlated.resource,
        severity=correlated.severity,
        title=correlated.title,
        opened_at=now,
        updated_at=now,
        type=lead.type,
        labels=told_by(lead).labels,
        notice_group=group_of(lead),
        previous_id=previous.id if previous else None,
    )


def _as_known(incident: IncidentRecord, things: frozenset[str]) -> Known:
    responding = incident.status is not IncidentStatus.OPEN
    response = incident.response
    return Known(
        id=incident.id,
        resource=incident.resource,
        severity=incident.severity,
        opened_at=incident.opened_at,
        since=incident.updated_at if responding else datetime.max.replace(tzinfo=UTC),
        over=bool(response and (response.mended or response.failed)),
        ended=incident.is_over,
        things=things,
    )
