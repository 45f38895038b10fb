"""``./orchestrator up`` with everything it starts, on free ports and a state folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from blocks.prefect_api.env import RunningStack
from blocks.prefect_api.worker_names import worker_name
from blocks.settings import PROJECT_ROOT
from deployments.processes.restart import restart
from deployments.processes.watchdog import marked
from deployments.registration.registration import read_work_pools
from deployments.stack.first_reports import WORKFLOWS
from tests.integration.loopback import free_port, free_ports
from tests.waiting import wait_until

MODULES = {
    "worker": "deployments.worker",
    "prefect-server": "deployments.stack.prefect_server",
    "api": "deployments.api",
}
"""What the processes run that come back when they die or hang."""

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Place:
    """A state folder and ports."""

    state_dir: Path
    prefect_port: int = field(default_factory=free_port)
    sample_port: int = field(default_factory=lambda: free_ports(7))
    api_port: int = field(default_factory=free_port)
    liveness_timeout: float = 15

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line here; its output goes to ``output``."""
        settings = {
            "ORCHESTRATOR_STATE_DIR": str(self.state_dir),
            "ORCHESTRATOR_PREFECT_PORT": str(self.prefect_port),
            "ORCHESTRATOR_SAMPLE_PORT": str(self.sample_port),
            "ORCHESTRATOR_API_PORT": str(self.api_port),
            "ORCHESTRATOR_LIVENESS_TIMEOUT": str(self.liveness_timeout),
        }
        with (self.state_dir / "output").open("w") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "deployments.cli", *arguments],
                env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "200", **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
            )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command that ends by itself."""
        with self.command(*arguments) as process:
            return process.wait(timeout=240), self.output

    @contextmanager
    def up(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """``up``, ended with the context."""
        with self.command("up", *arguments) as process:
            try:
                yield process
            finally:
                process.kill()  # no effect when it has ended; else the watchdog does the rest

    @property
    def output(self) -> str:
        return (self.state_dir / "output").read_text()

    def wait_for(self, words: str, process: subprocess.Popen[str]) -> None:
        def said() -> bool:
            assert words in self.output or process.poll() is None, self.output
            return words in self.output

        wait_until(said, words, timeout=120)


@pytest.fixture(scope="module")
def place(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A state folder whose Prefect database is migrated already."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "prefect").mkdir()
    shutil.copy(migrated_database, folder / "prefect" / "prefect.db")
    return Place(folder)


def command(process: psutil.Process) -> list[str]:
    """What a process was started as; nothing once it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_run(process: psutil.Process) -> bool:
    """Whether it was forked for a run."""
    parent = process.parent()
    return parent is not None and "deployments.worker.fork_server" in command(process) == command(
        parent
    )


def is_open(path: Path) -> bool:
    """Whether other users may do anything with it."""
    return not path.is_symlink() and bool(path.stat().st_mode & 0o077)


def stack_id(place: Place) -> str:
    return str(json.loads(RunningStack.path(place.state_dir).read_text())["id"])


def last_heartbeat(place: Place, pool: str) -> datetime:
    """When the one worker of a pool last reported."""
    url = f"http://127.0.0.1:{place.prefect_port}/api/work_pools/{pool}/workers/filter"
    (worker,) = httpx.post(url, json={}, trust_env=False).json()
    assert worker["name"] == worker_name(pool)
    return datetime.fromisoformat(worker["last_heartbeat_time"])


def asked_to_wait(place: Place, workflow: str) -> httpx.Response:
    """A run asked for over the API, and what came of it."""
    return httpx.post(
        f"http://127.0.0.1:{place.api_port}/orchestrate/workflow",
        json={"workflow": workflow},
        headers={"Idempotency-Key": "once", "Prefer": "wait=60"},
        timeout=90,
        trust_env=False,
    )


def test_sigterm_while_starting_leaves_no_process(place: Place) -> None:
    with place.up() as process:
        place.wait_for("✓ Prefect server", process)
        wait_until(lambda: RunningStack.path(place.state_dir).exists(), "announced")
        mark = stack_id(place)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130, place.output
    assert marked(mark) == []
    assert "Traceback" not in place.output
    assert RunningStack.find(place.state_dir) is None


def test_what_dies_or_hangs_comes_back_and_kill_9_leaves_no_process(place: Place) -> None:
    place = replace(place, liveness_timeout=2)
    with place.up() as process:
        place.wait_for("Ready in", process)
        mark = stack_id(place)
        # Server, worker, sample and the run of a workflow, in a session of its own.
        wait_until(lambda: any(is_run(process) for process in marked(mark)), "a run")
        # The worker comes back, as often as it dies or hangs or somebody asks for it.
        for died, (how, names) in enumerate(
            [(signal.SIGKILL, ["worker"]), (signal.SIGSTOP, list(MODULES))], 1
        ):
            ill_at = datetime.now(UTC)
            for name in names:
                (ill,) = (p for p in marked(mark) if MODULES[name] in command(p))
                ill.send_signal(how)

            def are_back(times: int = died) -> bool:
                backs = [place.output.count(f"• {name} is back") for name in MODULES]
                return backs == [times, times - 1, times - 1]

            wait_until(are_back, "their return", timeout=90)
            for pool in read_work_pools().work_pools:
                assert last_heartbeat(place, pool.name) > ill_at
        assert place.output.count(" hangs: ") == 3
        asyncio.run(restart("worker", place.state_dir))
        answer = asked_to_wait(place, "system-status")
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"]["type"] == "COMPLETED"
        assert answer.json()["report"]["workflow"] == "system-status"
        process.kill()
    wait_until(lambda: marked(mark) == [], "all processes ended", timeout=30)


def test_once_shows_the_first_reports_and_stops_everything(place: Place) -> None:
    """On what kill -9 left behind, with a few things tried while it works."""
    with place.up("--once") as process:
        place.wait_for("Ready in", process)
        mark = stack_id(place)

        elsewhere = Place(place.state_dir / "elsewhere", place.prefect_port, place.sample_port)
        elsewhere.state_dir.mkdir()
        code, said = elsewhere.run("up")
        assert code == 1
        assert f"Port {place.prefect_port} on 127.0.0.1, for Prefect, cannot be used" in said
        assert "ORCHESTRATOR_PREFECT_PORT" in said

        asyncio.run(restart("storefront", place.state_dir))
        health = httpx.get(f"http://127.0.0.1:{place.sample_port + 3}/health", trust_env=False)
        assert health.status_code == 200

        assert process.wait(timeout=240) == 0, place.output
    assert marked(mark) == []
    for workflow in WORKFLOWS:
        assert f"{workflow} in the Prefect UI" in place.output
    assert "Daily health check" in place.output, "the report's title"
    assert "Traceback" not in place.output

    code, said = place.run("status", "--json")
    status = json.loads(said)
    assert (code, status["stack"]) == (0, None)
    workflows = {run["workflow"]: run["outcome"] for run in reversed(status["runs"])}
    by_schedule = {"event-driven-workflow", "settle-outcomes"}
    assert set(workflows) - by_schedule == {*WORKFLOWS, "system-status"}
    assert set(workflows.values()) == {"succeeded"}

    # Orders, alerts and logs are nobody else's: neither what was there before, nor what came.
    ours = [file for file in place.state_dir.rglob("*") if file.name != "output"]
    assert {"prefect.db", "ledger.db", "worker.log", "receipts.key"} <= {f.name for f in ours}
    assert [file for file in ours if is_open(file) and "elsewhere" not in file.parts] == []

    # The sample is gone with the stack, so nothing may be taken for failing.
    code, said = place.run("run", "sequential-workflow")
    assert code == 1
    assert "No business is configured" in said
    assert "./orchestrator up" in said
