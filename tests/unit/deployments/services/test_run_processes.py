"""What this machine shows of a run's process."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Pending, Running

from blocks.prefect_api.worker_names import is_here, worker_name
from deployments.services.run_processes import RunProcesses
from flows.orchestrator.runs.deaths import Process

BEGUN = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
MINUTE = timedelta(minutes=1)
OWN = -1
"""Stands for the number of this process: what is collected must not differ between processes."""


@pytest.mark.parametrize(
    ("pid", "here", "state", "seen"),
    [
        (OWN, True, Running(timestamp=BEGUN + MINUTE), Process.LIVES),
        (OWN, True, Running(timestamp=BEGUN - MINUTE), Process.GONE),  # has only the number
        (OWN, True, Pending(timestamp=BEGUN - MINUTE), Process.LIVES),
        (OWN, True, Pending(timestamp=BEGUN + MINUTE), Process.UNSEEN),  # of the last life
        (OWN, False, Running(timestamp=BEGUN + MINUTE), Process.UNSEEN),
        (2**22, True, Running(), Process.GONE),
        (2**22, True, Pending(), Process.UNSEEN),
        (2**22, False, Running(), Process.UNSEEN),
        (None, True, Running(), Process.UNSEEN),
    ],
)
def test_a_number_is_a_process_if_it_began_in_time(
    pid: int | None, here: bool, state: State[None], seen: Process
) -> None:
    number = os.getpid() if pid == OWN else pid
    assert RunProcesses().look(uuid4(), number, here, state) is seen


def test_what_prefect_started_for_a_run_is_found_without_a_number() -> None:
    run_id = uuid4()
    wait = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", wait, "prefect.engine"],
        stdin=subprocess.PIPE,
        env={**os.environ, "PREFECT__FLOW_RUN_ID": str(run_id)},
    ) as process:
        assert RunProcesses().look(run_id, None, False, Running()) is Process.LIVES
        process.kill()
    assert RunProcesses().look(run_id, None, False, Running()) is Process.UNSEEN


def test_what_a_run_started_is_not_the_run() -> None:
    run_id = uuid4()
    with subprocess.Popen(
        ["sleep", "60"], env={**os.environ, "PREFECT__FLOW_RUN_ID": str(run_id)}
    ) as process:
        assert RunProcesses().look(run_id, None, False, Running()) is Process.UNSEEN
        process.kill()


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen(["true"])
    psutil.Process(process.pid)
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert RunProcesses().look(uuid4(), process.pid, True, Running()) is Process.GONE
    process.wait()


def test_a_worker_s_name_tells_its_machine() -> None:
    assert is_here(worker_name("operations"))
    assert not is_here("worker-operations@elsewhere")
    assert not is_here("ProcessWorker 1234")
    assert not is_here(None)
