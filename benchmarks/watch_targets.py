"""500 probes within one deadline, slow and dead targets among them, and what a day of it takes.

480 targets answer, each a port of its own with a real HTTP server behind it (in another process,
on the same cores), 10 take the connection and never say a word, 10 refuse it. All probes are looked
at in one round as the stack does (``look_at_probes``, with its confirmations): ``wrong`` must be
the 20 dead ones and ``missing`` nothing. Latencies are those that the probes of the good targets
measured; ``stall_ms`` is the longest that the event loop of the watching process stood still.

Then a day of such rounds is kept in a ledger, round by round, and packed hour by hour, as the stack
does; told is what the ledger grew by, on SQLite and on PostgreSQL.

    python -m benchmarks.watch_targets [--json] [--rounds 5] [--postgres URL] [--kept 500]

``--kept`` is the number of targets whose day is kept; 0 leaves that out.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from agents.sre_reliability.system_monitoring.probe_watch import look_at_probes
from benchmarks.output import show_rows
from blocks.business.probes import Probe
from blocks.business.probing.web import HttpCheck
from blocks.ledger import Ledger
from blocks.policy.watching.watch_rules import WatchRules
from blocks.vocabulary.looks import Look, Sample

POSTGRES = os.environ.get(
    "ORCHESTRATOR_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
GOOD, HANGING, REFUSING = 480, 10, 10
DEADLINE_S = 10.0

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
_BODY = b'{"status":"ok"}'


def serve(tell: Connection) -> None:
    """The targets that answer, and those that hang, until killed."""

    async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER + _BODY)
        await writer.drain()
        writer.close()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> None:
        handlers = [good] * GOOD + [hangs] * HANGING
        servers = [await asyncio.start_server(each, "127.0.0.1", 0) for each in handlers]
        tell.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def targets() -> Iterator[list[Probe]]:
    """Probes of all targets; those that refuse are ports that nobody listens on."""
    with ExitStack() as closing:
        refusing = []
        for _ in range(REFUSING):
            reserved = closing.enter_context(socket.socket())
            reserved.bind(("127.0.0.1", 0))  # bound, not listening: refused, and nobody takes it
            refusing.append(reserved.getsockname()[1])
        hear, tell = multiprocessing.Pipe(duplex=False)
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(tell,), daemon=True
        )
        server.start()
        closing.callback(server.join)
        closing.callback(server.kill)
        ports = hear.recv() + refusing
        random.Random(14).shuffle(ports)  # the dead are somewhere among the others
        yield [
            Probe(
                name=f"target-{number}",
                check=HttpCheck(url=f"http://127.0.0.1:{port}/", fields={"status": "ok"}),
                internal_hosts=["127.0.0.1"],
            )
            for number, port in enumerate(ports)
        ]


async def stalls(longest: list[float]) -> None:
    """Note how long the event loop stands still, until cancelled."""
    while True:
        began = perf_counter()
        await asyncio.sleep(0.005)
        longest[0] = max(longest[0], perf_counter() - began - 0.005)


async def one_round(probes: Sequence[Probe]) -> tuple[Look, dict[str, float]]:
    """Look at all of them once."""
    rules, longest = WatchRules(), [0.0]
    beside = asyncio.create_task(stalls(longest))
    began = perf_counter()
    look = await look_at_probes(
        probes,
        datetime.now(UTC),
        confirm_after=rules.probes_confirm_seconds,
        within=rules.probes_within_seconds,
    )
    took = perf_counter() - began
    beside.cancel()
    took_ms = [s.value for s in look.samples if s.series.endswith("/latency_ms")]
    return look, {
        "total_s": round(took, 2),
        "targets": len(probes),
        "wrong": len(look.signals),
        "missing": len(look.missing),
        "p50_ms": round(median(took_ms), 1),
        "p95_ms": round(quantiles(took_ms, n=20)[-1], 1),
        "stall_ms": round(longest[0] * 1000),
    }


async def keep_a_day(url: str, measured: Sequence[Sample]) -> dict[str, float]:
    """Keep 1,440 rounds like this one, packing hour by hour; how many bytes the ledger grew by."""
    generator = random.Random(14)
    begin = datetime(2026, 11, 29, tzinfo=UTC)
    with Ledger.open(url) as ledger:
        before, most = await ledger.retention.size(), 0
        for hour in range(24):
            minutes = [begin + timedelta(hours=hour, minutes=m) for m in range(60)]
            await ledger.samples.keep(
                [_like(sample, at, generator) for at in minutes for sample in measured]
            )
            began = perf_counter()
            await ledger.samples.pack(minutes[0])  # the last hour stays as it is
            packing_s = perf_counter() - began
            most = max(most, await ledger.retention.size() - before)
        await ledger.samples.pack(begin + timedelta(days=1))
        packed = await _packed_bytes(ledger)
        began = perf_counter()
        later = begin + timedelta(days=1)
        await ledger.samples.keep([_like(sample, later, generator) for sample in measured])
        keeping_s = perf_counter() - began
    samples = 24 * 60 * len(measured)
    return {
        "samples": samples,
        "packed_mb": packed / 1e6,
        "bytes_per_sample": packed / samples,
        "ledger_mb": most / 1e6,
        "keep_a_round_s": keeping_s,
        "pack_an_hour_s": packing_s,
    }


def _like(sample: Sample, at: datetime, generator: random.Random) -> Sample:
    """Another value of the series: latencies vary by a third, states hardly ever."""
    value = sample.value
    if sample.series.endswith("/latency_ms"):
        value = round(value * generator.lognormvariate(0, 0.33), 1)
    return Sample(series=sample.series, at=at, value=value)


async def _packed_bytes(ledger: Ledger) -> int:
    from blocks.ledger.samples.tables import SAMPLE_DAYS

    query = sa.select(sa.func.sum(sa.func.length(SAMPLE_DAYS.c.packed)))
    return int(await ledger.samples._access.read(lambda c: c.scalar(query)) or 0)


@contextmanager
def postgres_database(url: str) -> Iterator[str]:
    """A database of its own; dropped again."""
    name, engine = f"watch_{uuid4().hex[:8]}", sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()


def main() -> int:
    """Run it; 0 when every round was whole, right and within its deadline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", default=POSTGRES)
    parser.add_argument("--kept", type=int, default=GOOD + HANGING + REFUSING)
    given = parser.parse_args()

    async def rounds(probes: Sequence[Probe]) -> list[tuple[Look, dict[str, float]]]:
        return [await one_round(probes) for _ in range(given.rounds)]

    with targets() as probes:
        seen = asyncio.run(rounds(probes))
    rounds_seen = {f"round {i}": figures for i, (_, figures) in enumerate(seen, start=1)}
    days: dict[str, dict[str, float]] = {}
    kept = [s for s in seen[-1][0].samples if int(s.series.split("/")[0][13:]) < given.kept]
    if kept:
        with tempfile.TemporaryDirectory() as folder:
            days["sqlite"] = asyncio.run(keep_a_day(f"sqlite:///{folder}/ledger.db", kept))
        with postgres_database(given.postgres) as url:
            days["postgresql"] = asyncio.run(keep_a_day(url, kept))
        show_rows("A day of samples", days, {}, as_json=False)
    told: dict[str, Any] = {"rounds": list(rounds_seen.values()), "a_day": days}
    show_rows("500 targets", rounds_seen, told, as_json=given.json)
    whole = (HANGING + REFUSING, 0)
    right = all(
        (each["wrong"], each["missing"]) == whole and each["total_s"] <= DEADLINE_S
        for each in rounds_seen.values()
    )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
