"""Real servers on loopback, for tests that need one of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from secrets import randbelow
from uuid import uuid4

import httpx
import pytest
from prefect.context import refresh_global_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

from blocks.prefect_api.env import common_environment
from blocks.settings import PROJECT_ROOT, Settings, get_settings
from deployments.processes.watchdog import MARK
from tests.waiting import wait_until

# Systems give outgoing connections ports from 32768 or 49152 on. A port from there may be taken
# by any of them between the choice and the use, so tests choose below it: each process begins
# at a place of its own and never chooses the same port twice.
_PORTS = range(10240, 32768)
_candidates = cycle((*_PORTS[(start := randbelow(len(_PORTS))) :], *_PORTS[:start]))


def free_port() -> int:
    """A port that nothing listens on now."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many consecutive ports that nothing listens on now."""
    free: list[int] = []
    for port in _candidates:
        if free and port != free[-1] + 1:  # at the end of the range
            free.clear()
        try:
            with socket.create_server(("127.0.0.1", port)):
                free.append(port)
        except OSError:
            free.clear()
        if len(free) == count:
            break
    return free[0]


def leave_prefect() -> None:
    """Send what waits to be sent, and end the threads that send it to the server of now.

    While somebody listens: else this process retries for half a minute when it ends. What is
    emitted later has threads of its own, which take the server of then.
    """
    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)


@contextmanager
def run_prefect_server(home: Path, **settings: str) -> Iterator[str]:
    """A real Prefect server on the database in ``home``; yields its API's URL."""
    mark, port = uuid4().hex, free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        **common_environment(Settings()),
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_UI_API_URL": url,  # or its pages look at port 4200
        MARK: mark,
        **settings,
    }
    with subprocess.Popen(  # ends the server however this process ends
        [sys.executable, "-m", "deployments.processes.watchdog", mark],
        stdin=subprocess.PIPE,
        cwd=PROJECT_ROOT,
    ) as watchdog:
        log = (home / "server.log").open("wb")
        server = subprocess.Popen(
            [sys.executable, "-m", "deployments.stack.prefect_server", "--port", str(port)],
            env=environment,
            cwd=PROJECT_ROOT,
            stdout=log,
            stderr=log,
        )

        def answers() -> bool:
            assert server.poll() is None, (home / "server.log").read_text()
            try:
                return httpx.get(f"{url}/ready", trust_env=False, verify=False).status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(answers, "Prefect server", timeout=110)
            yield url
        finally:
            assert watchdog.stdin is not None
            watchdog.stdin.close()
            server.wait()
            log.close()


@contextmanager
def own_prefect_server(home: Path, migrated: Path) -> Iterator[str]:
    """A server that this process talks to meanwhile, whichever it talks to before and afterwards.

    Args:
        home: Empty.
        migrated: The database to begin with.
    """
    shutil.copy(migrated, home / "prefect.db")
    leave_prefect()
    with run_prefect_server(home) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", url)
        for name, value in common_environment(get_settings()).items():
            patch.setenv(name, value)
        refresh_global_settings_context()
        yield url
        leave_prefect()
    refresh_global_settings_context()
    leave_prefect()  # of what was emitted meanwhile
