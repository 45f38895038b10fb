"""Reading somebody else's SQL database: read-only, within a deadline, with plain errors."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL

from blocks.errors import (
    ConfigurationError,
    OrchestratorError,
    SourceGarbled,
    SourceRefused,
    SourceTimeout,
    SourceUnavailable,
)

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
}
_REFUSED = (
    "password authentication",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "access denied",
    "does not exist",
    "unknown database",
)
_TOO_LATE = ("timeout", "timed out", "interrupted", "max_statement_time", "maximum statement")


def parse_url(url: str, base: Path | None = None) -> URL:
    """Read a database URL, choosing the driver that is installed and an absolute SQLite path.

    Args:
        url: ``sqlite:///shop.db``, ``postgresql://user:password@host/db``, ``mysql://…``.
        base: Folder that a relative SQLite path starts from; the working directory if None.

    Raises:
        ConfigurationError: Not a URL, or not one of these databases. The text shows no secret.
    """
    try:
        parsed = sa.make_url(url)
        driver = _DRIVERS[parsed.drivername.partition("+")[0]]
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "The store's url is not a database URL.",
            hint="Write it as postgresql://user:password@host:5432/database or sqlite:///file.db; "
            "special characters in a password are written as %40 for @ and so on.",
        ) from None
    except KeyError:
        raise ConfigurationError(
            f"Databases of type {parsed.drivername!r} are not supported.",
            hint="Use sqlite, postgresql, mysql or mariadb.",
        ) from None
    parsed = parsed.set(drivername=driver)
    if driver != "sqlite":
        return parsed
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(
            "The store's url names no file.", hint="Write it as sqlite:///folder/file.db."
        )
    try:
        path = (base or Path.cwd()) / Path(parsed.database).expanduser()
    except RuntimeError:
        raise ConfigurationError(
            f"The store's url names the home of an unknown user: {parsed.database}.",
            hint="Write the whole path: sqlite:////folder/file.db.",
        ) from None
    return sa.URL.create("sqlite", database=str(path))


def describe(url: URL) -> str:
    """The database as it may be shown: no user, no password, no query."""
    if url.drivername == "sqlite":
        return f"sqlite file {url.database}"
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


@contextmanager
def reading(url: URL, seconds: float) -> Iterator[sa.Connection]:
    """A read-only transaction on one consistent state of the database.

    When ``seconds`` are over, whatever the connection is doing ends with SourceTimeout: the
    server is told to stop at about that time, and our side hangs up, for servers that went silent.

    Raises:
        SourceTimeout: Not done within ``seconds``.
        SourceRefused: Wrong password, unknown database, missing rights.
        SourceGarbled: The file is no database, or damaged.
        SourceUnavailable: Not reachable, locked, gone.
    """
    deadline = time.monotonic() + seconds
    try:
        with _connected(url, seconds) as connection, _watched(connection, deadline):
            _begin_reading(connection, deadline)
            yield connection
    except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise explain(error, url, seconds, time.monotonic() >= deadline) from None


def explain(error: Exception, url: URL, seconds: float, expired: bool = False) -> OrchestratorError:
    """A driver's error in our terms, without the statement, its parameters, or the password."""
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
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
        return _timeout(url, seconds)
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
def _connected(url: URL, seconds: float) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool, **_connect_options(url, seconds))
    try:
        connection = engine.connect()
    except (TypeError, ValueError):  # the drivers' answer to an option they do not know
        raise ConfigurationError(
            f"The store's url has an option that the driver does not know ({describe(url)}).",
            hint="Remove what follows the question mark.",
        ) from None
    try:
        yield connection
    finally:
        with suppress(exc.SQLAlchemyError, sqlite3.Error, OSError):  # it may be hung up already
            connection.close()
        engine.dispose()


def _connect_options(url: URL, seconds: float) -> dict[str, Any]:
    patience = max(1, round(seconds))
    match url.get_backend_name():
        case "sqlite":
            uri = f"file:{quote(url.database or '')}?mode=ro"
            return {"creator": lambda: sqlite3.connect(uri, uri=True, timeout=min(5.0, seconds))}
        case "postgresql":
            limits = {"connect_timeout": max(2, patience)}
        case _:
            limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), patience)
    return {"connect_args": limits, "isolation_level": "REPEATABLE READ"}


def _begin_reading(connection: sa.Connection, deadline: float) -> None:
    left = max(0.1, deadline - time.monotonic())
    match connection.dialect.name:
        case "sqlite":
            connection.exec_driver_sql("BEGIN")
        case "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(left * 1000)}")
        case _:
            limit = (
                f"max_statement_time = {left:.3f}"
                if getattr(connection.dialect, "is_mariadb", False)
                else f"max_execution_time = {int(left * 1000)}"
            )
            connection.exec_driver_sql(f"SET SESSION {limit}")
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


@contextmanager
def _watched(connection: sa.Connection, deadline: float) -> Iterator[None]:
    """End whatever the connection does once the deadline has passed."""
    raw: Any = connection.connection.dbapi_connection
    if isinstance(raw, sqlite3.Connection):
        raw.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        yield
        return
    watchdog = threading.Timer(max(0.1, deadline - time.monotonic()), _hang_up, (raw,))
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _hang_up(raw: Any) -> None:
    """Shut the socket down, from another thread; the waiting driver then fails."""
    with suppress(OSError, AttributeError):  # closed meanwhile: nothing waits any more
        number = raw.fileno() if hasattr(raw, "fileno") else raw._sock.fileno()
        with socket.socket(fileno=os.dup(number)) as line:
            line.shutdown(socket.SHUT_RDWR)


def _timeout(url: URL, seconds: float) -> SourceTimeout:
    return SourceTimeout(
        f"The store's database did not finish within {seconds:g} s ({describe(url)}).",
        hint="Raise statement_timeout, lower history_days, or index the date column.",
    )
