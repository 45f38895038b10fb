"""What people say of an incident counts once, is on its timeline, and bears two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from blocks.errors import NotFound, RequestError
from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, IncidentState
from blocks.ledger.incidents.entries import EntryKind
from flows.orchestrator.events.joining import Joining
from flows.orchestrator.incidents.by_hand import acknowledge, add_note, assign, resolve
from flows.orchestrator.incidents.reading import list_incidents, story_of
from tests.incidents import Desk, NoMoney


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    with Ledger.open(ledger_url) as ledger:
        yield Desk(ledger)


async def acked(desk: Desk, which: str, by: str = "ann") -> None:
    await acknowledge(desk.ledger, which, desk.policy.incidents, by=by, now=desk.now)


async def test_a_timeline_writes_itself(desk: Desk) -> None:
    one = await desk.fires()
    desk.wait(minutes=1)
    await acknowledge(
        desk.ledger, one.id, desk.policy.incidents, by="ann", now=desk.now, note="On it."
    )
    desk.wait(minutes=1)
    await assign(desk.ledger, one.id, "bob", by="ann", now=desk.now)
    desk.wait(minutes=1)
    await add_note(desk.ledger, one.id, "The cache was full.", by="bob", now=desk.now)
    desk.wait(minutes=1)
    await desk.is_resolved()
    story = await story_of(desk.ledger, one.id[:8], desk.now)
    assert story.state is IncidentState.RESOLVED
    assert story.incident.assigned_to == "bob"
    assert [(e.kind, e.by) for e in story.timeline] == [
        (EntryKind.OPENED, "alertmanager"),
        (EntryKind.RESPONDED, "system-orchestrator"),
        (EntryKind.ACKNOWLEDGED, "ann"),
        (EntryKind.ASSIGNED, "ann"),
        (EntryKind.NOTED, "bob"),
        (EntryKind.ENDED, "alertmanager"),
    ]
    assert story.timeline[2].text == "ann sees to it. On it."


async def test_an_acknowledgement_counts_once_and_for_a_time(desk: Desk) -> None:
    one = await desk.fires()
    assert one.state(desk.now) is IncidentState.TRIGGERED
    await acked(desk, one.id)
    first = await desk.incident(one.id)
    desk.wait(minutes=5)
    await acked(desk, one.id)
    assert await desk.incident(one.id) == first, "said twice"
    assert first.state(desk.now) is IncidentState.ACKNOWLEDGED
    desk.wait(hours=desk.policy.incidents.ack_hours)
    assert first.state(desk.now) is IncidentState.TRIGGERED
    await acked(desk, one.id, by="bob")
    assert (await desk.incident(one.id)).acknowledged_by == "bob"
    assert (await desk.kinds(one.id)).count(EntryKind.ACKNOWLEDGED) == 2


async def test_of_many_at_once_each_sees_what_the_other_one_left(desk: Desk) -> None:
    one = await desk.fires()
    await asyncio.gather(*(acked(desk, one.id) for _ in range(8)))
    assert (await desk.kinds(one.id)).count(EntryKind.ACKNOWLEDGED) == 1
    said = (resolve(desk.ledger, one.id, by=f"p{n}", now=desk.wait(seconds=1)) for n in range(8))
    ended = await asyncio.gather(*said)
    assert len({each.ended_by for each in ended}) == 1
    assert (await desk.kinds(one.id)).count(EntryKind.ENDED) == 1


async def test_what_becomes_worse_is_nobodys_any_more(desk: Desk) -> None:
    one = await desk.fires(severity="error")
    await acked(desk, one.id)
    desk.wait(minutes=2)
    await desk.tell("checkout", severity="critical")
    await desk.drain()
    worse = await desk.incident(one.id)
    assert worse.severity == "critical"
    assert worse.worsened_at == desk.now
    assert worse.state(desk.now) is IncidentState.TRIGGERED
    assert worse.acknowledged_by is None
    assert EntryKind.WORSENED in await desk.kinds(one.id)


async def test_a_person_ends_it_whatever_is_being_done_about_it(desk: Desk) -> None:
    await desk.tell("checkout")
    taken = await desk.ledger.inbox.take(desk.now, "run", desk.wait(minutes=1), 10)
    joining = Joining(desk.ledger, "run", desk.policy, NoMoney())
    ((_, one),) = await joining.join(taken, desk.now)
    assert await desk.ledger.inbox.respond(one.id, "run", desk.now)
    ended = await resolve(desk.ledger, one.id, by="ann", now=desk.now, note="A test.")
    assert (ended.ending, ended.ended_by) == (Ending.ANSWERED, "ann")
    assert (await desk.ledger.inbox.depth(desk.now)).events == 0, "its events need nobody"
    late = one.model_copy(update={"run_id": "run"})
    assert await desk.ledger.inbox.settle(late, desk.wait(seconds=1)) is None
    assert await desk.incident(one.id) == ended
    assert await resolve(desk.ledger, one.id, by="bob", now=desk.wait(hours=1)) == ended
    await desk.tell("checkout")
    await desk.drain()
    assert await desk.ledger.incidents.open() == [], "what fires still is covered"


async def test_what_is_over_takes_a_note_and_nothing_else(desk: Desk) -> None:
    one = await desk.fires()
    await desk.is_resolved()
    with pytest.raises(RequestError, match="is over since 2026-03-02 12:00 UTC"):
        await acked(desk, one.id)
    with pytest.raises(RequestError, match="is over"):
        await assign(desk.ledger, one.id, "bob", by="ann", now=desk.now)
    await add_note(desk.ledger, one.id, "Why it was.", by="ann", now=desk.now)
    with pytest.raises(RequestError, match="empty"):
        await add_note(desk.ledger, one.id, "  \n", by="ann", now=desk.now)


async def test_an_incident_is_named_by_its_beginning_or_its_resource(desk: Desk) -> None:
    one = await desk.fires()
    await acked(desk, "service:checkout")
    assert (await desk.incident(one.id)).acknowledged_by == "ann"
    with pytest.raises(RequestError, match="too short"):
        await acked(desk, one.id[:5])
    with pytest.raises(NotFound, match="no incident 'ffffffffff'"):
        await acked(desk, "ffffffffff")


async def test_lists_are_of_what_is_asked_for(desk: Desk) -> None:
    await desk.fires("a_b", severity="error")
    await desk.fires("axb", severity="critical")
    await assign(desk.ledger, "service:axb", "ann", by="ann", now=desk.now)

    async def names(**wanted: object) -> list[str]:
        found = await list_incidents(desk.ledger, desk.now, **wanted)  # type: ignore[arg-type]
        return [each.incident.resource for each in found]

    assert await names() == ["service:axb", "service:a_b"], "the worst first"
    assert await names(resource="service:a_*") == ["service:a_b"], "an underscore is one"
    assert await names(resource="*:a?b") == ["service:axb", "service:a_b"]
    assert await names(assigned_to="ann") == ["service:axb"]
    assert await names(severity="critical") == ["service:axb"]
    desk.now += timedelta(minutes=1)
    await desk.fires("later", severity="warning")
    assert await names(limit=1) == ["service:axb"], "what is left out is not the worst"
    assert (await names(limit=2))[1] == "service:a_b"
    await desk.is_resolved("later")
    await desk.is_resolved("axb")
    assert await names() == ["service:a_b"]
    assert await names(over=True) == ["service:a_b", "service:later", "service:axb"]
    assert await names(over=True, limit=2) == ["service:a_b", "service:later"]


async def test_of_more_than_are_listed_the_worst_is_there(desk: Desk) -> None:
    await desk.fires("over")
    await desk.is_resolved("over")
    worst = await desk.fires("old")
    desk.wait(hours=1)
    await desk.tell(*(f"new{n}" for n in range(5)), severity="warning")
    await desk.drain()
    for over in (False, True):
        found = await list_incidents(desk.ledger, desk.now, over=over, limit=3)
        assert found[0].incident.id == worst.id
        assert not any(each.incident.is_over for each in found)
    every = await list_incidents(desk.ledger, desk.now, over=True)
    assert [each.incident.is_over for each in every] == [False] * 6 + [True]
