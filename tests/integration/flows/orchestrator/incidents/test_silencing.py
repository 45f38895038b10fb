"""What is silenced is on record, and is told of when the silence is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from blocks.errors import NotFound, RequestError
from blocks.ledger import Ledger
from blocks.ledger.incidents.entries import EntryKind
from blocks.ledger.incidents.silences import SilenceRecord
from flows.orchestrator.incidents.reading import story_of
from flows.orchestrator.incidents.silencing import end_silence, maintenance_of, make_silence
from tests.incidents import Desk


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    with Ledger.open(ledger_url) as ledger:
        yield Desk(ledger)


def silence(desk: Desk, **fields: Any) -> SilenceRecord:
    given = {"by": "ann", "reason": "We deploy.", "made_at": desk.now, "starts_at": desk.now}
    return SilenceRecord(**given | {"ends_at": desk.now + timedelta(hours=1)} | fields)


async def test_it_covers_what_is_open_and_what_opens_until_it_is_over(desk: Desk) -> None:
    one, two = await desk.fires("checkout"), await desk.fires("search")
    made = await make_silence(desk.ledger, silence(desk, resource="*:check*"), desk.now)
    assert [each.id for each in made.open] == [one.id]
    assert (await desk.incident(one.id)).silence_id == made.silence.id
    assert (await desk.incident(two.id)).silence_id is None
    assert await desk.ledger.incidents.silence(desk.wait(seconds=10)) == 0, "it is noted once"
    late = await desk.fires("checkbook")
    assert (await story_of(desk.ledger, late.id, desk.now)).silenced
    desk.wait(hours=1)
    story = await story_of(desk.ledger, one.id, desk.now)
    assert not story.silenced
    said = [e.text for e in story.timeline if e.kind is EntryKind.SILENCED]
    assert said == [
        "Silenced until 2026-03-02 13:00 UTC: We deploy.",
        "No silence covers it any more.",
    ]


async def test_one_that_is_ended_does_nothing_any_more(desk: Desk) -> None:
    one = await desk.fires()
    made = await make_silence(desk.ledger, silence(desk, labels={"team": "sh*"}), desk.now)
    assert (await desk.incident(one.id)).is_silenced
    ended = await end_silence(desk.ledger, made.silence.id[:8], by="bob", now=desk.wait(minutes=1))
    assert (ended.ended_by, ended.ends_at) == ("bob", desk.now)
    assert not (await desk.incident(one.id)).is_silenced
    assert await end_silence(desk.ledger, ended.id, by="x", now=desk.wait(minutes=1)) == ended
    assert await desk.ledger.silences.current(desk.now) == []
    assert await desk.ledger.silences.all() == [ended]


async def test_one_that_means_nothing_or_everything_is_refused(desk: Desk) -> None:
    with pytest.raises(RequestError, match="silences everything"):
        await make_silence(desk.ledger, silence(desk), desk.now)
    with pytest.raises(RequestError, match="over before it counts"):
        await make_silence(desk.ledger, silence(desk, ends_at=desk.now), desk.now)
    with pytest.raises(NotFound, match="no silence"):
        await end_silence(desk.ledger, "abcdef", by="ann", now=desk.now)
    assert await desk.ledger.silences.all() == []
    await make_silence(desk.ledger, silence(desk), desk.now, everything=True)
    assert (await desk.fires()).is_silenced is False, "it is noted by whoever looks"
    assert await desk.ledger.incidents.silence(desk.now) == 1


async def test_maintenance_is_known_at_once(desk: Desk) -> None:
    one = await desk.fires()
    assert await maintenance_of(desk.ledger, one, desk.now) is None
    await make_silence(desk.ledger, silence(desk, type="alert.*"), desk.now)
    assert await maintenance_of(desk.ledger, one, desk.now) is None, "a silence lets it be mended"
    window = silence(desk, resource="service:checkout", maintenance=True)
    await make_silence(desk.ledger, window, desk.now)
    assert await maintenance_of(desk.ledger, one, desk.now) == window
    assert await maintenance_of(desk.ledger, one, window.ends_at) is None
