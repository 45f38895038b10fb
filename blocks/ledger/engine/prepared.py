"""Statements that are run for every call or event, put together once.

SQLAlchemy makes an INSERT … ON CONFLICT anew each time it is run, and looks every other statement
up by all its parts. For what is written some thousand times a second, and while other code has the
processor's caches, that takes several times as long as the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ClauseElement, Connection, CursorResult, Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.compiler import SQLCompiler

_DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(json_serializer=str),
    "postgresql": psycopg.dialect(  # type: ignore[no-untyped-call]
        paramstyle="format", json_serializer=str
    ),
}

_Parameter = tuple[str, Callable[[Any], Any], Any]
"""Its name, how its value is written, and the value that the statement itself has for it."""


class Prepared:
    """A statement in the driver's own words.

    Its rows come as the driver gives them: instants of SQLite as text, for instance.

    Args:
        statement: It has no lists among its parameters; or how it is made for ``sqlite`` or
            ``postgresql``, where they spell it differently.
    """

    def __init__(self, statement: ClauseElement | Callable[[str], ClauseElement]) -> None:
        self._statement = statement
        self._spelled: dict[str, tuple[str, list[_Parameter]]] = {}

    def execute(
        self, connection: Connection, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> CursorResult[Any]:
        """Run it with the values of its parameters, or once with each of several."""
        name = connection.dialect.name
        if name not in self._spelled:
            self._spelled[name] = self._spell(name)
        text, parameters = self._spelled[name]

        def row(given: Mapping[str, Any]) -> tuple[Any, ...]:
            return tuple(write(given.get(name, own)) for name, write, own in parameters)

        if isinstance(values, Mapping):
            return connection.exec_driver_sql(text, row(values))
        return connection.exec_driver_sql(text, [row(each) for each in values])

    def _spell(self, name: str) -> tuple[str, list[_Parameter]]:
        statement, dialect = self._statement, _DIALECTS[name]
        if not isinstance(statement, ClauseElement):
            statement = statement(name)
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect))
        binds = [compiled.binds[place] for place in compiled.positiontup or ()]
        return str(compiled), [(b.key, _writer(b.type, dialect), b.value) for b in binds]


def _writer(kind: Any, dialect: Dialect) -> Callable[[Any], Any]:
    return kind.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value
