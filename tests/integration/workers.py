"""The worker's process for tests, and the runs that it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from blocks.settings import PROJECT_ROOT
from deployments.processes.watchdog import MARK, marked
from tests.waiting import until


@contextmanager
def working(
    log: Path, *pools: str, project: Path = PROJECT_ROOT, mark: str = "", **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which ends with the context together with whatever it started."""
    mark = mark or uuid4().hex
    environment = {**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "1", MARK: mark, **settings}
    command = (sys.executable, "-m", "deployments.worker")
    with log.open("wb") as output:
        process = subprocess.Popen(
            # As from a script's background, where SIGINT is ignored.
            ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command, *pools],
            cwd=project,
            env=environment,
            stdout=output,
            stderr=output,
        )
    with process:
        try:
            yield process
        finally:
            for each in marked(mark):
                each.kill()


async def run_that(
    client: PrefectClient, run_id: UUID, condition: Callable[[FlowRun], bool]
) -> FlowRun:
    """The run, as soon as a condition holds."""

    async def look() -> FlowRun | None:
        run = await client.read_flow_run(run_id)
        if condition(run):
            return run
        assert run.state is not None
        assert not run.state.is_final(), run.state
        return None

    run = await until(look, f"the run {run_id}", timeout=100)
    assert run
    return run


def is_completed(run: FlowRun) -> bool:
    """Whether it ended well."""
    return run.state is not None and run.state.is_completed()


def is_running(run: FlowRun) -> bool:
    """Whether it runs."""
    return run.state is not None and run.state.is_running()
