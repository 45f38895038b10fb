"""kill -9 of runs, worker, API and Prefect server during 50 runs: each ends, none twice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from blocks.ledger import Ledger
from blocks.prefect_api.env import RunningStack
from blocks.settings import PROJECT_ROOT
from deployments.processes.watchdog import marked
from flows.orchestrator.runs.deaths import RESTARTED, life_of
from tests.integration.loopback import free_port, free_ports

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

TASKS, ALERTS, STATUSES = 32, 12, 6
VICTIMS = ("run", "api", "run", "worker", "run", "prefect-server", "run", "worker", "run", "api")
PAUSE = 6.0  # seconds between two kills: what died must be there again before it dies again
LONGEST = 240.0  # seconds after the last kill within which all must be over


@dataclass
class Kills:
    """A running stack, what is asked of it, and what is done to it."""

    folder: Path
    api: str
    prefect: str
    accepted: dict[str, str] = field(default_factory=dict)  # idempotency key to run
    said: Counter[str] = field(default_factory=Counter)

    @property
    def mark(self) -> str:
        return str(json.loads(RunningStack.path(self.folder).read_text())["id"])

    async def ask(self, client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
        """Ask as a client should: again and again with the same key, until it is accepted."""
        key = str(uuid4())
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            try:
                answer = await client.post(
                    f"{self.api}/orchestrate/{path}", json=body, headers={"Idempotency-Key": key}
                )
            except httpx.TransportError as error:
                self.said[type(error).__name__] += 1
            else:
                self.said[str(answer.status_code)] += 1
                if answer.status_code == 202:
                    self.accepted[key] = answer.json()["id"]
                    return
                assert answer.status_code in (409, 429, 500, 502, 503), answer.text
            await asyncio.sleep(0.5)
        pytest.fail(f"{path} was not accepted within two minutes")

    def victims(self, kind: str) -> list[psutil.Process]:
        stack = marked(self.mark)
        parts = {"worker": "deployments.worker", "api": "deployments.api"}
        parts["prefect-server"] = "deployments.stack.prefect_server"
        if kind in parts:
            return [p for p in stack if has(p, parts[kind])]
        forkers = {p.pid for p in stack if has(p, "deployments.worker.fork_server")}
        return [p for p in stack if p.ppid() in forkers or has(p, "prefect.engine")]

    async def kill(self, kind: str) -> None:
        """Kill one, as soon as there is one."""
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up:
            if found := self.victims(kind):
                found[0].kill()
                self.said[f"killed {kind}"] += 1
                return
            await asyncio.sleep(0.05)

    async def states(self, client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
        found = {}
        for run_id in self.accepted.values():
            answer = await client.get(f"{self.api}/orchestrate/runs/{run_id}")
            answer.raise_for_status()
            found[run_id] = answer.json()["state"]
        return found

    async def going_on(self, client: httpx.AsyncClient) -> list[str]:
        wanted = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}}
        answer = await client.post(f"{self.prefect}/flow_runs/filter", json=wanted)
        answer.raise_for_status()
        return [run["id"] for run in answer.json()]

    async def until_over(self, client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
        give_up = time.monotonic() + LONGEST
        states: dict[str, dict[str, Any]] = {}
        while True:
            try:
                states = await self.states(client)
                over = all(each["is_final"] for each in states.values())
                if over and not await self.going_on(client):
                    return states
            except httpx.HTTPError as error:
                self.said[type(error).__name__] += 1
            open_ = {run: each for run, each in states.items() if not each["is_final"]}
            assert time.monotonic() < give_up, f"{len(open_)} not over: {open_}"
            await asyncio.sleep(2)

    async def restarts(self, client: httpx.AsyncClient) -> int:
        count = 0
        for run_id in self.accepted.values():
            answer = await client.get(
                f"{self.prefect}/flow_run_states/", params={"flow_run_id": run_id}
            )
            count += sum(state["name"] == RESTARTED for state in answer.json())
        return count


def has(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.Error:
        return False


@contextmanager
def stack(folder: Path, **more: str) -> Iterator[Kills]:
    """``./orchestrator up`` on ports of its own; ready when its reports are shown."""
    prefect, api = free_port(), free_port()
    settings = {
        "ORCHESTRATOR_STATE_DIR": str(folder),
        "ORCHESTRATOR_PREFECT_PORT": str(prefect),
        "ORCHESTRATOR_SAMPLE_PORT": str(free_ports(7)),
        "ORCHESTRATOR_API_PORT": str(api),
        **more,
    }
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "200", **settings}
    output = folder / "output"
    with (
        output.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "deployments.cli", "up"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            wait(lambda: "processes are running" in output.read_text(), process, output)
            yield Kills(folder, f"http://127.0.0.1:{api}", f"http://127.0.0.1:{prefect}/api")
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
            print(output.read_text())


def wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], output: Path) -> None:
    give_up = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < give_up, output.read_text()
        time.sleep(0.5)


async def test_fifty_runs_survive_the_death_of_every_part(tmp_path: Path) -> None:
    began = time.monotonic()
    with stack(tmp_path) as kills:
        up_after = time.monotonic() - began
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            requests: list[tuple[str, dict[str, Any]]] = []
            requests += [("task", {"task_type": "inventory_sync"})] * TASKS
            requests += [("broadcast", {"title": "A drill"})] * ALERTS
            requests += [("workflow", {"workflow": "system-status"})] * STATUSES

            async def trigger() -> None:
                async with asyncio.TaskGroup() as group:
                    for number, (path, body) in enumerate(requests):
                        group.create_task(kills.ask(client, path, body))
                        await asyncio.sleep(PAUSE * len(VICTIMS) / len(requests) / 2)
                        assert number < 50

            async def kill() -> None:
                for victim in VICTIMS:
                    await asyncio.sleep(PAUSE)
                    await kills.kill(victim)

            async with asyncio.TaskGroup() as group:
                group.create_task(trigger())
                group.create_task(kill())
            killed_after = time.monotonic() - began
            states = await kills.until_over(client)
            over_after = time.monotonic() - began
            restarts = await kills.restarts(client)
        names = Counter(each["name"] for each in states.values())
        await asyncio.sleep(15)  # the reconciler closes what is left open in the ledger
        with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", migrate=False) as ledger:
            told = await what_was_done(ledger, set(kills.accepted.values()))
    print(f"up after {up_after:.0f} s, last kill {killed_after:.0f} s, over {over_after:.0f} s")
    print(f"{len(kills.accepted)} accepted, states {dict(names)}, {restarts} restarts")
    print(f"answers and kills {dict(kills.said)}")
    print(f"ledger {told}")
    assert len(kills.accepted) == len(set(kills.accepted.values())) == 50
    assert set(names) <= {"Completed", "Partial"}, states
    assert sum(v for k, v in kills.said.items() if k.startswith("killed")) == len(VICTIMS)
    # Degraded is done, too: an agent whose call was cut off stood back for another one.
    assert set(told["tasks"]) <= {"done", "degraded"}
    assert sum(told["tasks"].values()) == TASKS
    assert told["reports per run"] == {1: 50}
    assert told["messages per alert"] == {3: ALERTS}
    assert told["runs going on"] == 0


async def what_was_done(ledger: Ledger, runs: set[str]) -> dict[str, Any]:
    """What the ledger tells of the accepted runs."""
    ids = {run.replace("-", "") for run in runs}
    tasks = [task for task in await ledger.tasks.list(limit=500) if task.need_key]
    reports = Counter(
        flow_run
        for report in await ledger.latest_reports(limit=500)
        if (flow_run := life_of(report.run_id)[0]) in ids
    )
    alerts = Counter(
        life_of(call.run_id)[0]
        for call in await ledger.calls(limit=5000)
        if call.run_id and life_of(call.run_id)[0] in ids
    )
    told = {
        life_of(record.id)[0] for record in await ledger.runs(workflow="broadcast-alert", limit=500)
    }
    return {
        "tasks": dict(Counter(task.status.value for task in tasks)),
        "needs": len({task.need_key for task in tasks}),
        "reports per run": dict(Counter(reports.values())),
        "messages per alert": dict(Counter(alerts[run] for run in told & ids)),
        "runs going on": len(await ledger.runs(going_on=True, limit=100)),
    }
