"""What another incident explains, in the ledger: split off and released, each with its steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus
from blocks.ledger.incidents.entries import EntryKind
from blocks.policy.event_rules import EventRules
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import Severity, SystemEvent
from flows.orchestrator.events.inhibition import Inhibition
from tests.incidents import Desk

RULES = EventRules(
    topology={"service:api": ["service:db"]}, window_seconds=300, inhibition_grace_seconds=0
)


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    with Ledger.open(ledger_url) as ledger:
        yield Desk(ledger, Policy(events=RULES))


async def look(desk: Desk) -> None:
    """What a run does beside draining."""
    await Inhibition(desk.ledger, desk.policy.events).look(desk.now)
    await desk.drain()


async def open_about(desk: Desk, resource: str) -> IncidentRecord:
    (found,) = [each for each in await desk.ledger.incidents.open() if each.resource == resource]
    return found


async def test_a_cause_that_comes_back_can_be_split_again(desk: Desk) -> None:
    for _ in range(2):
        await desk.tell("db", "api")
        await desk.drain()
        both = await open_about(desk, "service:db")
        desk.wait(minutes=1)
        await desk.is_resolved("db")
        desk.wait(minutes=1)
        await look(desk)
        alone = await open_about(desk, "service:api")
        assert alone.previous_id == both.id
        desk.wait(minutes=1)
        await desk.is_resolved("api")
        assert await desk.ledger.incidents.open() == []
        desk.wait(minutes=1)
    assert both.outages == 2, "the cause was reopened"


async def test_what_nobody_says_the_end_of_is_over_with_its_cause_and_that_is_on_record(
    desk: Desk,
) -> None:
    await desk.fires("db")
    desk.wait(hours=1)
    told = SystemEvent(
        source="cron",
        type="backup.failed",
        subject="service:api",
        severity=Severity.ERROR,
        time=desk.now,
    )
    await desk.ledger.inbox.accept([told], desk.now)
    await desk.drain()
    silent = await open_about(desk, "service:api")
    await look(desk)
    assert set(await desk.ledger.inhibitions.current()) == {silent.id}
    await desk.is_resolved("db")
    desk.now += timedelta(minutes=1)
    await look(desk)
    over = await desk.incident(silent.id)
    assert (over.status, over.ending) == (IncidentStatus.SETTLED, Ending.RESOLVED)
    assert (await desk.kinds(silent.id))[-1] is EntryKind.ENDED
