"""The supervisor and its watchdog, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from blocks.errors import StackError
from blocks.prefect_api.env import RunningStack
from blocks.settings import PROJECT_ROOT
from deployments.processes.restart import restart, serve_restarts
from deployments.processes.supervisor import ProcessSpec, Supervisor
from deployments.processes.watchdog import marked
from tests.integration.loopback import free_port
from tests.waiting import wait_until

# Says by a file name which process it is, and serves 200s.
SERVER = """
import http.server, os, pathlib, sys
pathlib.Path(sys.argv[2], str(os.getpid())).touch()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Heard(list[str]):
    """What the supervisor said."""

    def __init__(self) -> None:
        self.more = asyncio.Event()

    def add(self, sentence: str) -> None:
        self.append(sentence)
        self.more.set()

    async def until(self, words: str) -> None:
        while not any(words in sentence for sentence in self):
            self.more.clear()
            await self.more.wait()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest_asyncio.fixture
async def supervisor(tmp_path: Path, heard: Heard) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path, heard.add, patience=0.2)
    yield supervisor
    await supervisor.stop()
    assert marked(supervisor.id) == []


@pytest.fixture
def server(tmp_path: Path) -> ProcessSpec:
    (tmp_path / "pids").mkdir()
    port = free_port()
    return ProcessSpec(
        "shop",
        (sys.executable, "-c", SERVER, str(port), str(tmp_path / "pids")),
        ready_url=f"http://127.0.0.1:{port}/",
    )


def started(tmp_path: Path) -> list[str]:
    return [file.name for file in (tmp_path / "pids").iterdir()]


async def test_a_restart_gives_a_new_process_that_answers(
    supervisor: Supervisor, server: ProcessSpec, tmp_path: Path
) -> None:
    await supervisor.start(server, keep_alive=False)
    first = started(tmp_path)
    await supervisor.restart("shop")
    assert len(started(tmp_path)) == 2
    assert not psutil.pid_exists(int(first[0]))


async def test_a_restart_brings_back_a_process_that_died(
    supervisor: Supervisor, server: ProcessSpec, tmp_path: Path, heard: Heard
) -> None:
    await supervisor.start(server, keep_alive=False)
    os.kill(int(started(tmp_path)[0]), signal.SIGKILL)
    await heard.until("shop ended with code -9")
    assert not any("started again" in said for said in heard), "it stays down until somebody asks"
    await supervisor.restart("shop")
    assert len(started(tmp_path)) == 2


async def test_a_process_to_be_kept_alive_comes_back_by_itself(
    supervisor: Supervisor, server: ProcessSpec, tmp_path: Path, heard: Heard
) -> None:
    await supervisor.start(server, keep_alive=True)
    os.kill(int(started(tmp_path)[0]), signal.SIGKILL)
    await heard.until("shop is back")
    assert len(started(tmp_path)) == 2


# Answers probes from its event loop, as long as that runs.
ECHO = """
import asyncio, os, pathlib, sys
from deployments.processes.liveness import answer_probes
async def main():
    answer_probes()
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("over", ["http", "echo"])
async def test_a_process_that_hangs_is_killed_and_started_again(
    over: str, supervisor: Supervisor, server: ProcessSpec, tmp_path: Path, heard: Heard
) -> None:
    if over == "http":
        spec = replace(server, live_url=server.ready_url)
    else:
        argv = (sys.executable, "-c", ECHO, str(tmp_path / "pids"))
        spec = ProcessSpec("shop", argv, echoes=True)

    async def begun() -> bool:
        return bool(started(tmp_path))

    await supervisor.start(spec, keep_alive=True, ready=begun)
    (first,) = started(tmp_path)
    os.kill(int(first), signal.SIGSTOP)
    await heard.until("shop is back")
    assert "shop hangs: it left 3 probes of 0.2 s unanswered" in heard[0]
    assert "shop ended with code -9; it is started again in 1 s." in heard
    assert not psutil.pid_exists(int(first))


async def test_a_process_that_ends_while_starting_is_an_error_with_its_last_words(
    supervisor: Supervisor,
) -> None:
    dying = ProcessSpec("shop", (sys.executable, "-c", "raise SystemExit('no stock')"))

    async def never() -> bool:
        return False

    with pytest.raises(StackError, match="shop ended with code 1 while starting: no stock") as told:
        await supervisor.start(dying, keep_alive=True, ready=never)
    assert "shop.log" in told.value.hint


async def test_last_words_are_those_of_this_start(supervisor: Supervisor) -> None:
    supervisor.log_of("shop").write_text("ValueError: of last week\n")
    dying = ProcessSpec("shop", (sys.executable, "-c", "raise SystemExit('no stock')"))

    async def never() -> bool:
        return False

    with pytest.raises(StackError, match="while starting: no stock"):
        await supervisor.start(dying, keep_alive=True, ready=never)


async def test_a_process_that_never_answers_is_an_error(supervisor: Supervisor) -> None:
    mute = ProcessSpec("shop", ("sleep", "60"), ready_url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(StackError, match="shop did not answer within 0 s"):
        await supervisor.start(mute, keep_alive=False, timeout=0.3)


async def test_a_program_that_is_not_there_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(StackError, match="shop cannot be started: /no/such: No such file"):
        await supervisor.start(ProcessSpec("shop", ("/no/such",)), keep_alive=False)


async def test_a_process_that_ignores_sigterm_is_ended_too(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.processes.supervisor._GRACE", 0.3)
    deaf = "import signal, time, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    deaf += "open(sys.argv[1], 'w'); time.sleep(60)"
    file = tmp_path / "deaf"

    async def is_deaf() -> bool:
        return file.exists()

    spec = ProcessSpec("shop", (sys.executable, "-c", deaf, str(file)))
    await supervisor.start(spec, keep_alive=False, ready=is_deaf)
    await supervisor.stop()
    assert marked(supervisor.id) == []


async def test_restart_requests_reach_the_supervisor(
    supervisor: Supervisor, server: ProcessSpec, tmp_path: Path
) -> None:
    await supervisor.start(server, keep_alive=False)
    control = await serve_restarts(supervisor, "token")
    stack = RunningStack(
        os.getpid(), supervisor.id, "http://x/api", control.sockets[0].getsockname()[1], "token"
    )
    stack.announce(tmp_path)
    assert RunningStack.path(tmp_path).stat().st_mode & 0o077 == 0
    await restart("shop", tmp_path)
    assert len(started(tmp_path)) == 2

    with pytest.raises(StackError, match="manages no process 'shed'") as told:
        await restart("shed", tmp_path)
    assert told.value.hint == "It manages shop."

    forged = RunningStack(stack.pid, stack.id, stack.api_url, stack.control_port, "guess")
    forged.announce(tmp_path)
    with pytest.raises(StackError, match="wrong token"):
        await restart("shop", tmp_path)
    assert len(started(tmp_path)) == 2

    control.close()
    await control.wait_closed()
    with pytest.raises(StackError, match="No stack runs"):
        await restart("shop", tmp_path)


ORPHANS = """
import asyncio, pathlib, sys
from deployments.processes.supervisor import ProcessSpec, Supervisor
PARENT = "import subprocess, sys, time;"
PARENT += "subprocess.Popen(['sleep', '60'], start_new_session=True); time.sleep(60)"
async def main():
    supervisor = Supervisor(pathlib.Path(sys.argv[1]), print)
    print(supervisor.id, flush=True)
    await supervisor.start(ProcessSpec("parent", (sys.executable, "-c", PARENT)), keep_alive=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_not_even_kill_9_leaves_a_process(tmp_path: Path) -> None:
    """The grandchild sits in a session of its own, as the runs of Prefect's worker do."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANS, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    ) as owner:
        assert owner.stdout is not None
        mark = owner.stdout.readline().strip()
        wait_until(lambda: len(marked(mark)) == 2, "child and grandchild")
        owner.kill()
    wait_until(lambda: marked(mark) == [], "all ended", timeout=15)
