"""Starting the API where it must not, or cannot, be served: what is wrong, what to do, exit 1."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from blocks.errors import ConfigurationError
from blocks.ledger import Ledger
from blocks.ledger.callers.tokens import Scope
from blocks.settings import PROJECT_ROOT
from blocks.vocabulary.messages import utc_now
from deployments.processes.listening import check_exposure
from tests.integration.deployments.api.conftest import api_settings, process_environment
from tests.integration.loopback import free_port

pytestmark = pytest.mark.slow

COMMANDS = [("deployments.cli", "api"), ("deployments.api",)]


def run(*command: str, **variables: str) -> tuple[int, str]:
    """Exit code, and what was said: the error and its hint, a line each at most."""
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT,
        env={**os.environ, "COLUMNS": "400", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    assert len(lines) <= 2, lines
    return ended.returncode, " ".join(lines)


@pytest.mark.parametrize("command", [*COMMANDS, ("deployments.cli", "up")])
def test_beyond_this_machine_a_token_comes_first(tmp_path: Path, command: tuple[str, ...]) -> None:
    settings = api_settings(tmp_path, api_host="0.0.0.0", prefect_port=free_port())
    code, line = run(*command, **process_environment(settings))
    assert code == 1
    assert "0.0.0.0, which other machines reach, and no token is valid" in line
    assert "./orchestrator token create" in line


@pytest.mark.parametrize("command", COMMANDS)
def test_a_port_that_is_taken_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    settings = api_settings(tmp_path)
    with socket.create_server(("127.0.0.1", settings.api_port)):
        code, line = run(*command, **process_environment(settings))
    assert code == 1
    assert f"Port {settings.api_port} on 127.0.0.1, for the API, cannot be used" in line
    assert "ORCHESTRATOR_API_PORT" in line


def test_a_ledger_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = api_settings(tmp_path, ledger_url=f"sqlite:///{tmp_path}/file/ledger.db")
    code, line = run("deployments.api", **process_environment(settings))
    assert code == 1
    assert f"{tmp_path}/file" in line


def test_a_token_that_is_valid_opens_it_and_an_expired_one_does_not(tmp_path: Path) -> None:
    settings, now = api_settings(tmp_path, api_host="0.0.0.0"), utc_now()
    hour = timedelta(hours=1)
    with Ledger.open(settings.effective_ledger_url) as ledger:
        create = ledger.tokens.create
        asyncio.run(create("old", [Scope.RUN], by="t", now=now - 2 * hour, expires_at=now - hour))
        with pytest.raises(ConfigurationError, match="no token is valid"):
            asyncio.run(check_exposure(settings))
        asyncio.run(create("new", [Scope.RUN], by="t", now=now))
        asyncio.run(check_exposure(settings))
