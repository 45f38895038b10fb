"""Events acknowledged per second when every one is durable, one event per request.

The API runs as the real process (``python -m deployments.api``) with a ledger of its own, on SQLite
and on PostgreSQL, without a Prefect server. Webhooks signed after Standard Webhooks come over
kept-alive connections from a generator (``benchmarks.intake_load``) on the same two cores; one in
twenty is sent twice. The floor is the same application, server and middleware answering 202 to the
same requests and doing nothing else. Floor and databases take turns; medians are compared.

Then the API is killed (SIGKILL) in the middle of it: whatever it had acknowledged must be there.

    python -m benchmarks.intake [--json] [--full] [--postgres URL]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import sqlalchemy as sa

from benchmarks.intake_load import Load, arguments
from benchmarks.output import show_rows
from blocks.business.webhooks.signatures import new_secret

POSTGRES = os.environ.get(
    "ORCHESTRATOR_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
SENDER = "bench"
CONNECTIONS = 192
MOST_PER_S = 20_000  # for so many a second requests are prepared
FIGURES = ("per_s", "p50_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True)
class Server:
    """One that runs.

    Attributes:
        port: On loopback.
        path: Where events go.
        secret: What its sender signs with.
        ledger_url: Where it keeps them.
        process: Of the server.
    """

    port: int
    path: str
    secret: str
    ledger_url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(folder: Path, ledger_url: str, *, floor: bool = False) -> Iterator[Server]:
    """The API, or the floor, ready to serve; ends with the context."""
    folder.mkdir()
    secret = new_secret()
    (folder / "business.toml").write_text(
        f'[[webhooks]]\nname = "{SENDER}"\nsecret = "{secret}"\nsubject = "sku:{{data.sku}}"\n'
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "ORCHESTRATOR_STATE_DIR": str(folder),
        "ORCHESTRATOR_LEDGER_URL": ledger_url,
        "ORCHESTRATOR_BUSINESS_FILE": str(folder / "business.toml"),
        "ORCHESTRATOR_API_PORT": str(port),
        "ORCHESTRATOR_API_RATE": "1000000",  # what is measured is not the limits
        "ORCHESTRATOR_API_INTAKE_RATE": "1000000",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_HOME": str(folder / "prefect"),
    }
    command = [sys.executable, "-m", "benchmarks.intake_floor" if floor else "deployments.api"]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).is_success:
                    break
            if process.poll() is not None:
                raise SystemExit((folder / "log").read_text())
            sleep(0.1)
        path = "/floor" if floor else f"/webhooks/{SENDER}"
        yield Server(port, path, secret, ledger_url, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """The URL of a database that is dropped afterwards."""
    name = f"intake_{uuid4().hex[:12]}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        try:
            yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    engine.dispose()


def measure(server: Server, seconds: float, *, status: bool = False) -> dict[str, Any]:
    """One load, with its figures."""
    load = Load(
        port=server.port,
        path=server.path,
        secret=server.secret,
        tag=uuid4().hex[:8],
        requests=int(MOST_PER_S * seconds),
        seconds=seconds,
        connections=CONNECTIONS,
        status=status,
    )
    ended = subprocess.run(arguments(load), capture_output=True, check=True, timeout=seconds + 90)
    seen: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    if seen["refused"]:
        raise SystemExit(f"{server.path} refused requests: {seen['refused']}")
    return seen


def lost_in_a_crash(server: Server, seconds: float, folder: Path) -> tuple[int, int]:
    """Kill the server under load.

    Returns:
        How many webhooks were acknowledged, and how many of them the ledger lacks.
    """
    acked = folder / f"acked-{uuid4().hex}.json"
    load = Load(
        port=server.port,
        path=server.path,
        secret=server.secret,
        tag=uuid4().hex[:8],
        requests=int(MOST_PER_S * seconds * 2),
        seconds=seconds * 2,
        connections=CONNECTIONS,
        acked=str(acked),
    )
    kept = f"SELECT COUNT(*) FROM events WHERE id LIKE '{load.tag}-%'"
    engine = sa.create_engine(server.ledger_url, poolclass=sa.NullPool)
    with subprocess.Popen(arguments(load), stdout=subprocess.DEVNULL) as generator:
        until = monotonic() + 60
        while monotonic() < until:  # until it is well under way
            with engine.connect() as connection:
                if connection.execute(sa.text(kept)).scalar_one() > 500:
                    break
            sleep(0.05)
        os.kill(server.process.pid, signal.SIGKILL)
        generator.wait(120)
    ids = set(json.loads(acked.read_text()))
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT id FROM events WHERE id LIKE '{load.tag}-%'"))
        return len(ids), len(ids - {row.id for row in rows})


def medians(seen: list[Mapping[str, Any]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: median(one[name] for one in seen) for name in FIGURES}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help="more and longer rounds")
    parser.add_argument("--postgres", default=POSTGRES, help="server on which to make a database")
    options = parser.parse_args()
    rounds, seconds = (7, 8.0) if options.full else (3, 4.0)
    with suppress(AttributeError, OSError):  # server and generator share two cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        urls = {
            "floor": f"sqlite:///{folder / 'floor.db'}",
            "sqlite": f"sqlite:///{folder / 'ledger.db'}",
            "postgres": stack.enter_context(postgres_database(options.postgres)),
        }
        servers = {
            kind: stack.enter_context(serving(folder / kind, url, floor=kind == "floor"))
            for kind, url in urls.items()
        }
        seen: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in servers}
        for _ in range(rounds):
            for kind, server in servers.items():
                seen[kind].append(measure(server, seconds))
        busy = {k: measure(servers[k], seconds, status=True) for k in ("sqlite", "postgres")}
        crashes = {k: lost_in_a_crash(servers[k], seconds, folder) for k in ("sqlite", "postgres")}
    rows = {kind: medians(some) for kind, some in seen.items()}
    floor = rows["floor"]["per_s"]
    for kind, row in rows.items():
        row["of_floor"] = row["per_s"] / floor
        row["status_per_s"] = busy[kind]["status"]["per_s"] if kind in busy else 0.0
    figures: dict[str, float | str | None] = {
        f"{kind}_{name}": round(value, 3)
        for kind, row in rows.items()
        for name, value in row.items()
    }
    figures |= {
        "acknowledged_before_kill": sum(acked for acked, _ in crashes.values()),
        "lost": sum(lost for _, lost in crashes.values()),
        "rounds": rounds,
        "connections": CONNECTIONS,
        "load": f"{os.getloadavg()[0]:.1f}",
    }
    title = f"Signed webhooks, one event each, durable when acknowledged (lost: {figures['lost']})"
    show_rows(title, rows, figures, as_json=options.json)


if __name__ == "__main__":
    main()
