"""One round of watching: parts side by side, and what the ledger cannot take just now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from blocks.business.business import Business
from blocks.errors import LedgerUnavailable, SourceUnavailable
from blocks.ledger import Ledger
from blocks.policy.policy import Policy
from blocks.prefect_api.client import PrefectApi
from blocks.vocabulary.looks import Look, Sample, Signal
from blocks.vocabulary.messages import Severity, utc_now
from flows.orchestrator.watching.parts import Part, Watch
from flows.orchestrator.watching.watch import Untold, watch_once

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOOR = Signal(
    kind="door.open", subject="door:front", severity=Severity.ERROR, summary="The door is open."
)


def part(name: str, look: Callable[[Watch], Awaitable[Look]], deadline: float = 5.0) -> Part:
    return Part(name=name, every=lambda _: MINUTE, deadline=deadline, look=look)


def watch(ledger: Ledger, now: datetime = NOW) -> Watch:
    return Watch(Business(store=None), ledger, PrefectApi(), Policy(), now)


def door(*signals: Signal) -> Part:
    async def look(watch: Watch) -> Look:
        sample = Sample(series="door:front/open", at=watch.now, value=float(bool(signals)))
        return Look(
            part="doors", covered=frozenset({DOOR.subject}), signals=signals, samples=(sample,)
        )

    return part("doors", look)


async def broken(_: Watch) -> Look:
    raise ZeroDivisionError("1 / 0")


async def refused(_: Watch) -> Look:
    raise SourceUnavailable("The cellar cannot be reached.")


async def slow(_: Watch) -> Look:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def told(ledger: Ledger) -> list[str]:
    events = await ledger.inbox.received(NOW - timedelta(days=9000), 100)
    return [event.status for event in sorted(events, key=lambda e: e.id)]


async def test_a_part_that_fails_sinks_no_other(tmp_path: Path) -> None:
    parts = [
        part("broken", broken),
        part("refused", refused),
        part("slow", slow, deadline=0.05),
        door(DOOR),
    ]
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        looks = await watch_once(watch(ledger), parts)
        assert [
            each.event.subject for each in await ledger.inbox.firing("orchestrator.watch.doors")
        ]
    assert [look.missing for look in looks] == [
        ("broken: ZeroDivisionError: 1 / 0",),
        ("refused: The cellar cannot be reached.",),
        ("slow: no result within 0.05 s",),
        (),
    ]
    assert looks[3].signals == (DOOR,)


async def test_what_the_ledger_cannot_take_is_told_in_its_order_when_it_can(
    tmp_path: Path,
) -> None:
    url, untold = f"sqlite:///{tmp_path / 'ledger.db'}", Untold()
    with Ledger.open(url, patience=0.1) as ledger:
        await ledger.inbox.depth(utc_now())
        holder = sa.create_engine(url, isolation_level="AUTOCOMMIT").connect()
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        # It opens, is still open, is shut, and opens again while nothing can be written.
        for minute, found in enumerate(([DOOR], [DOOR], [], [DOOR])):
            with pytest.raises(LedgerUnavailable):
                await watch_once(watch(ledger, NOW + minute * MINUTE), [door(*found)], untold)
        holder.exec_driver_sql("ROLLBACK")
        holder.close()
        holder.engine.dispose()
        await watch_once(watch(ledger, NOW + 4 * MINUTE), [door()], untold)

        assert await told(ledger) == ["firing", "resolved", "firing", "resolved"]
        series = "door:front/open"
        kept = await ledger.samples.history([series], NOW, NOW + timedelta(hours=1))
        assert [value for _, value in kept[series]] == [1, 1, 0, 1, 0]


async def test_a_part_that_fails_for_long_is_an_alert_until_it_looks_again(tmp_path: Path) -> None:
    """Whatever is wrong there is not told meanwhile: an alert that nobody misses is lost."""
    untold, source = Untold(), "orchestrator.watch.doors"
    failing, secret = part("doors", refused), part("cellar", broken)
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:

        async def after(minutes: int, *parts: Part) -> list[str]:
            await watch_once(watch(ledger, NOW + minutes * MINUTE), parts, untold)
            return sorted(each.event.type for each in await ledger.inbox.firing(source))

        await after(-2, door(DOOR))
        assert await after(0, failing, secret) == ["door.open"]
        assert await after(9, failing) == ["door.open"], "something may just restart"
        assert await after(10, failing, secret) == ["door.open", "watch.blind"]
        (blind,) = (
            each.event
            for each in await ledger.inbox.firing(source)
            if each.event.type == "watch.blind"
        )
        assert blind.subject == "watch:doors"
        assert "The cellar cannot be reached." in blind.data["annotations"]["summary"]
        (other,) = await ledger.inbox.firing("orchestrator.watch.cellar")
        assert "1 / 0" not in str(other.event.data), "what a fault says may hold anything"

        untold = Untold()  # as in a process that starts
        assert await after(11, failing) == ["door.open", "watch.blind"]
        assert await after(12, door(DOOR)) == ["door.open"]


async def test_a_part_that_fails_now_and_then_is_no_alert(tmp_path: Path) -> None:
    untold = Untold()
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for minute in range(0, 40, 5):
            each = door() if minute % 10 else part("doors", refused)
            await watch_once(watch(ledger, NOW + minute * MINUTE), [each], untold)
        assert await told(ledger) == []
