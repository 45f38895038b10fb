"""Whether what a database holds can still be read: a look at its structure, within a time."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from blocks.ledger.engine.patience import tells_of_damage
from blocks.ledger.engine.tables import METADATA

_MOST_FAULTS = 3
_STEPS = 20_000  # of SQLite's, between two looks at the clock
_NEWEST = 100  # rows of each table that are read on a server, which checks its pages itself


@dataclass(frozen=True)
class Soundness:
    """What a look at a database found.

    Attributes:
        faults: What is damaged, in words; empty when nothing that was looked at is.
        whole: Whether there was time to look at all of it.
    """

    faults: list[str]
    whole: bool = True


def check_file(path: Path, seconds: float) -> Soundness:
    """Look at the structure of a SQLite file (``PRAGMA quick_check``); writes nothing.

    Args:
        path: The file.
        seconds: How long it may take: it reads all of it.

    Raises:
        sqlite3.Error: It cannot be opened or is locked.
    """
    until = time.monotonic() + seconds
    uri = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=seconds)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            found = connection.execute(f"PRAGMA quick_check({_MOST_FAULTS})").fetchall()
        except sqlite3.DatabaseError as error:
            if tells_of_damage(error):
                return Soundness([str(error)])
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return Soundness([], whole=False)
            raise
    # It tells where first ("*** in database main ***"), then what.
    return Soundness([text.splitlines()[-1] for (text,) in found if text != "ok"])


def check_server(engine: Engine) -> Soundness:
    """Read the newest rows of each of the ledger's tables.

    Raises:
        DBAPIError: The server is not there, or refuses.
    """
    faults = []
    with engine.connect() as connection:
        for table in METADATA.sorted_tables:
            newest = [column.desc() for column in table.primary_key]
            try:
                connection.execute(select(table).order_by(*newest).limit(_NEWEST)).all()
            except DBAPIError as error:
                if not tells_of_damage(error):
                    raise
                faults.append(f"{table.name}: {error.orig}")
                connection.rollback()
    return Soundness(faults)
