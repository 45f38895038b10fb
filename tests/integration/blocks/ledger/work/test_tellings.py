"""What people were told of: on record with the effects that tell it, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from blocks.errors import LedgerError
from blocks.ledger import EffectRecord, Ledger
from blocks.ledger.incidents.entries import IncidentEntry
from blocks.ledger.work.tellings import Telling

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Decision:
    tellings: Sequence[Telling]
    effects: Sequence[EffectRecord] = ()
    entries: Sequence[IncidentEntry] = ()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def telling(name: str = "till", audience: str = "owner", **more: object) -> Telling:
    fields = {
        "audience": audience,
        "fingerprint": f"service-down/service:{name}",
        "state": "critical",
        "title": f"{name} is down",
        "source": "sre-reliability.comprehensive_health_check",
        "since": NOON,
        "told_at": NOON,
    }
    return Telling.model_validate(fields | more)


def effect(need: str) -> EffectRecord:
    return EffectRecord(
        kind="notification", target="channel:mail/owner", need_key=need, intended_at=NOON
    )


async def test_it_is_kept_with_the_effects_and_known_until_it_is_over(ledger: Ledger) -> None:
    await ledger.tellings.tell("owner", NOON, lambda _: Decision([telling()], [effect("a")]))
    assert await ledger.tellings.open("owner") == [telling()]
    assert await ledger.tellings.open("buyer") == []
    assert [e.need_key for e in await ledger.effects.list()] == ["a"]

    def end(known: Mapping[str, Telling]) -> Decision:
        assert list(known.values()) == [telling()]
        over = NOON + timedelta(hours=1)
        return Decision([each.model_copy(update={"over_at": over}) for each in known.values()])

    await ledger.tellings.tell("owner", NOON, end)
    assert await ledger.tellings.open("owner") == []


async def test_what_cannot_be_decided_leaves_nothing(ledger: Ledger) -> None:
    def fail(known: Mapping[str, Telling]) -> Decision:
        raise ZeroDivisionError

    with pytest.raises(LedgerError):
        await ledger.tellings.tell("owner", NOON, fail)
    assert await ledger.tellings.open("owner") == []


async def test_of_many_who_tell_at_once_one_does(ledger: Ledger, ledger_url: str) -> None:
    def decide(number: int, known: Mapping[str, Telling]) -> Decision:
        return Decision([], []) if known else Decision([telling()], [effect(f"by {number}")])

    with Ledger.open(ledger_url) as other:
        await asyncio.gather(
            *(
                each.tellings.tell("owner", NOON, lambda known, n=n: decide(n, known))
                for n, each in enumerate([ledger, other] * 5)
            )
        )
    assert len(await ledger.effects.list()) == 1


async def test_ten_thousand_things_are_told_in_one_go(ledger: Ledger) -> None:
    things = [telling(f"s{n}") for n in range(10_000)]
    await ledger.tellings.tell("owner", NOON, lambda _: Decision(things))
    assert len(await ledger.tellings.open("owner")) == 10_000
