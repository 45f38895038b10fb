"""Names of tables and columns, looked up in the database before they are used.

No text from configuration becomes SQL: an unknown name is refused, with the nearest one that
exists; a known one is quoted by SQLAlchemy; values are bound parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from blocks.errors import ContractViolation
from blocks.store.sql import own_fault
from blocks.text import did_you_mean


class Schema:
    """The tables of a database, looked up by name. Reads only what is asked for."""

    def __init__(self, connection: sa.Connection) -> None:
        self.dialect = connection.dialect.name
        self._connection = connection
        self._inspector = sa.inspect(connection)
        self._tables: dict[str, sa.TableClause] = {}
        self._keys: dict[str, list[str]] = {}

    def names(self) -> list[str]:
        """All tables and views of the default schema."""
        views = self._inspector.get_view_names()
        return sorted([*self._inspector.get_table_names(), *views])

    def table(self, name: str, frame: str) -> sa.TableClause:
        """A table or view (``name`` or ``schema.name``) with its real columns.

        Raises:
            ContractViolation: There is none, or it cannot be looked at; names the nearest that
            exists.
        """
        if name not in self._tables:
            schema, _, bare = name.rpartition(".")
            try:
                with own_fault(self._connection), warnings.catch_warnings():
                    warnings.simplefilter("ignore", exc.SAWarning)  # of types it does not know
                    columns = self._inspector.get_columns(bare, schema=schema or None)
            except exc.NoSuchTableError:
                raise ContractViolation(
                    f"{frame}: there is no table or view {name!r}.", hint=near(name, self.names())
                ) from None
            except exc.UnreflectableTableError as error:
                reason = " ".join(str(error).split())[:200]
                raise ContractViolation(
                    f"{frame}: {name} cannot be looked at: {reason}.",
                    hint="Is it a view over something that is gone?",
                ) from None
            self._tables[name] = sa.table(
                bare, *(sa.column(c["name"], c["type"]) for c in columns), schema=schema or None
            )
        return self._tables[name]

    def key(self, name: str, frame: str) -> str | None:
        """The column that numbers a table's rows, where its primary key is a whole number.

        Raises:
            ContractViolation: There is no such table; names the nearest that exists.
        """
        columns = self.table(name, frame).c
        return numbering(
            self.primary_key(name, frame), {column.name: column.type for column in columns}
        )

    def primary_key(self, name: str, frame: str) -> list[str]:
        """The columns of a table's primary key; none for a view.

        Raises:
            ContractViolation: The table cannot be looked at.
        """
        if name not in self._keys:
            schema, _, bare = name.rpartition(".")
            with own_fault(self._connection):
                key = self._inspector.get_pk_constraint(bare, schema=schema or None)
            known = self.table(name, frame).c
            self._keys[name] = [str(c) for c in key["constrained_columns"] if c in known]
        return self._keys[name]


def numbering(key: Sequence[str], types: Mapping[str, sa.types.TypeEngine[Any]]) -> str | None:
    """The column that numbers rows, of a primary key; None for any other key."""
    return key[0] if len(key) == 1 and isinstance(types.get(key[0]), sa.Integer) else None


def has_column(reference: str, tables: Mapping[str, sa.FromClause]) -> bool:
    """Whether a text is the name of a column, as ``find_column`` finds it."""
    return _look_up(reference, tables) is not None


def find_column(
    reference: str, tables: Mapping[str, sa.FromClause], frame: str
) -> sa.ColumnElement[Any]:
    """The column that ``column`` or ``table.column`` means among the tables of one mapping.

    A bare name is looked up in the tables in their order.

    Raises:
        ContractViolation: There is none; names the nearest that exists.
    """
    column = _look_up(reference, tables)
    if column is not None:
        return column
    known = [c.name for t in tables.values() for c in t.c]
    known += [f"{name}.{c.name}" for name, t in tables.items() for c in t.c]
    raise ContractViolation(
        f"{frame}: there is no column {reference!r} in {', '.join(tables)}.",
        hint=near(reference, known),
    )


def _look_up(reference: str, tables: Mapping[str, sa.FromClause]) -> sa.ColumnElement[Any] | None:
    for table in tables.values():
        if reference in table.c:
            return table.c[reference]
    owner, _, column = reference.rpartition(".")
    return tables[owner].c[column] if owner in tables and column in tables[owner].c else None


def near(name: str, known: list[str]) -> str:
    """A hint that names what may have been meant, of what can be a lot."""
    return did_you_mean(name, known, f"There is {', '.join(sorted(set(known))[:12]) or 'none'}.")
