"""Connects to the ledger's database, SQLite or PostgreSQL, and says plainly why it cannot."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InvalidRequestError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from blocks.errors import ConfigurationError, LedgerDamaged, LedgerUnavailable
from blocks.ledger.engine.patience import tells_of_damage

_CHECK_HINT = "Check that it runs and that ORCHESTRATOR_LEDGER_URL is right."


@dataclass(frozen=True)
class Database:
    """A database that the ledger lives in.

    Attributes:
        engine: For reading; transactions begin deferred.
        writing: The same pool, for writing; on SQLite transactions take the write lock at once,
            so that they wait for it instead of failing half-way.
        noting: The same, for what is of no use after a power cut: its commits wait for no disk.
        where: The file or the server, for people; never holds a password.
        path: The file, None on a server.
        damage: What somebody came upon that is no longer as it was written, in words.
    """

    engine: Engine
    writing: Engine
    noting: Engine
    where: str
    path: Path | None
    damage: list[str] = field(default_factory=list)

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turns the driver's errors into LedgerUnavailable: ``The ledger cannot be <what>``."""
        try:
            yield
        except (DBAPIError, InvalidRequestError, PoolTimeout, sqlite3.Error) as error:
            raise self.unavailable(what, error) from None

    def unavailable(self, what: str, error: BaseException) -> LedgerUnavailable:
        """The driver's error as ours, without its traceback."""
        if tells_of_damage(error):
            self.damage[:] = [reason(error)]
            return self.damaged(reason(error))
        said = f"The ledger {self.where} cannot be {what}: {reason(error)}."
        return LedgerUnavailable(said, hint=self.hint())

    def damaged(self, how: str) -> LedgerDamaged:
        """The error of a database that no longer holds what was written."""
        said = f"The ledger {self.where} is damaged: {how}."
        if self.path is None:
            return LedgerDamaged(said, hint="See the server's log, and restore its backup.")
        return LedgerDamaged(
            said,
            hint=f"Stop the stack and put a backup in the place of {self.path}; without one, "
            f"sqlite3 {self.path} .recover | sqlite3 NEW saves what can be read.",
        )

    def hint(self) -> str:
        """What to look at when it cannot be used."""
        return f"Check the file {self.path} and its disk." if self.path else _CHECK_HINT


def reason(error: BaseException) -> str:
    """What a driver says is wrong, in one line."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return said.splitlines()[0].rstrip(".")


def connect(url: str, *, create: bool, patience: float) -> Database:
    """Prepares an engine; a SQLite file is created when it is missing and ``create`` is set.

    Args:
        url: SQLAlchemy URL.
        create: Whether a missing SQLite file may be created.
        patience: Seconds to wait for a lock or a server.

    Raises:
        ConfigurationError: The URL cannot be read, or names a database that the ledger cannot use.
        LedgerUnavailable: The file cannot be used, or its folder not be written.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError):  # its text could repeat a password
        raise ConfigurationError(
            "The ledger's URL cannot be read.",
            hint="Set ORCHESTRATOR_LEDGER_URL to sqlite:////path/ledger.db or postgresql://…",
        ) from None
    if kind == "sqlite":
        return _sqlite(parsed, create, patience)
    if kind in ("postgresql", "postgres"):
        return _postgresql(parsed, patience)
    raise ConfigurationError(
        f"The ledger cannot live in {kind!r}.",
        hint="Set ORCHESTRATOR_LEDGER_URL to a SQLite or PostgreSQL database.",
    )


def _postgresql(url: URL, patience: float) -> Database:
    where = f"postgresql://{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"
    milliseconds = int(patience * 1000)
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            json_serializer=str,  # JSON columns are given text, see blocks.ledger.calls.rows
            pool_pre_ping=True,  # a restarted server costs nobody an error
            connect_args={
                "connect_timeout": max(1, int(patience)),
                "tcp_user_timeout": milliseconds,  # a server that vanished is noticed
                "options": f"-c lock_timeout={milliseconds}",
            },
        )
    except (ArgumentError, NoSuchModuleError, TypeError, ValueError) as error:
        raise ConfigurationError(f"The ledger's URL for {where} is wrong: {error}.") from None
    noting = engine.execution_options(note=True)

    @event.listens_for(noting, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return Database(engine, engine, noting, where, None)


def _sqlite(url: URL, create: bool, patience: float) -> Database:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigurationError(
            f"The ledger needs a file, not {url.database or 'a database in memory'!r}.",
            hint="Set ORCHESTRATOR_LEDGER_URL to sqlite:////path/ledger.db.",
        )
    path = Path(url.database).absolute()
    _prepare_file(path, create)
    engine = create_engine(
        # mode=rw: a file that is removed while we run is an error, not a new empty ledger.
        URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "1"}),
        connect_args={"timeout": patience},
        poolclass=QueuePool,
        json_serializer=str,
    )
    writing = engine.execution_options(write=True)
    database = Database(engine, writing, writing.execution_options(note=True), str(path), path)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def still_there(_: object, record: ConnectionPoolEntry, __: object) -> None:
        if record.info["file"] != _identity(path):  # removed, or a backup put in its place
            raise DisconnectionError("the file is not the one that was opened")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        raw: Any = connection.connection.driver_connection
        if options.get("write"):
            # With a write-ahead log, NORMAL still survives the death of the process.
            durable = "NORMAL" if options.get("note") else "FULL"
            if connection.info.get("durable") != durable:
                raw.execute(f"PRAGMA synchronous={durable}")
                connection.info["durable"] = durable
        raw.execute("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")

    return database


def _prepare_file(path: Path, create: bool) -> None:
    """Creates a missing file for its owner only (SQLite gives its companions the same mode).

    An existing file is not opened here: closing it again would drop the locks that another
    connection of this process holds on it (see "How To Corrupt An SQLite Database File", 2.2).
    """
    hint = "Set ORCHESTRATOR_LEDGER_URL or ORCHESTRATOR_STATE_DIR to a place that can be written."
    try:
        if create and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        fault = _fault(path)
    except OSError as error:
        fault = error.strerror or str(error)
    else:
        if fault == "it does not exist":
            hint = "./orchestrator up creates it."
    if fault:
        raise LedgerUnavailable(f"The ledger {path} cannot be opened: {fault}.", hint=hint)


def _fault(path: Path) -> str:
    if path.is_dir():
        return "it is a folder"
    if not path.exists():
        return "it does not exist"
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        return "it or its folder may not be written"
    return ""


def _identity(path: Path) -> Any:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
