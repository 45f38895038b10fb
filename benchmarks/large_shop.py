"""What the daily health check and the sequential workflow cost a shop that grows.

Shops of 1,000, 10,000 and 100,000 items (0.5, 5 and 50 million order lines over two years) are
drawn from the sample (``benchmarks.large_shop_rows``) and written into SQLite and PostgreSQL. Each
workflow's work on data then runs as its actions have it (reading the store, keeping the snapshot,
judging it), in a process of its own: on the first day, when nothing is known of the shop, and on
the next, when its settled months are kept. Agents' calls, reports and Prefect are left out: they do
not grow with the shop.

The time inside the database's driver is the database's (it makes Python's values of the rows, too),
all other processor time is ours. SQLite works in our process; its memory counts as ours. The
exponent is that of our time in the number of items, between the two largest shops.

    python -m benchmarks.large_shop [--json] [--full] [--postgres URL]

Without ``--full`` it stops at 10,000 items, and needs 0.6 GB of disk; with it 6 GB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from math import log
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

import psycopg

from benchmarks.output import show_rows

POSTGRES = os.environ.get(
    "ORCHESTRATOR_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
SIZES, FULL_SIZES = (1_000, 10_000), (1_000, 10_000, 100_000)
TODAY = date(2026, 11, 28)
WORKFLOWS = ("health check", "sequential")
DAYS = ("first", "next")

Figures = dict[str, float]


class Database:
    """Measures what is spent inside the drivers of databases."""

    def __init__(self) -> None:
        self.seconds = self.processor = 0.0

    def watch(self) -> None:
        """From now on, measure all that cursors of this process do.

        Fetching, too: SQLite groups while it is asked for the groups.
        """
        import sqlalchemy as sa

        timed = self._timed(sqlite3.Cursor)

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = timed) -> Any:
                return super().cursor(factory)

        # A connection of SQLite's has no other place for the kind of its cursors.
        vars(sqlite3)["connect"] = partial(sqlite3.connect, factory=Connection)

        def connected(raw: Any, _: Any) -> None:
            if isinstance(raw, psycopg.Connection):
                raw.cursor_factory = self._timed(psycopg.Cursor)

        sa.event.listen(sa.Pool, "connect", connected)

    def _timed(self, cursor: type[Any]) -> type[Any]:
        """A driver's cursors, each call of which is measured."""

        def measured(name: str) -> Any:
            call = getattr(cursor, name)

            def timed(*args: Any, **kwargs: Any) -> Any:
                wall, processor = perf_counter(), thread_time()
                try:
                    return call(*args, **kwargs)
                finally:
                    self.seconds += perf_counter() - wall
                    self.processor += thread_time() - processor

            return timed

        return type(f"Timed{cursor.__name__}", (cursor,), {name: measured(name) for name in _CALLS})


_CALLS = ("execute", "executemany", "fetchone", "fetchmany", "fetchall")


async def measure(url: str, workflow: str, day: int) -> Figures:
    """One workflow's work on data on a day, in a process that is new and has its own settings."""
    from agents.data_intelligence.business_intelligence.analysis import analyze
    from agents.data_intelligence.business_intelligence.daily_metrics import analyze_daily_metrics
    from agents.data_intelligence.data_validation import validate_data
    from agents.data_intelligence.predictive_analytics.stock_risk import assess_stock_risk
    from benchmarks.large_shop_database import store
    from blocks.business.snapshots import take_snapshot
    from blocks.ledger import Ledger
    from blocks.settings import get_settings

    now = datetime.combine(TODAY, datetime.min.time(), UTC) + timedelta(days=day, hours=7)
    with Ledger.open(get_settings().effective_ledger_url) as ledger:
        database = Database()
        database.watch()
        began, processor = perf_counter(), process_time()
        snapshot = await take_snapshot(store("large-shop", url), ledger, now)
        if workflow == "sequential":
            analyze(snapshot, now)
        else:
            validate_data(snapshot, now)
            analyze_daily_metrics(snapshot, now)
            assess_stock_risk(snapshot, now)
        wall = perf_counter() - began
        own = process_time() - processor - database.processor
    missing = {"products", "stock", "sales", "orders", "open_orders"} - snapshot.frames.keys()
    unread = [str(p) for p in snapshot.problems if "not read yet" in p.reason]
    if missing or unread:
        raise SystemExit(f"Not all was read: {missing or unread}")
    return {
        "own_seconds": own,
        "database_seconds": database.seconds,
        "wall_seconds": wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(url: str, state: Path, workflow: str, day: int) -> Figures:
    """``measure`` in a new process."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")
    } | {
        "ORCHESTRATOR_STATE_DIR": str(state),
        "ORCHESTRATOR_DATA_FOLDERS": str(state.parent),
    }
    command = [sys.executable, "-m", "benchmarks.large_shop", "--measure", url, workflow, str(day)]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise SystemExit(f"{workflow} of {url} failed.")
    found: Figures = json.loads(ended.stdout.splitlines()[-1])
    return found


@contextmanager
def databases(items: int, folder: Path, postgres: str) -> Iterator[dict[str, str]]:
    """URLs of the same shop in both databases."""
    from benchmarks.large_shop_database import fill_sqlite, filled_postgres
    from benchmarks.large_shop_rows import Shop

    shop, file = Shop(items, TODAY), folder / "shop.db"
    with ExitStack() as stack:
        url = stack.enter_context(filled_postgres(shop, postgres))
        fill_sqlite(shop, file)
        yield {"SQLite": f"sqlite:///{file}", "PostgreSQL": url}


def compare(sizes: tuple[int, ...], postgres: str) -> dict[str, Figures]:
    """The figures of each size, database, workflow and day."""
    rows: dict[str, Figures] = {}
    for items in sizes:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            with databases(items, place, postgres) as urls:
                for name, url in urls.items():
                    state = place / f"state-{name}"
                    state.mkdir()
                    for day, when in enumerate(DAYS):
                        for workflow in WORKFLOWS:
                            row = f"{items:,} items, {name}, {when} day, {workflow}"
                            rows[row] = measured(url, state, workflow, day)
                            sys.stderr.write(f"{row}: {rows[row]}\n")
    return rows


def summary(rows: dict[str, Figures], sizes: tuple[int, ...]) -> dict[str, float | str | None]:
    """The largest shop's worst figures, over both databases and workflows."""

    def worst(figure: str, items: int, *words: str) -> float:
        return max(
            figures[figure]
            for row, figures in rows.items()
            if row.startswith(f"{items:,} items") and all(word in row for word in words)
        )

    *_, smaller, largest = sizes
    own = [worst("own_seconds", items, "health check") for items in (smaller, largest)]
    return {
        "own_seconds": own[1],
        "database_seconds": worst("database_seconds", largest, "first day, health check"),
        "next_day_seconds": worst("database_seconds", largest, "next day"),
        "peak_mb": worst("peak_mb", largest),
        "items": largest,
        "exponent": log(own[1] / own[0]) / log(largest / smaller),
    }


def main() -> None:
    """Fill, measure, compare; or measure one workflow, in a process that this one started."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as well")
    parser.add_argument("--full", action="store_true", help="up to 100,000 items")
    parser.add_argument("--postgres", default=POSTGRES, help="URL of a server to use")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        url, workflow, day = arguments.measure
        sys.stdout.write(json.dumps(asyncio.run(measure(url, workflow, int(day)))) + "\n")
        return
    sizes = FULL_SIZES if arguments.full else SIZES
    rows = compare(sizes, arguments.postgres)
    show_rows("Large shops", rows, summary(rows, sizes), as_json=arguments.json)


if __name__ == "__main__":
    main()
