"""What it takes a large ledger to forget almost all of it, and how long others wait meanwhile.

A ledger of four weeks (``benchmarks.large_ledger_rows``) that ended a year ago is cut, on SQLite
and on PostgreSQL, while a call is recorded every 20 ms. Told are the time for each table's rows,
the longest transaction of those that cut, and how long the records took, before and meanwhile.

    python -m benchmarks.retention [--json] [--events N] [--postgres URL]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import event

from benchmarks.large_ledger import POSTGRES, ledgers
from benchmarks.large_ledger_rows import Size, fill, reopen
from benchmarks.output import show_rows
from blocks.ledger import Ledger
from blocks.ledger.receipts.signing import Seal
from blocks.settings import Retention
from blocks.vocabulary.messages import AgentMessage

DAYS = Retention(receipts=30, approvals=30, effects=30, reports=7)


async def measure(url: str, seal: Seal, now: datetime) -> dict[str, float]:
    """The figures of one ledger."""
    with Ledger.open(url, seal=seal) as ledger, holds(ledger) as held:
        before = await _waits(ledger, asyncio.create_task(asyncio.sleep(5)))
        size, began = await ledger.retention.size(), perf_counter()
        cutting = asyncio.create_task(ledger.retention.cut(DAYS, now))
        meanwhile = await _waits(ledger, cutting)
        took, rows = perf_counter() - began, sum(cutting.result().values())
        return {
            "rows": rows,
            "seconds": took,
            "rows per second": rows / took,
            "hold ms": _share(held, 0.5),
            "longest hold ms": max(held),
            "record ms before": _share(before, 0.5),
            "record ms meanwhile": _share(meanwhile, 0.5),
            "99th percentile before": _share(before, 0.99),
            "99th percentile meanwhile": _share(meanwhile, 0.99),
            "MB before": size / 1e6,
            "MB after": await ledger.retention.size() / 1e6,
        }


async def _waits(ledger: Ledger, until: asyncio.Task[Any]) -> list[float]:
    waits = []
    while not until.done():
        began = perf_counter()
        ledger.record(AgentMessage(recipient="data-intelligence", action="a"))
        await ledger.flush()
        waits.append((perf_counter() - began) * 1000)
        await asyncio.sleep(0.02)
    return waits


@contextmanager
def holds(ledger: Ledger) -> Iterator[list[float]]:
    """The milliseconds of each transaction that deletes or shrinks, up to its commit."""
    engine, began, cuts = ledger._database.engine, dict[int, float](), defaultdict[int, bool](bool)
    held: list[float] = []

    def begin(connection: Any) -> None:
        key = id(connection.connection.driver_connection)
        began[key], cuts[key] = perf_counter(), False

    def execute(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if statement.startswith(("DELETE", "PRAGMA incremental")):
            cuts[id(connection.connection.driver_connection)] = True

    commit = engine.dialect.do_commit

    def committed(connection: Any) -> None:
        commit(connection)
        key = id(connection.driver_connection)
        if cuts[key]:
            held.append((perf_counter() - began[key]) * 1000)

    event.listen(engine, "begin", begin)
    event.listen(engine, "before_cursor_execute", execute)
    engine.dialect.do_commit = committed  # type: ignore[assignment, method-assign]
    yield held


def _share(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def main() -> None:
    """Fill, cut and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--postgres", default=POSTGRES, help="a server, SQLAlchemy URL")
    parser.add_argument("--on", choices=("sqlite", "postgresql"), help="one of the two alone")
    options = parser.parse_args()
    size = Size(options.events, options.events * 3 // 10, options.events * 6 // 100)
    found: dict[str, dict[str, float]] = {}
    for kind in [options.on] if options.on else ["sqlite", "postgresql"]:
        with (
            tempfile.TemporaryDirectory(prefix="retention-") as place,
            ledgers(kind, options.postgres, Path(place)) as create,
        ):
            url, now = create("ledger"), datetime.now(UTC)
            seal = Seal(Path(place) / "receipts.key", Path(place) / "receipts.head")
            Ledger.open(url, seal=seal).close()
            fill(url, size, now - timedelta(days=365))
            reopen(url, now)
            found[kind] = asyncio.run(measure(url, seal, now))
    names = next(iter(found.values()))
    rows = {name: {kind: figures[name] for kind, figures in found.items()} for name in names}
    flat = {
        f"{kind}_{name.replace(' ', '_')}": rows[name][kind] for name in names for kind in found
    }
    show_rows(size.label, rows, flat, as_json=options.json)


if __name__ == "__main__":
    main()
