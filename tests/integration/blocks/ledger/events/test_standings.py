"""How alerts stand, on SQLite and PostgreSQL: each change is one event, a repeat is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.ledger import Ledger
from blocks.vocabulary.messages import Severity, SystemEvent, alert_identity

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def alert(status: str, name: str = "checkout is down", **data: object) -> SystemEvent:
    return SystemEvent(
        id=alert_identity("alerts", name),
        source="alerts",
        type="alert.Down",
        time=NOON,
        severity=Severity.INFO if status == "resolved" else Severity.CRITICAL,
        subject="service:checkout",
        data={"status": status, "fingerprint": name, **data},
    )


async def changes(ledger: Ledger, *statuses: str, name: str = "checkout is down") -> list[bool]:
    """Which of notifications that come one after the other are new."""
    found = []
    for status in statuses:
        (kept,) = await ledger.inbox.keep([alert(status, name)], NOON)
        found.append(kept.new)
    return found


async def test_a_repeat_has_the_status_of_the_last_notification(ledger: Ledger) -> None:
    assert await changes(ledger, "firing", "firing", "firing") == [True, False, False]
    assert await changes(ledger, "resolved", "resolved") == [True, False]
    assert await changes(ledger, "firing", name="another") == [True]


async def test_firing_after_resolved_is_a_new_outage_whatever_its_start(ledger: Ledger) -> None:
    said = ["firing", "resolved", "firing", "firing", "resolved", "firing"]
    assert await changes(ledger, *said) == [True, True, True, False, True, True]
    events = await ledger.inbox.received(NOON, 10)
    assert sorted(event.id.partition("-")[2] for event in events) == [
        "00000001-firing",
        "00000002-resolved",
        "00000003-firing",
        "00000004-resolved",
        "00000005-firing",
    ]
    assert {event.fingerprint for event in events} == {alert("firing").fingerprint}
    assert not any(event.tells_how_it_stands for event in events)


async def test_changes_in_one_commit_are_told_apart(ledger: Ledger) -> None:
    said = [alert(s) for s in ("firing", "resolved", "resolved", "firing")]
    kept = await ledger.inbox.keep(said, NOON)
    assert [one.new for one in kept] == [True, True, False, True]
    accepted = await ledger.inbox.accept([alert("firing"), alert("resolved")], NOON)
    assert (accepted.new, accepted.duplicates) == (1, 1)
    assert accepted.ids[0] == kept[-1].id
    assert accepted.ids[1].endswith("-00000004-resolved")


async def test_what_it_says_beside_its_status_makes_no_new_event(ledger: Ledger) -> None:
    first = await ledger.inbox.keep([alert("firing", values={"B": 2.7})], NOON)
    again = await ledger.inbox.keep([alert("firing", values={"B": 3.1})], NOON)
    assert (first[0].new, again) == (True, [(first[0].id, False)])


async def test_a_clock_that_is_set_back_loses_no_end(ledger: Ledger) -> None:
    earlier = NOON - timedelta(hours=1)
    for status, at in (("firing", NOON), ("resolved", NOON), ("firing", earlier)):
        assert (await ledger.inbox.keep([alert(status)], at))[0].new
    assert (await ledger.inbox.keep([alert("resolved")], earlier))[0].new


async def test_events_with_an_identity_of_their_own_are_known_by_it(ledger: Ledger) -> None:
    own = [alert("firing").model_copy(update={"id": name}) for name in ("1", "2")]
    assert [one.new for one in await ledger.inbox.keep(own, NOON)] == [True, True]
    assert [one.id for one in await ledger.inbox.keep(own, NOON)] == ["1", "2"]
    assert await changes(ledger, "firing", "resolved") == [True, True], "nor do they count here"


async def test_who_tells_of_a_change_at_once_tells_of_one(ledger_url: str) -> None:
    ledgers = [Ledger.open(ledger_url) for _ in range(4)]
    try:
        for status in ("firing", "resolved", "firing"):
            told = await asyncio.gather(*(one.inbox.keep([alert(status)], NOON) for one in ledgers))
            assert sum(kept[0].new for kept in told) == 1
    finally:
        for one in ledgers:
            one.close()


@pytest.mark.parametrize("aside", ["_notes", "_beside"])
def test_what_is_remarked_is_no_part_of_what_is_said(aside: str) -> None:
    said = SystemEvent(source="shop", type="t", data={"ms": 1})
    with_more = said.model_copy(update={"data": {"ms": 1, aside: ["x"]}})
    assert with_more.content_hash == said.content_hash
    assert said.model_copy(update={"data": {"ms": 2}}).content_hash != said.content_hash


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12), data=st.data())
def test_however_notifications_are_bundled_the_same_changes_are_found(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """The oracle: of each alert's statuses in order, those that differ from the one before."""
    last: dict[str, bool] = {}
    expected = []
    for name, fires in said:
        expected.append(last.get(name) is not fires)
        last[name] = fires
    events = [alert("firing" if fires else "resolved", name) for name, fires in said]
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"

    async def hand_in() -> list[bool]:
        found, rest = [], events
        with Ledger.open(url) as ledger:
            while rest:
                size = data.draw(st.integers(1, len(rest)))
                found += [one.new for one in await ledger.inbox.keep(rest[:size], NOON)]
                rest = rest[size:]
        return found

    assert asyncio.run(hand_in()) == expected
