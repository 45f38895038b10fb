"""What keeps the stack from starting, and whether it says the way out."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from blocks.errors import ConfigurationError, StackError
from blocks.ledger.engine.integrity import Soundness
from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings
from deployments.stack.preflight import (
    back_up_prefect_database,
    check_prefect_database,
    examine_prefect_database,
    state_folder,
)

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "a"); fcntl.flock(lock, fcntl.LOCK_EX); print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PREFECT_HOME", raising=False)  # set where flows were imported
    return Settings(state_dir=tmp_path / "state")


def make_database(settings: Settings, *statements: str) -> Path:
    file = settings.state_dir / "prefect" / "prefect.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()
    return file


def test_the_folder_is_made(settings: Settings) -> None:
    with state_folder(settings) as folder:
        assert (folder / "logs").is_dir()


def test_a_disk_that_is_almost_full_is_said_before_anything_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.stack.preflight.LITTLE_SPACE", 10**18)
    with pytest.raises(ConfigurationError, match="MB are free for"), state_folder(settings):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="cannot be written") as told,
        state_folder(Settings(state_dir=tmp_path / "file")),
    ):
        pass
    assert str(tmp_path / "file") in told.value.what
    assert "ORCHESTRATOR_STATE_DIR" in told.value.hint


def test_a_second_stack_on_the_folder_is_refused_and_the_first_is_named(settings: Settings) -> None:
    with state_folder(settings) as folder:
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "stack.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder, socket.create_server(("127.0.0.1", 0)) as server:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StackError, match="it is starting"), state_folder(settings):
            pass
        port = server.getsockname()[1]
        RunningStack(os.getpid(), "x", "http://127.0.0.1:4200/api", port, "t").announce(folder)
        with pytest.raises(StackError) as told, state_folder(settings):
            pass
        holder.kill()
    assert f"process {os.getpid()}, Prefect at http://127.0.0.1:4200/api" in told.value.what
    assert "ORCHESTRATOR_STATE_DIR" in told.value.hint
    with state_folder(settings):  # a killed holder holds nothing
        pass


def test_no_database_is_fine_and_will_be_made(settings: Settings) -> None:
    assert check_prefect_database(settings)
    assert back_up_prefect_database(settings) is None


def test_a_newer_database_is_refused(settings: Settings) -> None:
    file = make_database(
        settings,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('fedcba987654')",
    )
    with pytest.raises(StackError, match=r"newer Prefect.*fedcba987654") as told:
        check_prefect_database(settings)
    assert f"mv {file}" in told.value.hint


def test_an_older_database_is_copied_before_it_is_migrated(settings: Settings) -> None:
    make_database(
        settings,
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('9725c1cbee35')",  # Prefect's first migration
        "CREATE TABLE kept (value TEXT)",
    )
    assert check_prefect_database(settings)
    copy = back_up_prefect_database(settings)
    assert copy is not None
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT count(*) FROM kept").fetchone() == (0,)


@pytest.mark.parametrize("folder", ["state", "state #1 (100%20)"])
def test_a_half_made_database_is_refused(settings: Settings, folder: str) -> None:
    settings = Settings(state_dir=settings.state_dir.with_name(folder))
    make_database(settings, "CREATE TABLE flow (id TEXT)")
    with pytest.raises(StackError, match="half-made") as told:
        check_prefect_database(settings)
    assert "Move it aside" in told.value.hint


def test_a_file_that_is_no_database_is_refused(settings: Settings) -> None:
    file = make_database(settings)
    file.write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(StackError, match="unreadable: file is not a database"):
        check_prefect_database(settings)


def test_a_database_elsewhere_is_not_ours_to_judge(tmp_path: Path) -> None:
    elsewhere = Settings(state_dir=tmp_path, prefect_database_url="postgresql+asyncpg://h/db")
    assert not check_prefect_database(elsewhere)


def test_a_sound_database_of_prefect_is_said_to_be_sound(settings: Settings) -> None:
    assert examine_prefect_database(settings, 10) is None, "there is none yet"
    make_database(settings, "CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    assert examine_prefect_database(settings, 10) == Soundness([])


def test_an_overwritten_page_of_prefect_s_database_is_found(settings: Settings) -> None:
    file = make_database(settings, "CREATE TABLE runs (id INTEGER PRIMARY KEY)")
    with file.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * 4096)
    with pytest.raises(StackError, match="is damaged") as caught:
        examine_prefect_database(settings, 10)
    assert "Move it aside" in caught.value.hint


def test_a_locked_database_of_prefect_is_said_to_take_no_writes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.stack.preflight._LOCK", 0.1)
    file = make_database(settings, "PRAGMA journal_mode=WAL", "CREATE TABLE runs (id INTEGER)")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StackError, match="cannot be written: database is locked"):
            examine_prefect_database(settings, 10)
