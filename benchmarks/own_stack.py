"""A stack for benchmarks: real processes on a copy of the project, with one workflow."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter, sleep, time

import httpx
import yaml
from sqlalchemy import URL

from blocks.settings import PROJECT_ROOT
from deployments.processes.watchdog import MARK

POOL = "operations"

FLOW = '''"""A workflow of three agent calls that do nothing."""

from prefect import flow

from agents.capability import ActionPolicy
from agents.registry import ActionSpec, AgentSpec, Registry
from flows.orchestrator.team.opening import workflow_run


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
            [sys.executable, "-m", "deployments.processes.watchdog", self._mark],
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
        """A process of ``deployments.processes.specs``, under the stack's own settings."""
        code = (
            "import os; from blocks.settings import get_settings; "
            "from deployments.processes.specs import *; "
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


def _free_ports(count: int) -> list[int]:
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
