"""How long it takes from asking for a run to its end: our worker against Prefect's own.

A stack of the benchmark's own (Prefect's server, the worker, the REST API) serves one workflow:
three agent calls that do nothing. Each run is asked for with ``POST /orchestrate/workflow``, one at
a time and at no particular moment, and lasts until the instant that the server gives its final
state. Then the worker is replaced by ``prefect worker start`` with default settings, on the same
pool and deployment. All of it on SQLite, then with Prefect's database on PostgreSQL, in one that is
made for it and dropped.

    python -m benchmarks.trigger_latency [--json] [--full] [--runs OURS PREFECTS]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import sleep

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.output import show_rows
from benchmarks.own_stack import Stack

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
"""Where to make the database, unless ``ORCHESTRATOR_TEST_POSTGRES_URL`` says so."""

Figures = dict[str, float]
"""Of one worker: ``p50_s``, ``p95_s``, ``max_s``, and ``accept_p50_ms`` of the requests."""


def measure(name: str, stack: Stack, runs: int, *, longest_pause: float, warming: int) -> Figures:
    """Time runs, one at a time, each after a pause of some length.

    Args:
        name: Of the worker.
        stack: Where to ask for them.
        runs: How many count.
        longest_pause: Seconds; a poll must not be in step with what is timed.
        warming: Runs before those that count.
    """
    chance = random.Random(7)
    times = []
    for number in range(warming + runs):
        times.append(stack.time_run())
        _tell(f"{name}: run {number + 1} of {warming + runs} took {times[-1][1]:.2f} s")
        sleep(chance.uniform(0.5, longest_pause))
    accepted, completed = zip(*times[warming:], strict=True)
    ordered = sorted(completed)
    return {
        "p50_s": median(ordered),
        "p95_s": quantile(ordered, 0.95),
        "max_s": ordered[-1],
        "accept_p50_ms": median(accepted) * 1000,
    }


def quantile(ordered: list[float], share: float) -> float:
    """What this share of the values does not exceed; of few values, the greatest."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compare(database: URL | None, warm_runs: int, process_runs: int) -> dict[str, Figures]:
    """Both workers on one stack."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), database)
        with stack.running():
            with stack.our_worker():
                warm = measure("our worker", stack, warm_runs, longest_pause=1.0, warming=3)
            with stack.prefects_worker():
                process = measure(
                    "Prefect's worker", stack, process_runs, longest_pause=10.0, warming=1
                )
    return {"warm": warm, "process": process}


@contextmanager
def new_database() -> Iterator[URL | None]:
    """A PostgreSQL database, dropped afterwards; None where there is no server."""
    server = make_url(os.environ.get("ORCHESTRATOR_TEST_POSTGRES_URL", POSTGRES))
    name = f"trigger_latency_{secrets.token_hex(4)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        print(f"Not measured on PostgreSQL: {error.__cause__ or error}", file=sys.stderr)
        yield None
        return
    try:
        yield server.set(drivername="postgresql+asyncpg", database=name)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def summary(found: Mapping[str, Figures], prefix: str = "") -> dict[str, float | str | None]:
    """The figures of one database under the names of the JSON object."""
    warm, process = found["warm"], found["process"]
    figures = {
        "accept_p50_ms": warm["accept_p50_ms"],
        "warm_p50_s": warm["p50_s"],
        "warm_p95_s": warm["p95_s"],
        "process_p50_s": process["p50_s"],
        "ratio": process["p50_s"] / warm["p50_s"],
    }
    return {f"{prefix}{name}": round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="nothing but the JSON object")
    parser.add_argument("--full", action="store_true", help="as --runs 200 30; default: 40 8")
    parser.add_argument(
        "--runs", type=int, nargs=2, metavar=("OURS", "PREFECTS"), help="how many count"
    )
    options = parser.parse_args()
    counts = options.runs or ((200, 30) if options.full else (40, 8))
    # Whoever ends the benchmark ends it in order: its processes and its database go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load_before = os.getloadavg()[0]
    rows: dict[str, Figures] = {}
    figures: dict[str, float | str | None] = {}
    found = compare(None, *counts)
    figures |= summary(found)
    rows |= {f"{name}, SQLite": row for name, row in found.items()}
    with new_database() as database:
        if database is not None:
            found = compare(database, *counts)
            figures |= summary(found, "postgres_")
            rows |= {f"{name}, PostgreSQL": row for name, row in found.items()}
    figures |= {
        "warm_runs": counts[0],
        "process_runs": counts[1],
        "cores": os.cpu_count() or 0,
        "load_before": round(load_before, 2),
        "load_after": round(os.getloadavg()[0], 2),
    }
    if not options.json:
        show_rows("From the request to the end of the run", rows, {}, as_json=False)
    print(json.dumps(figures))


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
