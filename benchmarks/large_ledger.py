"""What the product's looks at its ledger cost once the ledger has grown.

A small ledger and a large one are filled with the rows of the same four weeks
(``benchmarks.large_ledger_rows``), on SQLite and on PostgreSQL. Each look is timed in new
processes, small and large taking turns; the fastest of all rounds counts, since whatever else the
machine does makes them slower only. A look at what is open, or at some hours or days, should not
notice how much the ledger keeps; the metrics of a day grow with what happened on it.

    python -m benchmarks.large_ledger [--json] [--full] [--postgres URL]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.large_ledger_rows import Size, fill, reopen
from benchmarks.output import show_rows
from blocks.ledger import Ledger

POSTGRES = os.environ.get(
    "ORCHESTRATOR_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
SMALL = Size(events=10_000, calls=3_000, runs=600)
LARGE = Size(events=1_000_000, calls=300_000, runs=60_000)
ROUNDS = 5
FULL_ROUNDS = 15

_AGAIN = 7  # times that a look which is repeated all day is timed, after a first one


async def measure() -> dict[str, float]:
    """The milliseconds of each look at the ledger of the settings, in a process that is new."""
    from blocks.settings import get_settings
    from deployments.api.context import open_context
    from deployments.api.prometheus import exposition
    from deployments.api.routes.overview import Watch
    from deployments.cli.status import read_status
    from flows.upkeep.settle_outcomes import settle

    found: dict[str, float] = {}

    async def once(name: str, look: Callable[[], Awaitable[object]]) -> None:
        began = perf_counter()
        await look()
        found[name] = (perf_counter() - began) * 1000

    async def again(name: str, look: Callable[[], Awaitable[object]]) -> None:
        times = []
        for _ in range(_AGAIN + 1):
            began = perf_counter()
            await look()
            times.append((perf_counter() - began) * 1000)
        found[name] = median(times[1:])

    await once("status", read_status)
    async with open_context(get_settings()) as ctx:
        await ctx.readiness.get()  # Prefect's server is none of the ledger's
        await once("first overview", Watch(ctx).page.get)
        await again("overview", Watch(ctx)._compute)

        async def metrics() -> None:
            incidents = await ctx.ledger.incidents.counts()
            status, depth = await ctx.status._make(), await ctx.depth._make()
            figures = await ctx.objective_figures._make()
            exposition(status, depth, incidents, ctx.ledger.health.refused, figures)

        await again("metrics", metrics)
        now = datetime.now(UTC)
        await once("hourly settling", lambda: settle(ctx.ledger, now))
        for name, look in _looks(ctx.ledger, now).items():
            await again(name, look)
    return found


def _looks(ledger: Ledger, now: datetime) -> dict[str, Callable[[], Awaitable[object]]]:
    from blocks.ledger.work.approvals import ApprovalStatus
    from flows.orchestrator.dispatch import track_records

    async def due() -> None:
        await ledger.approvals.unsettled(now)
        await ledger.approvals.list(ApprovalStatus.OPEN)
        await ledger.tasks.abandoned(now)
        await ledger.effects.due(now)

    async def reconcile() -> None:
        await ledger.runs(since=now - timedelta(days=7), going_on=True, limit=500)

    async def daily_check() -> None:
        track_records.forget()
        await track_records.known_records(ledger, "fetch_data", now)
        await ledger.effects.acts(since=now - timedelta(hours=24))
        await ledger.effects.acts(target="service:7")
        await ledger.receipts.head()
        await ledger.claims.get("service:7")
        await ledger.latest_reports(workflow="daily-health-check")

    async def take() -> None:
        await ledger.inbox.take(now, "benchmark", now, 50)

    return {
        "ten-second looks": due,
        "reconciler": reconcile,
        "daily check": daily_check,
        "inbox depth": lambda: ledger.inbox.depth(now),
        "take 50 events": take,
        "agents": lambda: ledger.activity(now),
    }


def _child(url: str, folder: Path) -> dict[str, float]:
    environment = os.environ | {
        "ORCHESTRATOR_STATE_DIR": str(folder),
        "ORCHESTRATOR_LEDGER_URL": url,
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-m", "benchmarks.large_ledger", "--measure"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(
    small: str, large: str, filled_at: datetime, folder: Path, rounds: int
) -> dict[str, dict[str, float]]:
    """Each look's milliseconds on both ledgers, and how many times as long the large one takes."""
    times: dict[str, list[dict[str, float]]] = {small: [], large: []}
    for _ in range(rounds):
        for url, found in times.items():
            reopen(url, filled_at)
            found.append(_child(url, folder))
    rows = {}
    for name in times[small][0]:
        few, many = (min(one[name] for one in times[url]) for url in (small, large))
        rows[name] = {"small ms": few, "large ms": many, "ratio": many / few}
    return rows


@contextmanager
def ledgers(kind: str, postgres: str, folder: Path) -> Iterator[Callable[[str], str]]:
    """Makes URLs of empty databases, which are dropped afterwards."""
    with ExitStack() as last:
        if kind == "sqlite":
            yield lambda name: f"sqlite:///{folder / name}.db"
            return
        engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
        last.callback(engine.dispose)

        def create(name: str) -> str:
            database = f"ledger_{name}_{uuid4().hex[:12]}"
            with engine.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {database}"))
            last.callback(drop, database)
            url = sa.make_url(postgres).set(database=database)
            return url.render_as_string(hide_password=False)

        def drop(database: str) -> None:
            with engine.connect() as connection:
                connection.execute(sa.text(f"DROP DATABASE {database} WITH (FORCE)"))

        yield create


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help=f"{FULL_ROUNDS} rounds, not {ROUNDS}")
    parser.add_argument("--postgres", default=POSTGRES, help="a server, SQLAlchemy URL")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        sys.stdout.write(json.dumps(asyncio.run(measure())) + "\n")
        return
    figures: dict[str, Any] = {}
    for kind in ("sqlite", "postgresql"):
        with (
            tempfile.TemporaryDirectory(prefix="large-ledger-") as place,
            ledgers(kind, options.postgres, Path(place)) as create,
        ):
            urls: list[str] = []
            now = datetime.now(UTC)
            for name, size in (("small", SMALL), ("large", LARGE)):
                urls.append(create(name))
                Ledger.open(urls[-1]).close()
                fill(urls[-1], size, now)
            rounds = FULL_ROUNDS if options.full else ROUNDS
            rows = compare(urls[0], urls[1], now, Path(place), rounds)
        for name, row in rows.items():
            figures[f"{kind}_{name.replace(' ', '_')}_ratio"] = row["ratio"]
            figures[f"{kind}_{name.replace(' ', '_')}_ms"] = row["large ms"]
        last = kind == "postgresql"
        show_rows(f"{kind}: {LARGE.label}", rows, figures, as_json=options.json and last)


if __name__ == "__main__":
    main()
