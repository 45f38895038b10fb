"""Computing in a process of its own, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from blocks.errors import EmptySource
from blocks.machine.computing import compute
from blocks.settings import PROJECT_ROOT
from tests.waiting import wait_until


def burn(file: Path) -> None:
    """Say who this is, and go on for ever."""
    file.with_suffix(".new").write_text(str(os.getpid()))
    file.with_suffix(".new").rename(file)
    while True:
        pass


def lack(what: str) -> None:
    raise EmptySource(f"There is no {what}.", hint="Wait.")


def told(file: Path) -> int:
    """The process's number, as soon as it has said it."""
    wait_until(file.exists, "the computation")
    return int(file.read_text())


async def test_a_result_comes_back_from_another_process():
    assert await compute(os.getppid) == os.getpid()
    whole = await compute(bytes, 3_000_000)
    assert len(whole) == 3_000_000, "more than a pipe holds"


async def test_an_error_comes_back_as_it_was_raised_and_says_where():
    with pytest.raises(EmptySource) as caught:
        await compute(lack, "trading day")
    assert (caught.value.what, caught.value.hint) == ("There is no trading day.", "Wait.")
    assert "in lack" in caught.value.__notes__[0]


async def test_who_stops_waiting_ends_it(tmp_path):
    computing = asyncio.create_task(compute(burn, tmp_path / "pid"))
    pid = await asyncio.to_thread(told, tmp_path / "pid")
    assert psutil.Process(pid).ppid() == os.getpid()
    computing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await computing
    assert not psutil.pid_exists(pid), "not even a zombie is left"


async def test_one_that_is_killed_is_an_error(tmp_path):
    computing = asyncio.create_task(compute(burn, tmp_path / "pid"))
    os.kill(await asyncio.to_thread(told, tmp_path / "pid"), signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"burn.* ended with -9, without a result"):
        await computing


def test_it_does_not_outlive_who_waits_for_it(tmp_path):
    code = "import asyncio, sys; from pathlib import Path;"
    code += "from blocks.machine.computing import compute;"
    code += "from tests.unit.blocks.machine.test_computing import burn;"
    code += "asyncio.run(compute(burn, Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "pid")]
    with subprocess.Popen(command, cwd=PROJECT_ROOT) as process:
        computing = psutil.Process(told(tmp_path / "pid"))
        process.kill()
    ends = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}  # not every first process buries orphans
    wait_until(lambda: not computing.is_running() or computing.status() in ends, "its end")
