"""What comes back soon is the same incident; what does so again and again flaps, and stays open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus
from blocks.ledger.incidents.entries import EntryKind
from flows.orchestrator.incidents.by_hand import acknowledge, resolve
from tests.incidents import Desk


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    with Ledger.open(ledger_url) as ledger:
        yield Desk(ledger)


async def again(desk: Desk, minutes: float, name: str = "checkout") -> IncidentRecord:
    """It ends, and fires again after so long."""
    desk.wait(minutes=1)
    await desk.is_resolved(name)
    desk.wait(minutes=minutes)
    return await desk.fires(name)


async def test_what_fires_again_soon_is_the_same_incident(desk: Desk) -> None:
    one = await desk.fires()
    await acknowledge(desk.ledger, one.id, desk.policy.incidents, by="ann", now=desk.now)
    back = await again(desk, 29)
    assert back.id == one.id
    assert (back.outages, back.reopened_at) == (2, desk.now)
    assert back.status is IncidentStatus.STANDING
    assert (back.ending, back.settled_at, back.acknowledged_by) == (None, None, None)
    assert back.response is not None, "it was responded to anew"
    assert (await desk.kinds(one.id))[-3:] == [
        EntryKind.ENDED,
        EntryKind.REOPENED,
        EntryKind.RESPONDED,
    ]


async def test_what_fires_again_late_is_another_incident_that_knows_the_first(desk: Desk) -> None:
    one = await desk.fires()
    other = await again(desk, 31)
    assert other.id != one.id
    assert other.previous_id == one.id
    assert other.outages == 1
    assert (await desk.incident(one.id)).ending is Ending.RESOLVED


async def test_a_milder_outage_is_no_more_than_it_is_and_can_become_worse(desk: Desk) -> None:
    await desk.fires(severity="critical")
    desk.wait(minutes=1)
    await desk.is_resolved()
    desk.wait(minutes=5)
    mild = await desk.fires(severity="error")
    assert mild.severity == "error"
    desk.wait(minutes=1)
    await desk.tell("checkout", severity="critical")
    await desk.drain()
    worse = await desk.incident(mild.id)
    assert worse.severity == "critical", "of this outage nothing was as grave"
    assert worse.worsened_at == desk.now


async def test_what_a_person_ended_stays_ended_for_what_fired_then(desk: Desk) -> None:
    await desk.tell("one", "two", resource="checkout")
    await desk.drain()
    (both,) = await desk.ledger.incidents.open()
    await resolve(desk.ledger, both.id, by="ann", now=desk.wait(minutes=1))
    await desk.tell("one", status="resolved", resource="checkout")
    desk.wait(minutes=1)
    await desk.tell("one", resource="checkout")
    await desk.drain()
    (new,) = await desk.ledger.incidents.open()
    assert new.id != both.id, "two fires on in the one that was ended"
    assert new.previous_id == both.id
    await desk.tell("one", status="resolved", resource="checkout")
    assert await desk.ledger.incidents.open() == []


async def test_what_comes_again_and_again_flaps_and_stays_open_until_it_is_steady(
    desk: Desk,
) -> None:
    one = await desk.fires()
    for times in (1, 2):
        back = await again(desk, 2)
        assert back.flapping_since is None, times
    flaps = await again(desk, 2)
    assert flaps.flapping_since == desk.now
    assert flaps.id == one.id
    desk.wait(minutes=1)
    await desk.is_resolved()
    kept = await desk.incident(one.id)
    assert kept.status is IncidentStatus.STANDING, "it may be back in a minute"
    desk.wait(minutes=1)
    assert (await desk.fires()).outages == flaps.outages
    desk.wait(minutes=1)
    await desk.is_resolved()

    steady = desk.policy.incidents.steady
    assert await desk.ledger.incidents.calm(desk.now + steady / 2, steady) == 0
    desk.now += steady
    assert await desk.ledger.incidents.calm(desk.now, steady) == 1
    over = await desk.incident(one.id)
    assert (over.ending, over.settled_at) == (Ending.RESOLVED, desk.now)
    told = await desk.kinds(one.id)
    assert told.count(EntryKind.FLAPPING) == told.count(EntryKind.STEADY) == 1
    assert told.count(EntryKind.REOPENED) == 3


async def test_what_flapped_and_fires_on_is_steady_and_open(desk: Desk) -> None:
    one = await desk.fires()
    for _ in range(3):
        await again(desk, 2)
    desk.now += desk.policy.incidents.steady
    assert await desk.ledger.incidents.calm(desk.now, desk.policy.incidents.steady) == 1
    open_one = await desk.incident(one.id)
    assert open_one.flapping_since is None
    assert not open_one.is_over
    await desk.is_resolved()
    assert (await desk.incident(one.id)).is_over
