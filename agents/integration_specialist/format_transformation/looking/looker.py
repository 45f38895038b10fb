"""Small questions to somebody else's database, each within a time of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from agents.integration_specialist.format_transformation.catalogue import Table
from agents.integration_specialist.format_transformation.looking.reasons import is_late, reason_of

STATEMENT_SECONDS = 3.0
"""What one statement may take."""

TRYING_SECONDS = 5.0
"""What trying a frame may take in a SQLite file, where no single statement can be told apart."""

RESERVE = 4 * TRYING_SECONDS
"""What is kept back of the time: so that long looking leaves some for trying each frame."""

_Result = TypeVar("_Result")


class Unreadable(Exception):
    """Something in the database that cannot be looked at; says why in a few words."""


class TooSlow(Unreadable):
    """It would take too long."""


class Looker:
    """Asks a database small questions, each within STATEMENT_SECONDS.

    Args:
        connection: As ``blocks.store.sql.reading`` gives it.
        deadline: When all must be over, on ``time.monotonic``.
    """

    def __init__(self, connection: sa.Connection, deadline: float) -> None:
        self.connection = connection
        self.dialect = connection.dialect.name
        self._deadline = self._until = deadline
        self._limit_statements()

    def ask(self, statement: sa.Select[Any]) -> list[sa.Row[Any]]:
        """The rows of a statement.

        Raises:
            Unreadable: The database refuses it, cannot read it, or takes too long.
            SQLAlchemyError: The connection is gone, or the deadline over.
        """
        return self.attempt(lambda: list(self.connection.execute(statement)))

    def attempt(self, work: Callable[[], _Result]) -> _Result:
        """What a piece of work with the connection gives.

        Raises:
            Unreadable, SQLAlchemyError: As ``ask``.
        """
        if time.monotonic() >= self._deadline - RESERVE:
            raise TooSlow("there was no time left for it")
        self._until = time.monotonic() + STATEMENT_SECONDS

        def nested() -> _Result:
            with self.connection.begin_nested():
                return work()

        return self._told(nested)

    def _told(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except (exc.SQLAlchemyError, UnicodeDecodeError, ValueError, OverflowError) as error:
            if getattr(error, "connection_invalidated", False):
                raise
            kind = TooSlow if is_late(error) else Unreadable
            raise kind(reason_of(error, STATEMENT_SECONDS)) from None
        finally:
            self._until = self._deadline

    def bounded(self, work: Callable[[], _Result]) -> _Result:
        """What a piece of work gives that asks several times, each time within its bound.

        Raises:
            Unreadable, SQLAlchemyError: As ``ask``.
        """
        self._until = min(self._deadline, time.monotonic() + TRYING_SECONDS)
        return self._told(work)

    def holds(self, values: Iterable[Any], table: Table, column: str) -> float | None:
        """See Asking."""
        wanted = {value for value in values if value is not None}
        if not table.whole and column not in table.indexed:
            return None
        known = {str(row[column]) for row in self.rows_with(wanted, table, column)}
        return sum(str(value) in known for value in wanted) / len(wanted) if wanted else None

    def rows_with(self, values: Iterable[Any], table: Table, column: str) -> list[dict[str, Any]]:
        """See Asking; a column without an index is searched by the sampled rows alone."""
        wanted = set(values)
        texts = set(map(str, wanted))
        if table.whole or column not in table.indexed:
            return [row for row in table.rows if str(row[column]) in texts]
        names = list(dict.fromkeys([column, *table.primary_key]))
        asked: list[sa.ColumnElement[Any]] = [sa.column(name) for name in names]
        select = sa.select(*asked).select_from(source_of(table)).where(asked[0].in_(wanted))
        try:
            rows = self.ask(select.limit(10 * len(wanted)))
        except Unreadable:  # a text compared with numbers, for instance
            return []
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _limit_statements(self) -> None:
        milliseconds = int(STATEMENT_SECONDS * 1000)
        match self.dialect:
            case "sqlite":
                raw: Any = self.connection.connection.dbapi_connection
                raw.set_progress_handler(lambda: time.monotonic() > self._until, 10_000)
            case "postgresql":
                self.connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
            case _:
                limit = (
                    f"max_statement_time = {STATEMENT_SECONDS:.3f}"
                    if getattr(self.connection.dialect, "is_mariadb", False)
                    else f"max_execution_time = {milliseconds}"
                )
                self.connection.exec_driver_sql(f"SET SESSION {limit}")


def source_of(table: Table) -> sa.TableClause:
    """A table as statements name it."""
    schema, _, name = table.name.rpartition(".")
    return sa.table(name, schema=schema or None)
