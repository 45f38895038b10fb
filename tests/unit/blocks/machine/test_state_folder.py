"""The state folder is for one user alone, and nobody else's files are touched."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.machine.state_folder import close_state_folder, make_state_folder, open_to_others
from blocks.settings import PROJECT_ROOT


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder as earlier versions left it."""
    folder = tmp_path / "state"
    for inner in ("prefect/storage", "logs"):
        (folder / inner).mkdir(parents=True)
    for file in (
        "prefect/prefect.db",
        "prefect/storage/result",
        "logs/worker.log",
        "ledger.db-wal",
    ):
        (folder / file).touch()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def test_a_new_one_is_closed(tmp_path: Path) -> None:
    make_state_folder(tmp_path / "deep" / "state")
    assert mode(tmp_path / "deep" / "state") == 0o700


def test_an_open_one_is_closed_with_all_that_is_in_it(state: Path) -> None:
    close_state_folder(state)
    assert {mode(path) for path in (state, *state.rglob("*")) if path.is_dir()} == {0o700}
    assert {mode(path) for path in state.rglob("*") if path.is_file()} == {0o600}
    assert not open_to_others(state)


def test_what_the_owner_may_do_stays(state: Path) -> None:
    (state / "sample").mkdir()
    script = state / "sample" / "run.sh"
    script.touch()
    script.chmod(0o755)
    close_state_folder(state)
    assert mode(script) == 0o700


def test_a_folder_that_holds_more_than_ours_stays_and_only_ours_is_closed(state: Path) -> None:
    mine = state / "letter.txt"
    mine.touch()
    mine.chmod(0o644)
    close_state_folder(state)
    assert open_to_others(state)
    assert mode(mine) == 0o644
    assert mode(state / "prefect") == 0o700
    assert mode(state / "ledger.db-wal") == 0o600


def test_what_a_link_points_to_stays(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    other.chmod(0o644)
    (state / "logs" / "link").symlink_to(other)
    (state / "logs" / "gone").symlink_to(tmp_path / "nothing")
    close_state_folder(state)
    assert mode(other) == 0o644


WRITES = """
import os, subprocess, sys
os.umask(0o027)
from blocks.machine.state_folder import files_for_us_alone, usual_umask
files_for_us_alone()
open(sys.argv[1] + "/ours", "w").close()
again = "from blocks.machine.state_folder import *; files_for_us_alone(); print(usual_umask())"
print(usual_umask(), flush=True)
subprocess.run([sys.executable, "-c", again], check=True)
subprocess.run(["touch", sys.argv[1] + "/theirs"], check=True, umask=usual_umask())
"""


def test_what_we_write_is_ours_and_what_the_users_commands_write_is_as_they_expect(
    tmp_path: Path,
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WRITES, str(tmp_path)],
        cwd=PROJECT_ROOT,
        env=os.environ,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.split() == [str(0o027)] * 2
    assert mode(tmp_path / "ours") == 0o600
    assert mode(tmp_path / "theirs") == 0o640
