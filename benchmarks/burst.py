"""How fast events are settled that have nothing to do with each other, for ``benchmarks.storm``.

All are in the inbox before the real workflow begins; each is about a thing of its own, and so makes
up an incident of its own. First they are errors, of which each gets its own response; then a mixed
burst, of which four in five are news and warnings, that are summarised when too many wait.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy as sa

from benchmarks.intake import postgres_database
from blocks.ledger import Ledger
from blocks.vocabulary.messages import Severity, SystemEvent, utc_now

DATABASES = ("sqlite", "postgres")

KINDS = ("sku", "service", "host", "order")
"""What they are about, in turn: things that agents look at, and things that none knows."""

MIXED = (
    *(Severity.INFO,) * 11,
    *(Severity.WARNING,) * 5,
    *(Severity.ERROR,) * 3,
    Severity.CRITICAL,
)

BUSINESS = """
[[services]]
name = "web"
health_url = "http://127.0.0.1:9/health"
"""

DRAIN = """
import asyncio, pathlib, sys
from flows.event_driven_workflow import event_driven_workflow

async def main(begin):
    await event_driven_workflow()  # warm: everything is imported, the policy is read
    begin.with_suffix(".ready").touch()
    while not begin.exists():
        await asyncio.sleep(0.01)
    await event_driven_workflow()

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


def unrelated(count: int, severities: tuple[Severity, ...]) -> list[SystemEvent]:
    """Events about a thing each."""
    return [
        SystemEvent(
            id=f"burst-{number}",
            source="burst",
            type=f"{KINDS[number % len(KINDS)]}.changed",
            severity=severities[number // len(KINDS) % len(severities)],
            subject=f"{KINDS[number % len(KINDS)]}:{number}",
            data={"units": number % 7},
            time=utc_now(),
        )
        for number in range(count)
    ]


def measure(folder: Path, server: str, databases: tuple[str, ...]) -> dict[str, float]:
    """Events per second, until none waits; by kind of burst and database."""
    figures: dict[str, float] = {}
    for database in databases:
        for name, count, severities in (
            ("responded", 2000, (Severity.ERROR,)),
            ("settled", 10_000, MIXED),
        ):
            place = folder / f"{name}-{database}"
            place.mkdir()
            with _ledger(place, database, server) as url:
                rate = _rate(place, url, unrelated(count, severities))
            figures[f"{name}_per_second_{database}"] = round(rate, 1)
    return figures


@contextmanager
def _ledger(folder: Path, database: str, server: str) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'ledger.db'}"
    else:
        with postgres_database(server) as url:
            yield url


def _rate(folder: Path, url: str, events: list[SystemEvent]) -> float:
    (folder / "business.toml").write_text(BUSINESS)
    environment = os.environ | {
        "ORCHESTRATOR_LEDGER_URL": url,
        "ORCHESTRATOR_BUSINESS_FILE": str(folder / "business.toml"),
        "ORCHESTRATOR_STATE_DIR": str(folder),
    }
    begin = folder / "begin"
    drainer = subprocess.Popen([sys.executable, "-c", DRAIN, str(begin)], env=environment)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        while not begin.with_suffix(".ready").exists():
            _see_that_it_runs(drainer)
        asyncio.run(_hand_in(url, events))
        begin.touch()
        began = monotonic()
        while _waiting(engine):
            _see_that_it_runs(drainer)
        return len(events) / (monotonic() - began)
    finally:
        drainer.kill()  # it would go on to wait for more of what a person is asked about
        drainer.wait()
        engine.dispose()


def _see_that_it_runs(drainer: subprocess.Popen[bytes]) -> None:
    if drainer.poll() is not None:
        raise SystemExit("The drainer ended before it had settled everything.")
    sleep(0.1)


async def _hand_in(url: str, events: list[SystemEvent]) -> None:
    with Ledger.open(url) as ledger:
        for start in range(0, len(events), 1000):
            await ledger.inbox.accept(events[start : start + 1000], utc_now())


def _waiting(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        waiting = sa.text("SELECT COUNT(*) FROM events WHERE settled_at IS NULL")
        return int(connection.execute(waiting).scalar_one())
