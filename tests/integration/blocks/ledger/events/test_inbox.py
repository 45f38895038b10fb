"""The inbox on SQLite and PostgreSQL: nothing is lost, and each event is settled once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.ledger import Ledger
from blocks.ledger.events.records import (
    IncidentRecord,
    IncidentResponse,
    IncidentStatus,
    TakenEvent,
)
from blocks.vocabulary.messages import Severity, SystemEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLD = timedelta(minutes=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def event(name: str, **fields: Any) -> SystemEvent:
    given = {"id": name, "source": "monitor", "type": "trouble", "time": NOON}
    return SystemEvent(**given | {"subject": "service:web"} | fields)


def incident(key: str, **fields: Any) -> IncidentRecord:
    given = {"need_key": key, "resource": "service:web", "severity": "error", "title": "Ill"}
    return IncidentRecord(**given | {"opened_at": NOON, "updated_at": NOON} | fields)


def names(taken: list[TakenEvent]) -> list[str]:
    return [one.event.id for one in taken]


async def take(ledger: Ledger, by: str = "run", seconds: float = 0, **fields: Any) -> Any:
    given = {"now": at(seconds), "by": by, "until": at(seconds) + HOLD, "limit": 100}
    return await ledger.inbox.take(**given | fields)


async def test_keeping_tells_which_events_were_not_known(ledger: Ledger) -> None:
    # Equal ids of two sources, and equal sources, are not the same event.
    known = [event(str(n)) for n in range(0, 30, 3)]
    assert await ledger.inbox.keep(known, NOON) == [(e.id, True) for e in known]
    mixed = [event(str(n), source=s) for n in range(30) for s in ("monitor", 'shop’s "till"')]
    new = {(e.source, e.id) for e in mixed} - {(e.source, e.id) for e in known}
    assert await ledger.inbox.keep(mixed, at(1)) == [(e.id, (e.source, e.id) in new) for e in mixed]
    assert await ledger.inbox.keep(mixed, at(2)) == [(e.id, False) for e in mixed]
    assert await ledger.inbox.keep([], at(2)) == []
    taken = await take(ledger, seconds=3)
    assert {one.key: one.received_at for one in taken} == {
        (e.source, e.id): at(1) if (e.source, e.id) in new else NOON for e in mixed
    }


async def test_an_event_comes_in_once_and_comes_out_as_it_was(ledger: Ledger) -> None:
    first = event("1", data={"z": 1, "a": [None, 2.5]}, severity="critical", subject="")
    assert (await ledger.inbox.accept([first, first], NOON)).new == 1
    assert (await ledger.inbox.accept([first], at(1))).duplicates == 1
    (taken,) = await take(ledger, seconds=2)
    assert taken == TakenEvent(first, NOON, tries=1)
    assert await ledger.inbox.accept([], NOON) == await ledger.inbox.accept([], NOON)


async def test_an_update_says_something_else_of_the_same_thing(ledger: Ledger) -> None:
    calm, hot = {"degrees": 20}, {"degrees": 90}
    await ledger.inbox.accept([event("1", data=calm)], NOON)
    said = await ledger.inbox.accept(
        [event(n, data=d, time=at(int(n))) for n, d in (("2", calm), ("3", hot), ("4", hot))], at(1)
    )
    assert (said.new, said.repeated, said.updates) == (3, 2, 1)
    said = await ledger.inbox.accept([event("5", data=calm), event("5", data=hot)], at(2))
    assert (said.new, said.duplicates, said.updates) == (1, 1, 1)
    other = await ledger.inbox.accept([event("6", subject="service:b", data=hot)], at(3))
    assert (other.updates, other.repeated) == (0, 0)


async def test_the_most_severe_are_taken_first_then_the_oldest(ledger: Ledger) -> None:
    for second, (name, severity) in enumerate(
        [("a", "info"), ("b", "critical"), ("c", "error"), ("d", "critical"), ("e", "warning")]
    ):
        await ledger.inbox.accept([event(name, severity=severity)], at(second))
    assert names(await take(ledger, seconds=9, limit=3)) == ["b", "d", "c"]
    assert names(await take(ledger, seconds=9, at_least=Severity.ERROR)) == []
    assert names(await take(ledger, seconds=9)) == ["e", "a"]


async def test_what_a_dead_run_had_taken_is_taken_again(ledger: Ledger) -> None:
    await ledger.inbox.accept([event("1"), event("2")], NOON)
    assert len(await take(ledger, "dies", limit=1)) == 1
    assert names(await take(ledger, "lives", 10)) == ["2"]
    await ledger.inbox.renew("lives", at(1000))
    (again,) = await take(ledger, "third", 61)
    assert (again.event.id, again.tries) == ("1", 2)


async def test_an_incident_is_settled_with_its_events(ledger: Ledger) -> None:
    inbox = ledger.inbox
    await inbox.accept([event("1"), event("2"), event("3")], NOON)
    taken = await take(ledger)
    (opened,) = await inbox.join([(incident("k"), [e.key for e in taken[:2]])], "run", at(1))
    assert opened
    assert (opened.events, opened.status) == (2, IncidentStatus.OPEN)
    assert await inbox.respond(opened.id, "run", at(2))
    done = opened.model_copy(update={"run_id": "run", "response": IncidentResponse(mended=True)})
    assert await inbox.settle(done, at(3))
    assert await inbox.settle(done, at(3)), "repeated, as after a broken connection"
    assert not await inbox.settle(done, at(4))
    assert not await inbox.respond(opened.id, "run", at(4))
    kept = await inbox.incident(opened.id)
    assert kept is not None
    assert (kept.status, kept.response, kept.updated_at) == (
        IncidentStatus.SETTLED,
        IncidentResponse(mended=True),
        at(2),
    )
    assert [e.id for e in await inbox.events(opened.id)] == ["1", "2"]
    assert (await inbox.depth(at(5))).events == 1

    # The third comes late, to what is settled: the same need key, and it is settled with it.
    (joined,) = await inbox.join([(incident("k"), [taken[2].key])], "run", at(6))
    assert joined
    assert (joined.id, joined.events) == (opened.id, 3)
    assert (await inbox.depth(at(7))).events == 0


async def test_one_run_responds_and_another_only_after_its_death(ledger: Ledger) -> None:
    inbox = ledger.inbox
    await inbox.accept([event("1"), event("2")], NOON)
    (first,) = await take(ledger, "one", limit=1)
    (second,) = await take(ledger, "two", limit=1)
    (mine,) = await inbox.join([(incident("k"), [first.key])], "one", NOON)
    (theirs,) = await inbox.join([(incident("k"), [second.key])], "two", NOON)
    assert mine
    assert theirs
    assert mine.id == theirs.id
    assert await inbox.join([(incident("k"), [first.key])], "two", NOON) == [None]
    assert await inbox.respond(mine.id, "one", at(1))
    assert not await inbox.respond(mine.id, "two", at(2))
    assert not await inbox.settle(theirs.model_copy(update={"run_id": "two"}), at(2))
    await inbox.renew("two", at(200))
    assert await inbox.respond(mine.id, "two", at(61)), "one was not heard of"
    assert not await inbox.settle(mine.model_copy(update={"run_id": "one"}), at(62))
    assert await inbox.settle(theirs.model_copy(update={"run_id": "two"}), at(62))
    assert (await inbox.depth(at(63))).events == 0


async def test_low_value_events_are_summarised_and_nothing_else_is(ledger: Ledger) -> None:
    inbox = ledger.inbox
    many = [
        event(
            f"{i}", severity=["info", "warning"][i % 2], subject=f"service:{i % 3}", data={"i": i}
        )
        for i in range(30)
    ]
    await inbox.accept(many, NOON)
    await inbox.accept([event("bad", severity="error")], NOON)
    await inbox.accept([event("source only", subject="", severity="info", time=at(5))], NOON)
    (taken,) = await take(ledger, limit=1, at_least=Severity.ERROR)
    await inbox.accept([event("later", severity="info")], at(9))
    before = await inbox.depth(at(10))
    low = before.below(Severity.ERROR)
    assert low is not None
    assert (low.events, low.oldest, low.newest) == (32, NOON, at(9))
    assert before.oldest_wait == timedelta(seconds=10)

    made = await inbox.summarise(at(8))
    assert [(m.resource, m.events, m.severity) for m in made] == [
        ("monitor", 1, "info"),
        *((f"service:{i}", 10, "warning") for i in range(3)),
    ]
    told = made[1].summary
    assert told.example == {"source": "monitor", "id": "0", "data": {"i": 0}}
    assert (told.events, told.first) == (10, NOON)
    assert await inbox.incidents(resource="service:0") == [made[1]]
    assert await inbox.summarise(at(8)) == []
    after = await inbox.depth(at(10))
    assert {s: w.events for s, w in after.waiting.items()} == {"error": 1, "info": 1}
    assert taken.event.id == "bad"


async def test_arrivals_are_counted_by_minute_and_severity(ledger: Ledger) -> None:
    for seconds, name, severity in ((0, "a", "info"), (59, "b", "info"), (60, "c", "critical")):
        await ledger.inbox.accept([event(name, severity=severity)], at(seconds))
    assert await ledger.inbox.arrivals(at(0)) == {
        at(0): {Severity.INFO: 2},
        at(60): {Severity.CRITICAL: 1},
    }
    assert await ledger.inbox.arrivals(at(30)) == {
        at(0): {Severity.INFO: 1},
        at(60): {Severity.CRITICAL: 1},
    }


async def test_many_callers_at_once_lose_nothing(ledger: Ledger) -> None:
    batches = [[event(f"{i}-{j}") for j in range(20)] for i in range(30)]
    accepted = await asyncio.gather(*(ledger.inbox.accept(b, NOON) for b in batches))
    assert sum(a.new for a in accepted) == 600
    taken = await asyncio.gather(*(take(ledger, f"run {i}", limit=90) for i in range(8)))
    keys = [one.key for part in taken for one in part]
    assert len(keys) == len(set(keys)) == 600


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.lists(st.integers(0, 11), min_size=1, max_size=4)),
        st.tuples(st.just("take"), st.integers(0, 2), st.integers(1, 5)),
        st.tuples(st.just("join"), st.integers(0, 2)),
        st.tuples(st.just("settle"), st.integers(0, 2)),
        st.tuples(st.just("crash"), st.integers(0, 2)),
        st.tuples(st.just("summarise")),
    ),
    max_size=25,
)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The file of an empty ledger."""
    with Ledger.open(f"sqlite:///{tmp_path / 'empty.db'}"):
        pass
    return tmp_path / "empty.db"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_interleaving_settles_every_event_exactly_once(
    empty: Path, steps: list[tuple[Any, ...]]
) -> None:
    """Runs that accept, take, join, settle, and die at any moment; then one that finishes."""
    with TemporaryDirectory() as folder:
        file = Path(shutil.copy(empty, folder))
        with Ledger.open(f"sqlite:///{file}", migrate=False) as ledger:
            asyncio.run(_Life(ledger).through(steps))


class _Life:
    """Three runs and one inbox; a run that crashes forgets what it had taken."""

    def __init__(self, ledger: Ledger) -> None:
        self.inbox = ledger.inbox
        self.clock = 0.0
        self.accepted: set[str] = set()
        self.held: dict[int, list[TakenEvent]] = {0: [], 1: [], 2: []}
        self.joined: dict[int, list[IncidentRecord]] = {0: [], 1: [], 2: []}
        self.settled: list[str] = []

    async def through(self, steps: list[tuple[Any, ...]]) -> None:
        for step, *arguments in steps:
            self.clock += 25  # a run that is not heard of for three steps is dead
            await getattr(self, step)(*arguments)
        self.clock += 1000
        for _ in range(2):
            await self.take(0, 100)
            await self.join(0)
            await self.settle(0)
        assert sorted(self.settled) == sorted(self.accepted)
        assert (await self.inbox.depth(at(self.clock))).events == 0

    async def accept(self, numbers: list[int]) -> None:
        events = [event(f"{n}", severity=list(Severity)[n % 4]) for n in numbers]
        said = await self.inbox.accept(events, at(self.clock))
        new = {f"{n}" for n in numbers} - self.accepted
        assert (said.new, said.duplicates) == (len(new), len(numbers) - len(new))
        self.accepted |= new

    async def take(self, run: int, limit: int) -> None:
        until = at(self.clock) + HOLD
        taken = await self.inbox.take(at(self.clock), f"run {run}", until, limit)
        assert {t.event.id for t in taken} <= self.accepted - set(self.settled)
        self.held[run] += taken

    async def join(self, run: int) -> None:
        held, self.held[run] = self.held[run], []
        for one in held:
            wanted = incident(f"event {one.event.id}")
            if one.incident_id:
                known = await self.inbox.incident(one.incident_id)
                assert known
                wanted = known
            (found,) = await self.inbox.join([(wanted, [one.key])], f"run {run}", at(self.clock))
            self.joined[run] += [found] if found else []

    async def settle(self, run: int) -> None:
        joined, self.joined[run] = self.joined[run], []
        for one in joined:
            if await self.inbox.respond(one.id, f"run {run}", at(self.clock)):
                mine = one.model_copy(
                    update={"run_id": f"run {run}", "response": IncidentResponse()}
                )
                assert await self.inbox.settle(mine, at(self.clock))
                self.settled += [e.id for e in await self.inbox.events(one.id)]

    async def crash(self, run: int) -> None:
        self.held[run], self.joined[run] = [], []

    async def summarise(self) -> None:
        for made in await self.inbox.summarise(at(self.clock)):
            self.settled += [e.id for e in await self.inbox.events(made.id)]
