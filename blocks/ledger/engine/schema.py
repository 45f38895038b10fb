"""Keeps the ledger's tables at the version that this software expects.

All due migrations run in one transaction that holds a lock, on both databases: a crash leaves the
old schema, and of two processes that migrate at once the second finds the work done. A schema that
fits no version was therefore changed from outside, or restored by halves, and is never touched.

Revisions are numbered in their file names, one line of history, so that an up-to-date ledger is
recognised by two queries, without importing Alembic.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from blocks.errors import LedgerSchemaError
from blocks.ledger.engine.database import Database, reason
from blocks.ledger.engine.patience import Patience, passes
from blocks.ledger.engine.tables import METADATA

_MIGRATIONS = Path(__file__).parents[1] / "migrations"
_LOCK = 0x6C65646765720001  # names our advisory lock on PostgreSQL: "ledger", 1
_VERSION_TABLE = "alembic_version"
_ALEMBIC = threading.Lock()  # it keeps the migration that it runs in module globals
_MISSING = {"42P01", "42703"}  # PostgreSQL's undefined_table and undefined_column


@cache
def revisions() -> list[str]:
    """Every revision this software knows, oldest first."""
    return sorted(p.name.partition("_")[0] for p in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def ensure(database: Database, *, migrate: bool, patience: float) -> None:
    """Brings the schema to the newest revision, or says why that cannot be done.

    Raises:
        LedgerSchemaError: Half-migrated, newer than this software, or, without ``migrate``, older.
        LedgerUnavailable: The database cannot be reached, read or locked.
    """
    tries = Patience(patience)
    with database.explained("opened"):
        while True:
            try:
                return _bring_up_to_date(database, migrate, patience)
            except SQLAlchemyError as error:  # a server that restarts is back in a moment
                pause = tries.pause() if passes(error) else None
                if pause is None:
                    raise
            time.sleep(pause)


def _bring_up_to_date(database: Database, migrate: bool, patience: float) -> None:
    if migrate and database.path:
        _use_write_ahead_log(database, patience)
    with database.engine.connect() as connection:
        version = current(connection)
        if version != revisions()[-1]:
            _check_version(database, connection, version, migrate)
    if version != revisions()[-1]:
        _migrate(database)
    with database.engine.connect() as connection:
        _check_tables(database, connection)


def current(connection: Connection) -> str | None:
    """The revision of the schema; None when there is none."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    versions = connection.scalars(text(f"SELECT version_num FROM {_VERSION_TABLE}")).all()  # noqa: S608
    return ", ".join(sorted(versions)) or None


def _check_version(
    database: Database, connection: Connection, version: str | None, migrate: bool
) -> None:
    if version is None:
        ours = set(METADATA.tables) & set(inspect(connection).get_table_names())
        if ours:
            raise _half_migrated(
                database, f"it has the table {min(ours)!r} but no version in {_VERSION_TABLE!r}"
            )
    elif version not in revisions():
        raise LedgerSchemaError(
            f"The ledger {database.where} has schema version {version!r}; "
            f"this software knows versions up to {revisions()[-1]!r}.",
            hint="A newer release wrote it: upgrade the software, or point "
            "ORCHESTRATOR_LEDGER_URL at another database.",
        )
    if not migrate:
        raise LedgerSchemaError(
            f"The ledger {database.where} has schema version {version or 'none'!r}; "
            f"{revisions()[-1]!r} is needed.",
            hint="./orchestrator up migrates it.",
        )


def _check_tables(database: Database, connection: Connection) -> None:
    """Names every column of every table in one cheap statement that returns nothing."""
    columns = (
        f"EXISTS (SELECT {', '.join(map(str, table.columns))} FROM {table} WHERE 1 = 0)"  # noqa: S608
        for table in METADATA.sorted_tables
    )
    try:
        connection.execute(text(f"SELECT {', '.join(columns)}"))
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _MISSING or reason(error).startswith("no such"):
            raise _half_migrated(database, reason(error)) from None
        raise


def _half_migrated(database: Database, what: str) -> LedgerSchemaError:
    return LedgerSchemaError(
        f"The ledger {database.where} is half-migrated: {what}.",
        hint=f"Restore its backup, or move the file {database.path} away to start an empty ledger."
        if database.path
        else "Restore its backup, or point ORCHESTRATOR_LEDGER_URL at an empty database.",
    )


def _use_write_ahead_log(database: Database, patience: float) -> None:
    """Readers then never wait for the writer. The file remembers it.

    SQLite now and then answers "locked" at once, whatever the timeout, while others switch too.
    """
    deadline = time.monotonic() + patience
    while True:
        connection = database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")  # takes effect in a new file alone
                cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        finally:
            connection.close()
        time.sleep(0.02)


def _migrate(database: Database) -> None:
    from alembic import command  # costs half a second, and is seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with database.writing.begin() as connection:  # on SQLite this takes the write lock
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        try:
            with _ALEMBIC:
                command.upgrade(config, "head")
        except Exception as error:
            if passes(error):  # nothing is wrong with the migration
                raise
            raise LedgerSchemaError(
                f"The ledger {database.where} could not be migrated to {revisions()[-1]!r}: "
                f"{reason(error)}. It is unchanged.",
                hint="Go back to the release that wrote it, and report this.",
            ) from error
