"""Reading somebody else's SQL database: read-only, within a deadline, with plain errors."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL

from blocks.egress import Reach
from blocks.errors import (
    ContractViolation,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)
from blocks.store.connection import CONNECT_SECONDS, GARBLED, hung_up_after, open_connection
from blocks.store.url import describe, parse_url

__all__ = ["clock_skew", "describe", "explain", "fetch", "own_fault", "parse_url", "reading"]

_REFUSED = (
    "password authentication",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "access denied",
    "does not exist",
    "unknown database",
)
GRACE_SECONDS = 5.0
"""After a statement's deadline, the database has so long to end it before we hang up."""

_TOO_LATE = ("timeout", "timed out", "interrupted", "max_statement_time", "maximum statement")


@contextmanager
def reading(url: URL, seconds: float, reach: Reach | None = None) -> Iterator[sa.Connection]:
    """A read-only transaction on one consistent state of the database.

    When ``seconds`` are over, whatever the connection is doing ends with SourceTimeout: the
    server is told to stop at about that time, and our side hangs up, for servers that went silent.

    Args:
        url: As ``parse_url`` gives it.
        seconds: For everything; connecting has at most CONNECT_SECONDS of them.
        reach: Which internal hosts and files may be read; those of the settings alone if None.

    Raises:
        ConfigurationError: The host or the file may not be reached; see blocks.egress.
        SourceTimeout: Not done within ``seconds``.
        SourceRefused: Wrong password, unknown database, missing rights.
        SourceGarbled: The file is no database, or damaged; or the server speaks something else.
        SourceUnavailable: Not reachable, locked, gone.
    """
    deadline = time.monotonic() + seconds
    try:
        with _connected(url, deadline, reach or Reach()) as connection:
            _begin_reading(connection, deadline)
            yield connection
    except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise explain(error, url, seconds, time.monotonic() >= deadline) from None


def fetch(connection: sa.Connection, select: sa.Select[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement; the transaction goes on when the database refuses it.

    Raises:
        ContractViolation: The database cannot do what the statement asks; says why.
        SQLAlchemyError: It cannot be read at all; see ``reading``.
    """
    with own_fault(connection):
        return [tuple(map(_plain, row)) for row in connection.execute(select)]


@contextmanager
def in_binary(connection: sa.Connection) -> Iterator[None]:
    """Have PostgreSQL tell what is asked within in its binary format, which is read twice as fast.

    For dates, text, whole and floating-point numbers: what else there is may read otherwise.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    raw: Any = connection.connection.dbapi_connection
    usual = raw.cursor_factory

    def made(*args: Any, **kwargs: Any) -> Any:
        cursor = usual(*args, **kwargs)
        cursor.format = 1  # psycopg.pq.Format.BINARY
        return cursor

    raw.cursor_factory = made
    try:
        yield
    finally:
        raw.cursor_factory = usual


@contextmanager
def limited(connection: sa.Connection, url: URL, seconds: float) -> Iterator[None]:
    """A deadline of its own for what is asked within; the transaction outlives it.

    Only a server that does not even end the statement costs the connection, some seconds later.

    Raises:
        SourceTimeout: Not done within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    _limit(connection, deadline)
    try:
        with hung_up_after(connection.connection.dbapi_connection, deadline + GRACE_SECONDS):
            yield
    except exc.DBAPIError as error:
        if time.monotonic() < deadline and not _says(error, _TOO_LATE):
            raise
        raise timed_out(url, seconds) from None


@contextmanager
def own_fault(connection: sa.Connection) -> Iterator[None]:
    """What is asked here costs only itself when the database refuses it; the reading goes on.

    Raises:
        ContractViolation: The database cannot do what is asked; says why.
        SQLAlchemyError: It cannot be read at all; see ``reading``.
    """
    try:
        with connection.begin_nested():
            yield
    except exc.DBAPIError as error:
        if not _is_about_this(error):
            raise
        reason = " ".join(str(error.orig).split())[:200]
        raise ContractViolation(
            f"the database refuses to read it as it is mapped: {reason}.",
            hint="Compare the types of the columns in joins, where and expressions.",
        ) from None


def _is_about_this(error: exc.DBAPIError) -> bool:
    """Whether a statement is at fault, or the object that it reads, and not the database."""
    words = _words(error).lower()
    if isinstance(error, exc.ProgrammingError | exc.DataError | exc.NotSupportedError):
        return True
    return any(sign in words for sign in _OBJECT_AT_FAULT)


_OBJECT_AT_FAULT = (
    "denied",
    "no such table",  # a view over what is gone (SQLite; MySQL says 1356, or 1449 of its definer)
    "no such column",
    "references invalid table",
    "specified as a definer",
    "could not decode to utf-8",
    "malformed json",
    "integer overflow",
)


def _plain(cell: Any) -> Any:
    """Bytes as hexadecimal digits: keys that are kept so are compared, and shown."""
    return bytes(cell).hex() if isinstance(cell, bytes | bytearray | memoryview) else cell


def explain(error: Exception, url: URL, seconds: float, expired: bool = False) -> OrchestratorError:
    """A driver's error in our terms, without the statement, its parameters, or the password."""
    reason = _words(error)
    lower = reason.lower()  # judged as it was said: the password may be the word "password"
    if url.password:
        reason = reason.replace(str(url.password), "***")
    reason = reason[:200]
    where = describe(url)
    if url.drivername == "sqlite" and "locked" in lower:
        return SourceUnavailable(
            f"The store's database is locked by another program ({where}).",
            hint="Let the other program finish its transaction.",
        )
    if expired or any(sign in lower for sign in _TOO_LATE):
        return timed_out(url, seconds)
    if any(sign in lower for sign in _REFUSED):
        return SourceRefused(
            f"The store's database refused us ({where}: {reason}).",
            hint="Check the user, password, database name and rights in the store's url.",
        )
    if "not a database" in lower or "malformed" in lower:
        return SourceGarbled(f"The store's database is damaged ({where}: {reason}).")
    if url.drivername == "sqlite" and not Path(url.database or "").is_file():
        return SourceUnavailable(
            f"The store's database is gone: there is no {where}.", hint="Check the store's url."
        )
    return SourceUnavailable(
        f"The store's database cannot be read ({where}: {reason}).",
        hint="Is it running, and is the address right?",
    )


def _words(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _says(error: Exception, signs: tuple[str, ...]) -> bool:
    return any(sign in _words(error).lower() for sign in signs)


def clock_skew(connection: sa.Connection) -> float | None:
    """The server's clock minus ours, in seconds; None for a file, which has no clock."""
    now = {
        "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
        "mysql": "SELECT unix_timestamp(now(6))",
        "mariadb": "SELECT unix_timestamp(now(6))",
    }.get(connection.dialect.name)
    if now is None:
        return None
    before = time.time()
    theirs = float(connection.exec_driver_sql(now).scalar_one())
    return theirs - (before + time.time()) / 2


@contextmanager
def _connected(url: URL, deadline: float, reach: Reach) -> Iterator[sa.Connection]:
    connecting = min(deadline, time.monotonic() + CONNECT_SECONDS)
    with ExitStack() as closing, ExitStack() as letting_in:

        def connect() -> Any:
            raw = open_connection(url, connecting, reach)
            # SQLAlchemy has questions of its own before it hands out a connection.
            letting_in.enter_context(hung_up_after(raw, connecting))
            return raw

        # Nothing of the URL reaches the driver but what open_connection takes out of it.
        levels = {} if url.drivername == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        engine = sa.create_engine(
            f"{url.drivername}://", creator=connect, poolclass=sa.NullPool, **levels
        )
        closing.callback(engine.dispose)
        try:
            connection = engine.connect()
        except GARBLED:
            raise SourceGarbled(
                f"What answers at {describe(url)} is no such database.",
                hint="Check the address and port in the store's url.",
            ) from None
        except (exc.SQLAlchemyError, OSError) as error:
            late = time.monotonic() >= connecting or _says(error, _TOO_LATE)
            if late and connecting < deadline and url.drivername != "sqlite":
                raise _never_let_in(url) from None
            raise
        letting_in.close()
        closing.callback(_close, connection)
        closing.enter_context(hung_up_after(connection.connection.dbapi_connection, deadline))
        yield connection


def _close(connection: sa.Connection) -> None:
    with suppress(exc.SQLAlchemyError, sqlite3.Error, OSError):  # it may be hung up already
        connection.close()


def _begin_reading(connection: sa.Connection, deadline: float) -> None:
    match connection.dialect.name:
        case "sqlite":
            _limit(connection, deadline)
            connection.exec_driver_sql("BEGIN")
        case "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            _limit(connection, deadline)
        case _:
            _limit(connection, deadline)
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def _limit(connection: sa.Connection, deadline: float) -> None:
    """Have the database itself end what takes longer."""
    left = max(0.1, deadline - time.monotonic())
    match connection.dialect.name:
        case "sqlite":
            raw: Any = connection.connection.dbapi_connection
            raw.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        case "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(left * 1000)}")
        case _ if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {left:.3f}")
        case _:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(left * 1000)}")


def timed_out(url: URL, seconds: float) -> SourceTimeout:
    """That a statement, or all of a reading, took too long."""
    return SourceTimeout(
        f"The store's database did not finish within {seconds:g} s ({describe(url)}).",
        hint="Raise statement_timeout, lower history_days, or index the date column.",
    )


def _never_let_in(url: URL) -> SourceTimeout:
    return SourceTimeout(
        f"The store's database did not let us in within {CONNECT_SECONDS:g} s ({describe(url)}).",
        hint="Is it this kind of database that listens there, and is the address right?",
    )
