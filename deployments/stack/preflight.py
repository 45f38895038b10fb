"""What must be true before the embedded stack starts, each with the way out when it is not."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from blocks.errors import ConfigurationError, StackError
from blocks.ledger.engine.integrity import Soundness, check_file
from blocks.machine.state_folder import close_state_folder
from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings

_LOCK = 10.0  # seconds that a server may hold its database for, while it writes much

LITTLE_SPACE = 500 * 1024**2
"""Bytes: Prefect's database and logs of a first day fit, and not much else."""


@contextmanager
def state_folder(settings: Settings) -> Iterator[Path]:
    """The state folder, held by this process alone while the context is open.

    Raises:
        ConfigurationError: It cannot be made or written, or its disk is almost full.
        StackError: Another ``up`` holds it.
    """
    folder = settings.state_dir
    try:
        close_state_folder(folder)
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
        lock = (folder / "stack.lock").open("a")
    except OSError as error:
        raise ConfigurationError(
            f"The state folder {folder} cannot be written: {error.strerror}.",
            hint="Set ORCHESTRATOR_STATE_DIR to a folder that you may write.",
        ) from None
    with lock:
        check_space(folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = RunningStack.find(folder)
            who = f"process {other.pid}, Prefect at {other.api_url}" if other else "it is starting"
            raise StackError(
                f"Another ./orchestrator up runs on {folder} ({who}).",
                hint="Use that one, stop it with Ctrl-C, or set ORCHESTRATOR_STATE_DIR to "
                "another folder.",
            ) from None
        yield folder


def check_space(folder: Path) -> int:
    """The bytes that are free for a folder.

    Raises:
        ConfigurationError: They are so few that databases would soon fail to write.
    """
    free = shutil.disk_usage(folder).free
    if free < LITTLE_SPACE:
        raise ConfigurationError(
            f"Only {free / 1024**2:.0f} MB are free for {folder}; "
            f"{LITTLE_SPACE / 1024**2:.0f} MB are needed.",
            hint="Make room on that disk, or set ORCHESTRATOR_STATE_DIR to a folder elsewhere.",
        )
    return free


def check_prefect_database(settings: Settings) -> bool:
    """Prefect's SQLite file, if it is there: readable, and not newer than our Prefect.

    A migration that was interrupted is no error: each step is one transaction, and the server
    goes on where it stopped.

    Returns:
        Whether the server is going to migrate it (or make it).

    Raises:
        StackError: Written by a newer Prefect, half-made, or not a database.
    """
    file = prefect_database(settings)
    if file is None or not file.exists() or file.stat().st_size == 0:
        return file is not None
    aside = _aside(file)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
            tables = {
                name for (name,) in database.execute("SELECT name FROM sqlite_master").fetchall()
            }
            revision: str | None = None
            if "alembic_version" in tables:
                row = database.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = row[0] if row else None
    except sqlite3.DatabaseError as error:
        raise StackError(f"Prefect's database {file} is unreadable: {error}.", hint=aside) from None
    if revision is None:
        if tables - {"alembic_version"}:
            raise StackError(
                f"Prefect's database {file} is half-made: it has tables and no version.", hint=aside
            )
        return True
    known, newest = _revisions()
    if revision not in known:
        raise StackError(
            f"Prefect's database {file} was written by a newer Prefect (revision {revision}).",
            hint=f"Install that Prefect again, or: {aside[0].lower()}{aside[1:]}",
        )
    return revision != newest


def examine_prefect_database(settings: Settings, seconds: float) -> Soundness | None:
    """Look whether Prefect's SQLite file is sound and may be written; it is left as it is.

    Args:
        settings: Where it is.
        seconds: How long that may take.

    Returns:
        What was found; None when there is no such file.

    Raises:
        StackError: It is damaged, locked or cannot be written.
    """
    file = prefect_database(settings)
    if file is None or not file.exists() or file.stat().st_size == 0:
        return None
    try:
        found = check_file(file, seconds)
        uri = f"file:{quote(str(file))}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_LOCK)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            lock.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StackError(
            f"Prefect's database {file} cannot be written: {error}.",
            hint="Check the file, its disk, and who else has it open.",
        ) from None
    if found.faults:
        raise StackError(
            f"Prefect's database {file} is damaged: {'; '.join(found.faults)}.", hint=_aside(file)
        )
    return found


def _aside(file: Path) -> str:
    return (
        f"Move it aside (mv {file} {file}.old) and run ./orchestrator up again: Prefect's history "
        "starts anew, the ledger is a different file and keeps everything."
    )


def back_up_prefect_database(settings: Settings) -> Path | None:
    """Copy Prefect's database before it is migrated; None when there is none yet."""
    file = prefect_database(settings)
    if file is None or not file.exists():
        return None
    copy = file.with_name(f"{file.name}.before-migration")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def prefect_database(settings: Settings) -> Path | None:
    """Prefect's SQLite file; None when it is configured to be elsewhere."""
    if settings.prefect_database_url or os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        return None
    return Path(os.environ.get("PREFECT_HOME", settings.state_dir / "prefect")) / "prefect.db"


def _revisions() -> tuple[set[str], str]:
    """The SQLite revisions that the installed Prefect knows, and the newest of them.

    Read from the text of its migrations: importing them would import Prefect's server (2 s).
    """
    spec = find_spec("prefect")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "server/database/_migrations/versions/sqlite"
    text = "\n".join(file.read_text() for file in folder.glob("*.py"))
    known = set(re.findall(r'^revision = "(\w+)"', text, re.MULTILINE))
    before = set(re.findall(r'^down_revision = "(\w+)"', text, re.MULTILINE))
    (newest,) = known - before
    return known, newest
