"""Looks at all tables and views of a database: a few rows of each, and never at all of them.

A table or view that cannot be looked at costs only itself. Every statement has a time of its own,
and reads so many rows at most: of a table of fifty million lines no more than of a small one.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import MONEY
from sqlalchemy.engine.reflection import ObjectKind

from agents.integration_specialist.format_transformation.catalogue import Link, Table
from agents.integration_specialist.format_transformation.looking.looker import (
    Looker,
    TooSlow,
    Unreadable,
    source_of,
)
from agents.integration_specialist.format_transformation.looking.reasons import NO_UTF8
from agents.integration_specialist.format_transformation.synonyms import TELLING
from agents.integration_specialist.format_transformation.words import words_of
from blocks.store.schema import numbering

SAMPLE_VALUES = 100
"""Rows of a table that are looked at to see what its columns hold."""

STRETCHES, STRETCH = 20, 500
"""The different values of a column are read from so many stretches of so many rows, from the first
row to the last: of a large table, all rows would take for ever."""

_LOST = "\N{REPLACEMENT CHARACTER}"

STATES = 60
"""A column with more different values than this tells no states."""


@dataclass
class Catalogue:
    """What was found in a database.

    Attributes:
        tables: Name to table, of those that could be looked at.
        left_out: Name to the reason why the others could not.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def read_catalogue(looker: Looker) -> Catalogue:
    """All tables and views, tables first, with a few rows each and the links that are declared."""
    found = Catalogue()
    for schema in _schemas(looker):
        try:
            shapes = looker.attempt(lambda schema=schema: _Shapes(looker, schema))  # type: ignore[misc]
        except Unreadable as error:
            found.left_out[schema or "the database"] = str(error)
            continue
        for name in shapes.names:
            full = f"{schema}.{name}" if schema else name
            try:
                table = looker.attempt(lambda shapes=shapes, name=name: shapes.table(name))  # type: ignore[misc]
                _sample(looker, table)
            except Unreadable as error:
                found.left_out[full] = str(error)
            else:
                found.tables[full] = table
    for table in found.tables.values():
        table.links = [link for link in table.links if link.target in found.tables]
    return found


def _schemas(looker: Looker) -> list[str | None]:
    if looker.dialect != "postgresql":  # elsewhere a schema is another database
        return [None]
    inspector = sa.inspect(looker.connection)
    others = (
        schema
        for schema in inspector.get_schema_names()
        if schema not in (inspector.default_schema_name, "information_schema")
        and not schema.startswith("pg_")
    )
    return [None, *others]


class _Shapes:
    """Names, columns, keys and links of what a schema has.

    PostgreSQL tells those of all tables at once: with hundreds of tables, one by one takes minutes.
    """

    def __init__(self, looker: Looker, schema: str | None) -> None:
        self._inspector = inspector = sa.inspect(looker.connection)
        self._schema = schema
        self._at_once: dict[str, dict[Any, Any]] = {}
        views = inspector.get_view_names(schema)
        self.names = [*inspector.get_table_names(schema), *views]
        if looker.dialect == "postgresql":
            parts = set(looker.connection.execute(_PARTITIONS, {"schema": schema}).scalars())
            self.names = [name for name in self.names if name not in parts]
            self.names += inspector.get_materialized_view_names(schema)
            with warnings.catch_warnings():  # about types that SQLAlchemy does not know
                warnings.simplefilter("ignore", exc.SAWarning)
                everything = ObjectKind.ANY
                self._at_once = {
                    "columns": inspector.get_multi_columns(schema, kind=everything),
                    "keys": inspector.get_multi_pk_constraint(schema, kind=everything),
                    "indexes": inspector.get_multi_indexes(schema, kind=everything),
                    "links": inspector.get_multi_foreign_keys(schema, kind=everything),
                }

    def table(self, name: str) -> Table:
        """A table as it is declared, without rows."""
        columns, key, indexes, foreign = self._declared(name)
        primary = key["constrained_columns"]
        firsts = [index["column_names"][0] for index in indexes if index["column_names"]]
        return Table(
            name=f"{self._schema}.{name}" if self._schema else name,
            types={str(column["name"]): column["type"] for column in columns},
            primary_key=primary,
            links=list(_declared_links(foreign)),
            indexed=frozenset(name for name in [*primary[:1], *firsts] if name),
        )

    def _declared(self, name: str) -> tuple[Any, Any, Any, Any]:
        if self._at_once:
            at = (self._schema, name)
            none: dict[str, list[str]] = {"constrained_columns": []}
            told = self._at_once
            return (
                told["columns"][at],
                told["keys"].get(at) or none,
                told["indexes"].get(at) or [],
                told["links"].get(at) or [],
            )
        inspector, schema = self._inspector, self._schema
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", exc.SAWarning)
            return (
                inspector.get_columns(name, schema),
                inspector.get_pk_constraint(name, schema),
                [
                    *inspector.get_indexes(name, schema),
                    *inspector.get_unique_constraints(name, schema),
                ],
                inspector.get_foreign_keys(name, schema),
            )


def _declared_links(foreign: Iterable[Any]) -> Iterator[Link]:
    for key in foreign:
        if len(key["constrained_columns"]) == 1 and key["referred_columns"]:
            owner = key.get("referred_schema")
            target = f"{owner}.{key['referred_table']}" if owner else key["referred_table"]
            yield Link(key["constrained_columns"][0], target, key["referred_columns"][0])


def _sample(looker: Looker, table: Table) -> None:
    """Fill in rows and states.

    Raises:
        Unreadable: Not even as raw text.
    """
    shown = [c for c, kind in table.types.items() if not isinstance(kind, sa.LargeBinary)]
    try:
        rows = looker.ask(_few(table, [_plain(table, c) for c in shown]))
    except TooSlow:
        raise
    except Unreadable as error:
        rows = looker.ask(_few(table, [_raw(table, c) for c in shown]))
        table.fault = str(error)
    empty = dict.fromkeys(table.types)
    table.rows = [empty | dict(zip(shown, map(_clean, row), strict=True)) for row in rows]
    if any(_LOST in value for row in table.rows for value in row.values() if _is_text(value)):
        table.fault = NO_UTF8
    table.whole = len(rows) < SAMPLE_VALUES
    told = [c for c in shown if set(words_of(c)) & TELLING]
    if told:
        seen = table.rows if table.whole else list(_stretches(looker, table, told))
        for column in told:
            counted = Counter(
                row[column] for row in seen if isinstance(row[column], str | int | bool)
            )
            table.states[column] = dict(counted.most_common()) if len(counted) <= STATES else {}


def _few(table: Table, columns: list[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    select = sa.select(*columns).select_from(source_of(table)).limit(SAMPLE_VALUES)
    key = numbering(table.primary_key, table.types)
    return select if key is None else select.order_by(sa.column(key).desc())


def _plain(table: Table, column: str) -> sa.ColumnElement[Any]:
    """A column as its driver gives it: SQLAlchemy's conversions would stop at the first bad one."""
    found: sa.ColumnElement[Any] = sa.column(column)
    # Money would come as text, in the way of the server's locale.
    return sa.cast(found, sa.Numeric) if isinstance(table.types[column], MONEY) else found


def _raw(table: Table, column: str) -> sa.ColumnElement[Any]:
    """The same, with dates as text: Python has none for infinity, and none after the year 9999."""
    found = _plain(table, column)
    if isinstance(table.types[column], sa.Date | sa.DateTime):
        return sa.cast(found, sa.Text)
    return found


def _clean(value: Any) -> Any:
    """Text whose bytes are no UTF-8 (see blocks.store.connection) with a sign in their place."""
    return (
        value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if _is_text(value)
        else value
    )


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _stretches(looker: Looker, table: Table, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Rows from the whole of a table, without reading the whole of it.

    A table whose rows are not numbered is read from its beginning.
    """
    select = sa.select(*(sa.column(c) for c in columns)).select_from(source_of(table))

    def rows(statement: sa.Select[Any]) -> Iterator[dict[str, Any]]:
        return (dict(zip(columns, row, strict=True)) for row in looker.ask(statement))

    name = numbering(table.primary_key, table.types)
    if name is None:
        yield from rows(select.limit(STRETCHES * STRETCH))
        return
    key: sa.ColumnElement[Any] = sa.column(name)
    bounds = sa.select(sa.func.min(key), sa.func.max(key)).select_from(source_of(table))
    ((first, last),) = looker.ask(bounds)
    for start in sorted({first + (last - first) * n // STRETCHES for n in range(STRETCHES)}):
        yield from rows(select.where(key >= start).order_by(key).limit(STRETCH))
    yield from rows(select.order_by(key.desc()).limit(STRETCH))


_PARTITIONS = sa.text(
    """SELECT c.relname FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relispartition AND n.nspname = coalesce(:schema, current_schema())"""
)
"""Parts of tables, whose rows their tables have too."""
