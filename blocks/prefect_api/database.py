"""The database of the embedded Prefect server: its size, and how often it was locked.

Of a server somewhere else nothing is known but what its API says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from prefect.settings import get_current_settings
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from blocks.prefect_api.env import RunningStack
from blocks.settings import Settings

LOCKED = "database is locked"

_BEGUN = re.compile(r"(\d\d):(\d\d):(\d\d)\.\d+ \|")  # how Prefect begins an entry of its log
_TAIL = 4 * 1024 * 1024
"""Bytes of the log's end that are read. A server whose database is locked writes much."""

_PATIENCE = 5  # seconds until PostgreSQL must answer


@dataclass(frozen=True)
class PrefectDatabase:
    """Prefect's own database.

    Attributes:
        sqlite: Whether it is an SQLite file.
        size_mb: Its size in MB (10⁶ bytes), the write-ahead log included; None when unknown.
        locked: Entries of the server's log within the window that say it was locked; None for
            PostgreSQL, and without a log.
    """

    sqlite: bool
    size_mb: float | None
    locked: int | None = None


def read_database(
    settings: Settings, now: datetime, window: timedelta = timedelta(hours=24)
) -> PrefectDatabase | None:
    """What is known of the database; None when the server is not the embedded one.

    Args:
        settings: Have the state folder and the database's address.
        now: The end of the window.
        window: How far back the log is counted; at most a day is told apart.
    """
    stack = RunningStack.find(settings.state_dir)
    url = get_current_settings().api.url
    if url is not None and (stack is None or stack.api_url != url):
        return None
    if settings.prefect_database_url is not None:
        given = settings.prefect_database_url.get_secret_value()
        if not given.startswith("sqlite"):
            return PrefectDatabase(False, _postgres_mb(given))
        file = Path(make_url(given).database or "")
    else:
        file = settings.state_dir / "prefect" / "prefect.db"
    parts = [file, file.with_name(f"{file.name}-wal")]
    size = sum(part.stat().st_size for part in parts if part.is_file())
    log = settings.state_dir / "logs" / "prefect-server.log"
    locked = count_entries(log, LOCKED, now, window) if log.is_file() else None
    return PrefectDatabase(True, size / 1e6 if size else None, locked)


def count_entries(log: Path, words: str, now: datetime, window: timedelta) -> int:
    """How many entries of a log's last hours hold some words.

    Prefect writes the time of the day before each entry, and no date. So they are read from the
    newest on, which is as old as the file's last change: a time later than the one after it is of
    the day before.

    Args:
        log: The file.
        words: What is looked for, anywhere in an entry and the lines that follow it.
        now: The end of the window.
        window: How far back entries count.
    """
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    at = datetime.fromtimestamp(log.stat().st_mtime).astimezone()
    found, told = 0, False
    for line in reversed(lines):
        told = told or words in line
        begun = _BEGUN.match(line)
        if begun is None:
            continue
        hour, minute, second = (int(part) for part in begun.groups())
        clock = time(hour, minute, second)
        day = at.date() if clock <= at.time() else at.date() - timedelta(days=1)
        at = datetime.combine(day, clock, at.tzinfo)
        if at < now - window:
            break
        found, told = found + told, False
    return found


def _postgres_mb(given: str) -> float | None:
    url = make_url(given).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"connect_timeout": _PATIENCE})
    try:
        with engine.connect() as connection:
            size = connection.execute(text("SELECT pg_database_size(current_database())"))
            return int(size.scalar_one()) / 1e6
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()
