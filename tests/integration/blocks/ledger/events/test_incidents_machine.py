"""Alerts that fire, repeat, end and are answered in any order: what is open is what it must be."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from blocks.dialects import alertmanager
from blocks.ledger import Ledger
from blocks.ledger.events.incidents import NEED
from blocks.ledger.events.records import (
    Ending,
    IncidentRecord,
    IncidentResponse,
    IncidentState,
    IncidentStatus,
)
from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import Severity, SystemEvent, new_id
from flows.orchestrator.events.joining import Joining
from flows.orchestrator.incidents.by_hand import acknowledge, resolve

T = TypeVar("T")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERTS = {  # the first two are about one thing
    "one": {"alertname": "Down", "pod": "a", "namespace": "shop", "severity": "critical"},
    "two": {"alertname": "Down", "pod": "a", "namespace": "shop", "severity": "critical"},
    "three": {"alertname": "Slow", "pod": "a", "namespace": "shop", "severity": "warning"},
    "four": {"alertname": "Down", "pod": "b", "namespace": "shop", "severity": "critical"},
}
NAMES = st.sampled_from(sorted(ALERTS))


class NoMoney:
    """Nobody knows what is at risk."""

    async def of(self, events: Iterable[SystemEvent]) -> Mapping[str, float]:
        return {}


class Incidents(RuleBasedStateMachine):
    """A ledger, and beside it the plainest account of what must be open.

    Attributes:
        told: Alerts whose last notification says that they fire.
        open: Alerts whose outage is open; those that were told, but not taken up yet, included.
    """

    @initialize()
    def begin(self) -> None:
        self.folder = Path(mkdtemp())
        self.ledger = Ledger.open(f"sqlite:///{self.folder / 'ledger.db'}")
        self.clock = NOON
        self.told: set[str] = set()
        self.open: set[str] = set()
        self.waiting: set[str] = set()
        self.outages = 0

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.folder)

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def tell(self, name: str, status: str) -> int:
        self.clock += timedelta(minutes=1)
        alert = {"status": status, "labels": ALERTS[name], "fingerprint": name}
        alert |= {"startsAt": NOON.isoformat()}  # whatever the outage
        document = {"version": "4", "groupKey": "g", "receiver": "us", "alerts": [alert]}
        events = alertmanager.read(document)
        return self.wait_for(self.ledger.inbox.accept(events, self.clock)).new

    @rule(name=NAMES)
    def fires(self, name: str) -> None:
        assert self.tell(name, "firing") == (name not in self.told)
        if name not in self.told:
            self.told.add(name)
            self.open.add(name)
            self.waiting.add(name)

    @rule(name=NAMES)
    def is_resolved(self, name: str) -> None:
        self.tell(name, "resolved")
        self.told.discard(name)
        self.open.discard(name)

    @rule()
    def drain(self) -> None:
        """A run takes what waits; no agent knows any of it."""
        self.wait_for(self._drain())
        self.waiting.clear()

    async def _drain(self) -> None:
        inbox, run = self.ledger.inbox, new_id()
        taken = await inbox.take(self.clock, run, self.clock + timedelta(minutes=1), 100)
        joining = Joining(self.ledger, run, Policy(), NoMoney())
        for correlated, incident in await joining.join(taken, self.clock):
            if await inbox.respond(incident.id, run, self.clock):
                grave = correlated.severity >= Severity.ERROR  # as a run judges
                stands = IncidentStatus.STANDING if grave else IncidentStatus.SETTLED
                responded = incident.model_copy(
                    update={
                        "run_id": run,
                        "severity": correlated.severity,
                        "response": IncidentResponse(assessments={}),
                        "status": stands,
                        "group_key": "g",
                    }
                )
                assert await inbox.settle(responded, self.clock) is not None
        assert (await inbox.depth(self.clock)).events == 0

    @rule()
    def a_run_dies(self) -> None:
        """What it had taken is free again when it is not heard of."""
        self.wait_for(
            self.ledger.inbox.take(self.clock, new_id(), self.clock + timedelta(seconds=1), 100)
        )
        self.clock += timedelta(seconds=2)

    @rule()
    def a_person_answers(self) -> None:
        """They say that all that stands is dealt with."""
        self.clock += timedelta(minutes=1)
        self.wait_for(self._answer())
        self.open &= self.waiting

    async def _answer(self) -> None:
        incidents = self.ledger.incidents
        unasked = await incidents.unasked(self.clock)
        if not unasked:
            return
        question = ApprovalRecord(
            need_key=f"{NEED}{unasked[0].id}",
            title="Is it dealt with?",
            proposal={},
            asked_at=self.clock,
            expires_at=self.clock + timedelta(days=1),
        )
        assert await incidents.ask(question, [each.id for each in unasked]) == question
        assert await incidents.unasked(self.clock) == []
        await self.ledger.approvals.answer(question.id, True, by="x", via="test", now=self.clock)
        assert await incidents.answer(question.id, "x", self.clock) == len(unasked)

    @rule()
    def a_person_acknowledges(self) -> None:
        """They see to all that is open; nothing of what is open changes by it."""
        self.clock += timedelta(minutes=1)
        self.wait_for(self._acknowledge())

    async def _acknowledge(self) -> None:
        rules = Policy().incidents
        for one in await self.ledger.incidents.open():
            kept = await acknowledge(self.ledger, one.id, rules, by="x", now=self.clock)
            assert kept.state(self.clock) is IncidentState.ACKNOWLEDGED

    @rule()
    def a_person_resolves_what_stands(self) -> None:
        """They say that the incident that was opened last is over."""
        self.clock += timedelta(minutes=1)
        self.wait_for(self._resolve())

    async def _resolve(self) -> None:
        for one in (await self.ledger.incidents.open())[:1]:
            alerts = {str(e.data["fingerprint"]) for e in await self.ledger.inbox.events(one.id)}
            ended = await resolve(self.ledger, one.id, by="x", now=self.clock)
            assert ended.ending is Ending.ANSWERED
            self.open -= alerts - self.waiting

    @rule()
    def time_passes(self) -> None:
        """So long that what flapped is steady, and nothing that ended is reopened."""
        self.clock += timedelta(hours=1)
        self.wait_for(self.ledger.incidents.calm(self.clock, Policy().incidents.steady))

    @invariant()
    def what_is_open_is_what_fires_and_was_not_answered(self) -> None:
        if not hasattr(self, "ledger"):
            return
        open_, all_ = self.wait_for(self._read())
        for incident, alerts in open_:
            assert incident.status is IncidentStatus.STANDING
            assert incident.ending is None
            held = incident.flapping_since is not None
            assert alerts & self.open or held, "nothing of it is open any more"
        assert self.open - self.waiting <= set().union(*(alerts for _, alerts in open_))
        for incident in all_:
            if incident.status is IncidentStatus.SETTLED:
                assert incident.ending in (Ending.RESOLVED, Ending.ANSWERED, None)
            self.wait_for(self._has_a_true_timeline(incident))

    async def _has_a_true_timeline(self, incident: IncidentRecord) -> None:
        """It opens once, ends as often as it did, and is reopened as often as it has outages."""
        steps = [e.kind for e in await self.ledger.incident_entries.of([incident.id])]
        reopened = incident.outages - 1
        assert steps.count(EntryKind.OPENED) == 1
        assert steps.count(EntryKind.REOPENED) == reopened
        assert steps.count(EntryKind.ENDED) == reopened + incident.is_over

    async def _read(self) -> Any:
        inbox = self.ledger.inbox
        found = [
            (each, {str(e.data["fingerprint"]) for e in await inbox.events(each.id)})
            for each in await self.ledger.incidents.open()
        ]
        return found, await inbox.incidents()


def test_an_alert_that_fires_after_an_end_alone_is_open() -> None:
    """Its source was heard of for the first time when something was over."""
    told = Incidents()
    told.begin()
    try:
        for step in (told.is_resolved, told.fires):
            step("four")
            told.drain()
            told.what_is_open_is_what_fires_and_was_not_answered()
        assert told.open == {"four"}
    finally:
        told.teardown()


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
