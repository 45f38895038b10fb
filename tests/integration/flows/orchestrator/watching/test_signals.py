"""What looks find becomes alerts in the ledger, and ends when a look no longer finds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blocks.ledger import Ledger
from blocks.ledger.events.records import Ending, IncidentRecord, IncidentStatus
from blocks.vocabulary.looks import Look, Signal
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now
from flows.orchestrator.watching.signals import covering_what_is_gone, settle

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHECKOUT, DISK = "service:checkout", "host:local"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def ill(severity: Severity = Severity.ERROR, subject: str = CHECKOUT) -> Signal:
    return Signal(kind="service.ill", subject=subject, severity=severity, summary="It is down.")


def look(*signals: Signal, covered: tuple[str, ...] = (CHECKOUT, DISK)) -> Look:
    return Look(part="services", covered=frozenset(covered), signals=signals)


async def told(ledger: Ledger) -> list[tuple[str, str]]:
    """What the inbox was told, in order: how it stands, and how bad it is."""
    events = await ledger.inbox.received(NOW - timedelta(days=3650), 100)
    return [(event.status, event.severity.value) for event in sorted(events, key=lambda e: e.id)]


async def firing(ledger: Ledger) -> list[SystemEvent]:
    return [one.event for one in await ledger.inbox.firing("orchestrator.watch.services")]


async def test_what_is_found_fires_once_and_is_resolved_when_it_is_no_longer_found(
    ledger: Ledger,
) -> None:
    for minute in range(3):
        await settle(ledger, look(ill()), NOW + minute * MINUTE)
    assert [event.subject for event in await firing(ledger)] == [CHECKOUT]

    await settle(ledger, look(), NOW + 3 * MINUTE)
    assert await firing(ledger) == []
    assert await told(ledger) == [("firing", "error"), ("resolved", "info")]


async def test_what_is_not_covered_is_neither_found_nor_over(ledger: Ledger) -> None:
    await settle(ledger, look(ill()), NOW)
    await settle(ledger, look(covered=(DISK,)), NOW + MINUTE)
    assert [event.subject for event in await firing(ledger)] == [CHECKOUT]


async def test_another_part_does_not_end_what_it_did_not_tell(ledger: Ledger) -> None:
    await settle(ledger, look(ill()), NOW)
    other = Look(part="probes", covered=frozenset({CHECKOUT}))
    await settle(ledger, other, NOW + MINUTE)
    assert len(await firing(ledger)) == 1


async def test_what_gets_worse_is_told_again_and_what_gets_milder_is_not(ledger: Ledger) -> None:
    for minute, severity in enumerate(("warning", "critical", "warning", "critical")):
        await settle(ledger, look(ill(Severity(severity))), NOW + minute * MINUTE)
    assert await told(ledger) == [("firing", "warning"), ("firing", "critical")]


async def test_what_fires_again_is_another_outage(ledger: Ledger) -> None:
    for minute, found in enumerate(([ill()], [], [ill()])):
        await settle(ledger, look(*found), NOW + minute * MINUTE)
    assert [status for status, _ in await told(ledger)] == ["firing", "resolved", "firing"]


async def _ended(ledger: Ledger, ending: Ending) -> None:
    """A run takes what fires into an incident, and ends that."""
    now = utc_now()
    taken = await ledger.inbox.take(now, "run", now + MINUTE, 10)
    incident = IncidentRecord(
        need_key="it",
        resource=CHECKOUT,
        severity=Severity.ERROR,
        title="checkout is down",
        opened_at=now,
        updated_at=now,
    )
    await ledger.inbox.join([(incident, [one.key for one in taken])], "run", now)
    assert await ledger.inbox.respond(incident.id, "run", now)
    ended = incident.model_copy(
        update={"ending": ending, "status": IncidentStatus.SETTLED, "run_id": "run"}
    )
    assert await ledger.inbox.settle(ended, now)


@pytest.mark.parametrize(
    ("ending", "outages"), [(Ending.WELL, 2), (Ending.MENDED, 2), (Ending.ANSWERED, 1)]
)
async def test_what_was_found_well_too_early_is_a_new_outage(
    ledger: Ledger, ending: Ending, outages: int
) -> None:
    """But what a person closed stays closed while it goes on."""
    await settle(ledger, look(ill()), utc_now())
    await _ended(ledger, ending)
    await settle(ledger, look(ill()), utc_now() + MINUTE)
    assert [status for status, _ in await told(ledger)].count("firing") == outages


async def test_a_look_that_began_before_the_end_says_nothing_of_what_came_after(
    ledger: Ledger,
) -> None:
    began = utc_now()
    await settle(ledger, look(ill()), began)
    await _ended(ledger, Ending.MENDED)
    await settle(ledger, look(ill()), began)
    assert [status for status, _ in await told(ledger)] == ["firing"]


async def test_what_is_no_longer_looked_after_is_over(ledger: Ledger) -> None:
    await settle(ledger, look(ill(), ill(subject="service:old")), NOW)
    now_without = look(ill(), covered=(CHECKOUT,))
    await settle(ledger, await covering_what_is_gone(ledger, now_without, [CHECKOUT]), NOW + MINUTE)
    assert [event.subject for event in await firing(ledger)] == [CHECKOUT]


async def test_what_was_seen_while_the_ledger_cannot_be_read_is_not_lost(
    ledger: Ledger, tmp_path: Path
) -> None:
    await settle(ledger, look(ill(subject="service:old")), NOW)
    with sqlite3.connect(tmp_path / "ledger.db") as other:
        other.execute("ALTER TABLE alerts RENAME TO away")
    seen = look(ill(), covered=(CHECKOUT,))
    assert await covering_what_is_gone(ledger, seen, [CHECKOUT]) == seen

    with sqlite3.connect(tmp_path / "ledger.db") as other:
        other.execute("ALTER TABLE away RENAME TO alerts")
    later = await covering_what_is_gone(ledger, seen, [CHECKOUT])
    assert later.covered == {CHECKOUT, "service:old"}
