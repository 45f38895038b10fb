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
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter, sleep, time

import httpx
import yaml
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.output import show_rows
from blocks.settings import PROJECT_ROOT
from deployments.watchdog import MARK

POOL = "operations"
POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
"""Where to make the database, unless ``ORCHESTRATOR_TEST_POSTGRES_URL`` says so."""

FLOW = '''"""A workflow of three agent calls that do nothing."""

from prefect import flow

from agents.capability import ActionPolicy
from agents.registry import ActionSpec, AgentSpec, Registry
from flows.orchestrator import workflow_run


async def nothing() -> None:
    """Do nothing."""


NAMES = ["integration-specialist", "data-intelligence", "sre-reliability"]
TEAM = Registry(
    {name: AgentSpec(name, name, "") for name in NAMES},
    [ActionSpec(name, "idle", "nothing", nothing, ActionPolicy()) for name in NAMES],
)


@flow(name="three-calls")
async def three_calls() -> None:
    """Ask three agents for nothing."""
    async with workflow_run("three-calls", with_business=False, agents=TEAM) as run:
        for name in NAMES:
            await run.ask(name, "nothing")
'''


Figures = dict[str, float]
"""Of one worker: ``p50_s``, ``p95_s``, ``max_s``, and ``accept_p50_ms`` of the requests."""


class Stack:
    """Prefect's server, the API and a worker, each a process on a copy of the project.

    Args:
        folder: Empty; for the copy, the state and the logs.
        database: Of Prefect's server; SQLite in the state folder when None.
    """

    def __init__(self, folder: Path, database: URL | None) -> None:
        self._project, self._logs = folder / "project", folder
        ports = _free_ports(2)
        self.prefect, self.api = (f"http://127.0.0.1:{port}" for port in ports)
        self._mark = secrets.token_hex(16)
        self._http = httpx.Client(timeout=60)
        # Nothing of the user's own settings: default settings are compared.
        own = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT", "ORCHES"))}
        self._environment = own | {
            MARK: self._mark,
            "ORCHESTRATOR_STATE_DIR": str(folder / "state"),
            "ORCHESTRATOR_PREFECT_PORT": str(ports[0]),
            "ORCHESTRATOR_API_PORT": str(ports[1]),
            "PREFECT_API_URL": f"{self.prefect}/api",
        }
        if database is not None:
            url = database.render_as_string(hide_password=False)
            self._environment["ORCHESTRATOR_PREFECT_DATABASE_URL"] = url

    @contextmanager
    def running(self) -> Iterator[None]:
        """Server and API, and the workflow registered."""
        self._copy_project()
        with subprocess.Popen(  # ends everything, however this process ends
            [sys.executable, "-m", "deployments.watchdog", self._mark],
            stdin=subprocess.PIPE,
            cwd=self._project,
            start_new_session=True,
        ):
            for name, url in (
                ("server", f"{self.prefect}/api/ready"),
                ("api", f"{self.api}/livez"),
            ):
                self._start_ours(f"{name}_spec(settings)", name)
                _wait(url)
                if name == "server":
                    self._python("-m", "deployments.cli", "register")
            yield

    @contextmanager
    def our_worker(self) -> Iterator[None]:
        """Our worker, as the stack starts it."""
        with self._worker(self._start_ours(f"worker_spec([{POOL!r}])", "worker")):
            yield

    @contextmanager
    def prefects_worker(self) -> Iterator[None]:
        """Prefect's worker with default settings."""
        program = str(Path(sys.executable).parent / "prefect")
        with self._worker(self._start([program, "worker", "start", "--pool", POOL], "process")):
            yield

    def time_run(self) -> tuple[float, float]:
        """One run: seconds until it was accepted, and until it was completed."""
        asked, began = time(), perf_counter()
        answer = self._http.post(
            f"{self.api}/orchestrate/workflow",
            json={"workflow": "three-calls"},
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        accepted = perf_counter() - began
        answer.raise_for_status()
        where = f"{self.prefect}/api/flow_runs/{answer.json()['id']}"
        while (run := self._http.get(where).json())["end_time"] is None:
            sleep(0.25)  # seldom: each look costs the server, too
        if run["state_type"] != "COMPLETED":
            raise SystemExit(f"A run ended as {run['state']['name']}: {run['state']['message']}")
        return accepted, datetime.fromisoformat(run["end_time"]).timestamp() - asked

    def _copy_project(self) -> None:
        """The API serves what ``prefect.yaml`` lists, so the workflow is listed in a copy."""
        for name in ("agents", "blocks", "deployments", "flows"):
            ignored = shutil.ignore_patterns("__pycache__", "data")
            shutil.copytree(PROJECT_ROOT / name, self._project / name, ignore=ignored)
        (self._project / "flows/three_calls.py").write_text(FLOW)
        content = yaml.safe_load((PROJECT_ROOT / "prefect.yaml").read_text())
        content["deployments"] = [
            {
                "name": "three-calls",
                "entrypoint": "flows.three_calls:three_calls",
                "work_pool": {"name": POOL},
            }
        ]
        (self._project / "prefect.yaml").write_text(yaml.safe_dump(content))

    def _start_ours(self, spec: str, log: str) -> subprocess.Popen[bytes]:
        """A process of ``deployments.specs``, under the stack's own settings."""
        code = (
            "import os; from blocks.settings import get_settings; from deployments.specs import *; "
            f"settings = get_settings(); spec = {spec}; "
            "os.environ.update(stack_environment(settings) | dict(spec.env)); "
            "os.execv(spec.argv[0], spec.argv)"
        )
        return self._start([sys.executable, "-c", code], log)

    def _start(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self._logs / f"{log}.log").open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=self._project,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @contextmanager
    def _worker(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        url, before = f"{self.prefect}/api/work_pools/{POOL}/workers/filter", time()
        while not any(_instant(w["last_heartbeat_time"]) > before for w in _posted(url)):
            if process.poll() is not None:
                raise SystemExit(f"A worker ended by itself; see {self._logs}.")
            sleep(0.2)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:  # Prefect's ignores it where SIGINT is ignored
                process.kill()
                process.wait()

    def _python(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=self._project,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )


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


def _free_ports(count: int) -> list[int]:
    import socket

    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        sleep(0.2)
    raise SystemExit(f"{url} did not answer within 2 minutes.")


def _posted(url: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.post(url, json={}).json()
    return found


def _instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


if __name__ == "__main__":
    main()
