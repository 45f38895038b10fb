"""Draining the inbox: take, correlate, respond to the most urgent first, settle, until empty."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from blocks.crash_points import reach
from blocks.ledger.calls.records import ReceiptKind
from blocks.ledger.events.grouping import RESPONDED
from blocks.ledger.events.records import (
    Depth,
    IncidentRecord,
    IncidentResponse,
    IncidentStatus,
    TakenEvent,
)
from blocks.ledger.firings.firings import Firing
from blocks.vocabulary.messages import Severity, utc_now
from blocks.vocabulary.told import group_of, told_by
from flows.orchestrator.events.asking import Answers, ask_agents
from flows.orchestrator.events.at_risk import AtRisk
from flows.orchestrator.events.incident import Correlated, resource_of
from flows.orchestrator.events.inhibition import Inhibition, quiet_response
from flows.orchestrator.events.joining import MOST_TRIES, Joining
from flows.orchestrator.events.load_shedding import Tide, judge_tide
from flows.orchestrator.events.response import Response, respond
from flows.orchestrator.events.standing import Standing
from flows.orchestrator.rules.firing import Triggers
from flows.orchestrator.team.team import Orchestrator

HOLD = timedelta(seconds=30)
"""For so long a run that died keeps what it had taken."""

PAUSE = 0.2
"""Seconds between two looks at an inbox from which nothing can be taken."""

TOGETHER = 32
"""Incidents that agents are asked about in one call; so many fit its message whole."""

MOST_TOLD = 200
"""Incidents that a report lists; the ledger has them all."""

MOST_REPLIES = 2000
"""Replies that a run keeps in memory; the ledger has them all."""


@dataclass(frozen=True)
class Handled:
    """One incident that this run settled."""

    incident: IncidentRecord
    response: Response
    why: tuple[str, ...]


@dataclass
class Drained:
    """What a run did to the inbox."""

    handled: list[Handled] = field(default_factory=list)
    incidents: int = 0
    events: int = 0
    given_up: list[IncidentRecord] = field(default_factory=list)
    summaries: list[IncidentRecord] = field(default_factory=list)
    storms: int = 0
    put_down: int = 0  # incidents that others explain
    fired: list[Firing] = field(default_factory=list)


_Work = tuple[float, int, Correlated, IncidentRecord]


async def drain(team: Orchestrator, seconds: float) -> Drained:
    """Deal with what waits in the inbox.

    Args:
        team: The run that drains.
        seconds: For how long; 0 until the inbox is empty.

    Raises:
        LedgerError: The ledger cannot be read or written; nothing of the inbox is lost.
    """
    drainer = _Drainer(team)
    try:
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(drainer.keep_alive())]
            helpers += [
                tasks.create_task(drainer.work()) for _ in range(team.policy.events.at_once)
            ]
            await drainer.fill(seconds)
            for helper in helpers:
                helper.cancel()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    drainer.drained.fired = drainer.triggers.fired
    return drainer.drained


class _Drainer:
    """One run's work on the inbox: a loop that fills a queue, and workers that empty it."""

    def __init__(self, team: Orchestrator) -> None:
        self.team, self.inbox, self.rules = team, team.ledger.inbox, team.policy.events
        self.drained = Drained()
        self.tide = Tide()
        self.queue: asyncio.PriorityQueue[_Work] = asyncio.PriorityQueue()
        self.mine: set[str] = set()  # incidents that are queued or responded to
        self.numbers = count()
        self.taken_up = asyncio.Event()  # set when a worker has emptied the queue, or some of it
        self.acting = asyncio.Semaphore(self.rules.at_once)
        self.joining = Joining(team.ledger, team.run.id, team.policy, AtRisk(team))
        self.standing = Standing(team)
        self.triggers = Triggers(team)
        self.inhibition = Inhibition(team.ledger, team.policy.events)

    async def fill(self, seconds: float) -> None:
        """Take and correlate, as long as there is time or anything left."""
        began = last_taken = utc_now()
        await self.inhibition.look(began)
        until = began + timedelta(seconds=seconds) if seconds else None
        while until is None or utc_now() < until:
            now = utc_now()
            await self.standing.look(now)
            depth = await self.inbox.depth(now)
            await self._judge(judge_tide(self.tide, depth, now, self.rules), now)
            if depth.events and await self._take(depth, now):
                last_taken = now
                continue
            # What is left when nothing could be taken for so long, another run is working on.
            ours = self.mine or self.tide.storm or self.standing.waits
            if until is None and not ours and (not depth.events or now - last_taken > HOLD):
                break
            await self._pause()
        await self.queue.join()
        await self.inhibition.look(utc_now())
        await self.standing.look(utc_now(), at_once=True)
        await self.triggers.start(utc_now())

    async def _pause(self) -> None:
        """Until there is room for more, or for a moment."""
        self.taken_up.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self.taken_up.wait()

    async def _judge(self, tide: Tide, now: datetime) -> None:
        self.drained.storms += tide.storm and not self.tide.storm
        self.tide = tide
        if tide.summarise:
            # Before they are settled: a run that dies in between leaves them to the next one.
            await self.triggers.fire_waiting(self.rules.worth_asking, now)
            self.drained.summaries += await self.inbox.summarise(now)
            reach("events.summarised")

    async def _take(self, depth: Depth, now: datetime) -> bool:
        taken = await self._most_severe(depth, now)
        if not taken:
            return False
        reach("events.taken")
        self.drained.events += len(taken)
        await self.triggers.fire([one.event for one in taken], now)
        joined = await self.joining.join(taken, now)
        await self.inhibition.look(now)
        for correlated, incident in joined:
            self._receipt(correlated, incident)
            self._queue(correlated, incident)
        return True

    async def _most_severe(self, depth: Depth, now: datetime) -> list[TakenEvent]:
        """All that waits, if it fits one batch: who sees it together, correlates it best.

        Of more, the severe events come first, and while all workers are busy the critical ones
        alone: they must not wait until the others are put together.
        """
        levels = [self.tide.at_least(self.rules)]
        if self.queue.qsize() >= self.rules.at_once:
            levels = [Severity.CRITICAL]
        elif depth.events > self.rules.batch and not self.tide.storm:
            levels = [self.rules.worth_asking, self.tide.at_least(self.rules)]
        for at_least in levels:
            taken = await self.inbox.take(
                now, self.team.run.id, now + HOLD, self.rules.batch, at_least
            )
            if taken:
                return taken
        return []

    def _queue(self, correlated: Correlated, incident: IncidentRecord) -> None:
        if incident.status in RESPONDED or incident.id in self.mine:
            return  # settled with what it joined, or will be
        self.mine.add(incident.id)
        # Whole points: a hundredth must not let the newer ones overtake for ever.
        work = (-round(correlated.urgency.score), next(self.numbers), correlated, incident)
        self.queue.put_nowait(work)

    async def work(self) -> None:
        """Respond to what is most urgent, and to what waits behind it along with it."""
        while True:
            batch = [await self.queue.get()]
            while len(batch) < TOGETHER and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            self.taken_up.set()
            # What is critical waits for nobody else's answer.
            parts = [[one] for one in batch if one[2].severity is Severity.CRITICAL]
            parts.append([one for one in batch if one[2].severity is not Severity.CRITICAL])
            await asyncio.gather(*map(self._respond, parts))
            for *_, incident in batch:
                self.mine.discard(incident.id)
                self.queue.task_done()

    async def _respond(self, batch: Sequence[_Work]) -> None:
        run_id, now = self.team.run.id, utc_now()
        begun = await asyncio.gather(
            *(self.inbox.respond(incident.id, run_id, now) for *_, incident in batch)
        )
        # Of the others another run responds to it, and lives.
        ours = [one[2:] for one, is_ours in zip(batch, begun, strict=True) if is_ours]
        if not ours:
            return
        reach("events.responding")
        quiet = [one for one in ours if self.inhibition.cause_of(one[1].id)]
        loud = [one for one in ours if not self.inhibition.cause_of(one[1].id)]
        tired = [one for one in loud if one[0].tries > MOST_TRIES]
        fresh = [one for one in loud if one[0].tries <= MOST_TRIES]
        await asyncio.gather(
            *(self._give_up(*one) for one in tired), *(self._put_down(*one) for one in quiet)
        )
        answers = await ask_agents(self.team, [correlated for correlated, _ in fresh])
        reach("events.answered")
        await asyncio.gather(
            *(self._settle(*one, said) for one, said in zip(fresh, answers, strict=True))
        )

    async def _settle(
        self, correlated: Correlated, incident: IncidentRecord, answers: Answers
    ) -> None:
        async with self.acting:
            response = await respond(self.team, correlated, incident, answers)
        responded = incident.model_copy(
            update={
                "run_id": self.team.run.id,
                "severity": response.severity,
                "title": correlated.title,
                "response": response.kept,
                "impact_per_hour": response.impact_per_hour,
                "ending": response.ending,
                **_whose(correlated, response.needs_a_person),
            }
        )
        if settled := await self.inbox.settle(responded, utc_now()):
            reach("events.settled")
            self._tell(Handled(settled, response, correlated.why))
            self.standing.note(settled)

    async def _put_down(self, correlated: Correlated, incident: IncidentRecord) -> None:
        """Another incident explains it: no agent is asked, nothing is tried, nobody is told."""
        cause = self.inhibition.cause_of(incident.id)
        assert cause is not None, "that is why it is put down"
        response = quiet_response(correlated, cause)
        quiet = {"run_id": self.team.run.id, "response": response, "title": correlated.title}
        whose = _whose(correlated, needs_a_person=False)
        if await self.inbox.settle(incident.model_copy(update={**quiet, **whose}), utc_now()):
            self.drained.put_down += 1

    async def _give_up(self, correlated: Correlated, incident: IncidentRecord) -> None:
        left = IncidentResponse(
            done=f"{correlated.tries} runs died over it; a person must look.",
            told=told_by(correlated.lead),
        )
        grave = correlated.severity >= self.rules.worth_asking
        given_up = incident.model_copy(
            update={"run_id": self.team.run.id, "response": left, **_whose(correlated, grave)}
        )
        if settled := await self.inbox.settle(given_up, utc_now()):
            self.drained.given_up.append(settled)
            self.standing.note(settled)

    def _tell(self, handled: Handled) -> None:
        self.drained.incidents += 1
        told = self.drained.handled
        told.append(handled)
        if len(told) > 2 * MOST_TOLD:
            told.sort(key=lambda h: h.incident.severity, reverse=True)
            del told[MOST_TOLD:]
        del self.team.replies[:-MOST_REPLIES]

    async def keep_alive(self) -> None:
        """Say now and then that this run works on what it has taken."""
        while True:
            await asyncio.sleep(HOLD.total_seconds() / 4)
            await self.inbox.renew(self.team.run.id, utc_now() + HOLD)

    def _receipt(self, correlated: Correlated, incident: IncidentRecord) -> None:
        self.team.receipt(
            ReceiptKind.CORRELATE,
            incident.id,
            inputs={
                "events": [[e.source, e.id] for e in correlated.events[:100]],
                "count": len(correlated.events),
                "resources": sorted({resource_of(e) for e in correlated.events}),
                "window_seconds": self.rules.window_seconds,
            },
            decision={
                "resource": incident.resource,
                "severity": correlated.severity.value,
                "title": correlated.title,
                "urgency": correlated.urgency.score,
            },
            why=" ".join(correlated.why) or "It is the only event about its resource.",
            candidates=correlated.candidates,
        )


def _whose(correlated: Correlated, needs_a_person: bool) -> dict[str, Any]:
    """Whether an incident stands until a person answers, and what they are asked with it."""
    if not needs_a_person:
        return {"status": IncidentStatus.SETTLED, "group_key": None}
    return {"status": IncidentStatus.STANDING, "group_key": group_of(correlated.lead)}
