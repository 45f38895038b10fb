"""Which Prefect server a process finds, in processes of their own: settings are read at import."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.errors import ConfigurationError
from blocks.prefect_api.env import RunningStack, client_environment, server_secrets
from blocks.settings import PROJECT_ROOT, Settings

# Prefect first, then ours: the order that a user's own script may well have.
SCRIPT = """
import sys
if sys.argv[1] == "prefect first":
    import prefect
from blocks.prefect_api.env import use_embedded_prefect
use_embedded_prefect()
import json
from prefect.settings import get_current_settings
settings = get_current_settings()
print(json.dumps({
    "api": settings.api.url, "home": str(settings.home), "serializer":
    settings.results.default_serializer, "analytics": settings.server.analytics_enabled,
}))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    """A loopback port that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def announce(state_dir: Path, port: int, *, pid: int | None = None) -> RunningStack:
    stack = RunningStack(
        pid or os.getpid(), "id", "http://127.0.0.1:4999/api", port, "token", ("worker", "shop")
    )
    stack.announce(state_dir)
    return stack


def settings_in_a_process(order: str, state_dir: Path, **environment: str) -> dict[str, object]:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, order],
        cwd=PROJECT_ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(state_dir), **environment}
        | {"ORCHESTRATOR_STATE_DIR": str(state_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("order", ["ours first", "prefect first"])
def test_a_running_stack_is_found(order: str, tmp_path: Path, listening: int) -> None:
    announce(tmp_path, listening)
    assert settings_in_a_process(order, tmp_path) == {
        "api": "http://127.0.0.1:4999/api",
        "home": str(tmp_path / "prefect"),
        "serializer": "json",
        "analytics": False,
    }


def test_what_the_user_chose_is_kept(tmp_path: Path, listening: int) -> None:
    announce(tmp_path, listening)
    found = settings_in_a_process(
        "ours first",
        tmp_path,
        PREFECT_API_URL="http://elsewhere/api",
        PREFECT_RESULTS_DEFAULT_SERIALIZER="pickle",
    )
    assert (found["api"], found["serializer"]) == ("http://elsewhere/api", "pickle")


def test_without_a_stack_no_server_is_named(tmp_path: Path) -> None:
    assert settings_in_a_process("ours first", tmp_path)["api"] is None


def test_the_remains_of_a_stack_are_no_stack(tmp_path: Path, listening: int) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    announce(tmp_path, listening, pid=ended.pid)
    assert RunningStack.find(tmp_path) is None, "its process is gone"
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = int(server.getsockname()[1])
    announce(tmp_path, closed)
    assert RunningStack.find(tmp_path) is None, "another process has its number"
    stack = announce(tmp_path, listening)
    assert RunningStack.find(tmp_path) == stack


@pytest.mark.parametrize("text", ["", "null", "{}", '{"pid": 1, "processes": []}', "\x00"])
def test_a_damaged_announcement_is_no_stack(tmp_path: Path, text: str) -> None:
    RunningStack.path(tmp_path).write_text(text)
    assert RunningStack.find(tmp_path) is None


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    first = server_secrets(settings)["PREFECT_SERVER_ENCRYPTION_KEY"]
    assert server_secrets(settings)["PREFECT_SERVER_ENCRYPTION_KEY"] == first
    (key,) = [file for file in tmp_path.iterdir() if file.is_file()]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_key_stays_with_the_server(tmp_path: Path, listening: int) -> None:
    announce(tmp_path, listening)
    assert "PREFECT_SERVER_ENCRYPTION_KEY" not in client_environment(Settings(state_dir=tmp_path))


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file cannot be written: Not a directory") as told:
        server_secrets(Settings(state_dir=tmp_path / "file"))
    assert "ORCHESTRATOR_STATE_DIR" in told.value.hint
