"""What coordination costs: our three-agent workflows against a bare Prefect flow of three tasks.

All steps do nothing, so that only coordination is timed: the message, attempts and reply of every
call in the ledger, durable before the run completes. The flows alternate in one run against one
Prefect server of the benchmark's own (SQLite), and medians are compared.

    python -m benchmarks.coordination [--json] [--rounds 30] [--ledger URL]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from benchmarks.output import show

Flow = Callable[[], Awaitable[float]]


@contextmanager
def prefect_server(home: Path) -> Iterator[None]:
    """A Prefect server on SQLite for this process alone, ready when entered."""
    import socket

    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {
        "ORCHESTRATOR_STATE_DIR": str(home),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_LOGGING_LEVEL": "WARNING",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "deployments.stack.prefect_server", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/api/ready").is_success:
                    break
            except httpx.TransportError:
                sleep(0.2)
        yield
    finally:
        server.terminate()
        server.wait()


def compared_flows(ledger_url: str | None) -> dict[str, Flow]:
    """The flows to compare; each returns the milliseconds spent in its body."""
    if ledger_url:
        os.environ["ORCHESTRATOR_LEDGER_URL"] = ledger_url
    # Imported here: the server's address must stand in the environment first.
    from prefect import flow, task

    from agents.capability import ActionPolicy
    from agents.registry import ActionSpec, AgentSpec, Registry
    from flows.orchestrator.team.opening import workflow_run

    async def nothing() -> None:
        """Do nothing."""

    names = ["integration-specialist", "data-intelligence", "sre-reliability"]
    team = Registry(
        {name: AgentSpec(name, name, "") for name in names},
        [ActionSpec(name, "idle", "nothing", nothing, ActionPolicy()) for name in names],
    )

    first, second, third = (task(name=name, persist_result=False)(nothing) for name in names)

    @flow
    async def bare() -> float:
        began = perf_counter()
        await first()
        await second()
        await third()
        return (perf_counter() - began) * 1000

    @flow
    async def bare_parallel() -> float:
        began = perf_counter()
        await asyncio.gather(first(), second(), third())
        return (perf_counter() - began) * 1000

    @flow
    async def sequential() -> float:
        began = perf_counter()
        async with workflow_run("sequential-workflow", with_business=False, agents=team) as run:
            for name in names:
                await run.ask(name, "nothing")
        return (perf_counter() - began) * 1000

    @flow
    async def parallel() -> float:
        began = perf_counter()
        async with workflow_run("parallel-workflow", with_business=False, agents=team) as run:
            await asyncio.gather(*(run.ask(name, "nothing") for name in names))
        return (perf_counter() - began) * 1000

    return {
        "bare": bare,
        "bare_parallel": bare_parallel,
        "sequential": sequential,
        "parallel": parallel,
    }


async def measure(compared: dict[str, Flow], rounds: int) -> dict[str, float | str | None]:
    """Run the flows in turn, ``rounds`` times each, after two rounds of warming up."""
    body: dict[str, list[float]] = {name: [] for name in compared}
    whole: dict[str, list[float]] = {name: [] for name in compared}
    for turn in range(rounds + 2):
        for name, run in compared.items():
            began = perf_counter()
            inside = await run()
            if turn >= 2:
                body[name].append(inside)
                whole[name].append((perf_counter() - began) * 1000)
    bodies = {name: median(values) for name, values in body.items()}
    runs = {name: median(values) for name, values in whole.items()}
    return {
        "bare_ms": bodies["bare"],
        "bare_parallel_ms": bodies["bare_parallel"],
        "sequential_ms": bodies["sequential"],
        "parallel_ms": bodies["parallel"],
        "added_sequential_ms": bodies["sequential"] - bodies["bare"],
        "added_over_bare": (bodies["sequential"] - bodies["bare"]) / bodies["bare"],
        "added_parallel_ms": bodies["parallel"] - bodies["bare"],
        "bare_run_ms": runs["bare"],
        "sequential_run_ms": runs["sequential"],
        "parallel_run_ms": runs["parallel"],
        "run_ratio": runs["sequential"] / runs["bare"],
        "parallel_run_ratio": runs["parallel"] / runs["bare"],
        "rounds": float(rounds),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--ledger", help="SQLAlchemy URL; a fresh SQLite file by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder)):
        figures = asyncio.run(measure(compared_flows(options.ledger), options.rounds))
    show("Coordination of three agent calls (medians)", figures, as_json=options.json)


if __name__ == "__main__":
    main()
