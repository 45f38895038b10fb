"""What a database holds: tables, columns, their values, and how tables point at each other."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from agents.integration_specialist.format_transformation.synonyms import CURRENCY, STATUS
from blocks.store.schema import numbering

SAMPLE_VALUES = 60
"""Rows of a table that are looked at to see what its columns hold."""

STRETCHES, STRETCH = 20, 500
"""The different texts of a column are read from so many stretches of so many rows, from the first
row to the last: of a large table, all rows would take for ever."""

_TELLING = {*STATUS, *CURRENCY}
_KEY_WORDS = frozenset({"id", "nr", "no", "code", "key"})
_ISO_DATE = re.compile(r"\d{4}-?\d\d-?\d\d(?:[ T].*)?")
_NUMBER = re.compile(r"\s*[-+]?\d+(?:\.\d+)?\s*")


@dataclass(frozen=True)
class Link:
    """Many rows of one table point at one row of another: ``column`` holds ``target.key``."""

    column: str
    target: str
    key: str


@dataclass
class Table:
    """One table or view, with a few of its rows.

    Attributes:
        name: ``table``, or ``schema.table`` outside the default schema.
        types: Column to its declared type.
        primary_key: Columns of the primary key.
        links: What its rows point at.
        rows: A few rows.
        states: For columns called like a status or a currency: the different texts in them, as
            far as a look at some stretches of the table shows them.
    """

    name: str
    types: dict[str, sa.types.TypeEngine[Any]]
    primary_key: list[str]
    links: list[Link]
    rows: list[dict[str, Any]] = field(default_factory=list)
    states: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def words(self) -> list[str]:
        """The words of its name."""
        return words_of(self.name.rpartition(".")[2])

    @cached_property
    def stems(self) -> list[str]:
        """The same, as stems."""
        return [stem(word) for word in self.words]

    def values(self, column: str) -> list[Any]:
        """The sampled values of a column that are not empty."""
        return [row[column] for row in self.rows if row[column] is not None]

    def holds(self, column: str, kind: str) -> float:
        """How well a column can be read as ``text``, ``number`` or ``date``, 0 to 1.

        The values decide; the declared type does where there are none.
        """
        declared = self.types[column]
        values = self.values(column)
        if kind == "text":
            return 0.0 if isinstance(declared, sa.DateTime | sa.Date | sa.LargeBinary) else 1.0
        reads = _reads_as_date if kind == "date" else _reads_as_number
        if values:
            return sum(map(reads, values)) / len(values)
        types = (sa.Date, sa.DateTime) if kind == "date" else (sa.Numeric, sa.Integer)
        return 0.7 if isinstance(declared, types) else 0.0


def read_catalogue(connection: sa.Connection) -> dict[str, Table]:
    """All tables and views, with a few rows each, and the links that are declared or evident.

    A table that may not be read is left out.
    """
    tables: dict[str, Table] = {}
    inspector = sa.inspect(connection)
    for schema in _schemas(connection, inspector):
        for name in [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]:
            table = _describe(inspector, name, schema)
            if _sample(connection, table, name, schema):
                tables[table.name] = table
    for table in tables.values():
        table.links = [link for link in table.links if link.target in tables]
        table.links += _evident_links(table, tables)
    return tables


def _schemas(connection: sa.Connection, inspector: sa.Inspector) -> Iterator[str | None]:
    yield None
    if connection.dialect.name == "postgresql":  # elsewhere a schema is another database
        default = inspector.default_schema_name
        for schema in inspector.get_schema_names():
            if schema not in (default, "information_schema") and not schema.startswith("pg_"):
                yield schema


def _describe(inspector: sa.Inspector, name: str, schema: str | None) -> Table:
    with warnings.catch_warnings():  # about types that SQLAlchemy does not know
        warnings.simplefilter("ignore", exc.SAWarning)
        columns = inspector.get_columns(name, schema)
    links = []
    for foreign in inspector.get_foreign_keys(name, schema):
        if len(foreign["constrained_columns"]) == 1 and foreign["referred_columns"]:
            owner = foreign.get("referred_schema")
            target = f"{owner}.{foreign['referred_table']}" if owner else foreign["referred_table"]
            links.append(
                Link(foreign["constrained_columns"][0], target, foreign["referred_columns"][0])
            )
    return Table(
        name=f"{schema}.{name}" if schema else name,
        types={str(column["name"]): column["type"] for column in columns},
        primary_key=inspector.get_pk_constraint(name, schema)["constrained_columns"],
        links=links,
    )


def _sample(connection: sa.Connection, table: Table, name: str, schema: str | None) -> bool:
    """Fill in rows and states; False when we may not read the table."""
    columns: dict[str, sa.ColumnClause[Any]] = {c: sa.column(c) for c in table.types}
    source = sa.table(name, *columns.values(), schema=schema)
    try:
        with connection.begin_nested():
            found = connection.execute(sa.select(source).limit(SAMPLE_VALUES))
            table.rows = [dict(zip(columns, tuple(row), strict=True)) for row in found]
            told = {c: e for c, e in columns.items() if set(words_of(c)) & _TELLING}
            if told:
                seen = list(_stretches(connection, source, list(told.values()), table))
                for place, column in enumerate(told):
                    texts = {row[place] for row in seen if isinstance(row[place], str)}
                    table.states[column] = sorted(texts)[:SAMPLE_VALUES]
    except (exc.ProgrammingError, exc.OperationalError) as error:
        if "denied" not in str(error.orig):
            raise
        return False
    return True


def _stretches(
    connection: sa.Connection,
    source: sa.TableClause,
    columns: list[sa.ColumnClause[Any]],
    table: Table,
) -> Iterator[sa.Row[Any]]:
    """Rows from the whole of a table, without reading the whole of it.

    A table whose rows are not numbered is read from its beginning.
    """
    select = sa.select(*columns).select_from(source)
    name = numbering(table.primary_key, table.types)
    if name is None:
        yield from connection.execute(select.limit(STRETCHES * STRETCH))
        return
    key = source.c[name]
    first, last = connection.execute(sa.select(sa.func.min(key), sa.func.max(key))).one()
    if first is None:
        return
    for start in sorted({first + (last - first) * n // STRETCHES for n in range(STRETCHES)}):
        yield from connection.execute(select.where(key >= start).order_by(key).limit(STRETCH))
    yield from connection.execute(select.order_by(key.desc()).limit(STRETCH))


def _evident_links(table: Table, tables: dict[str, Table]) -> Iterator[Link]:
    """Links that nobody declared: ``artikel_id`` names a table, and its values are keys there."""
    linked = {link.column for link in table.links}
    for column in table.types:
        *words, last = words_of(column)
        if column in linked or not words or last not in _KEY_WORDS:
            continue
        named = [stem(word) for word in words]
        for target in tables.values():
            if target is table or len(target.primary_key) != 1:
                continue
            key = target.primary_key[0]
            known = {str(value) for value in target.values(key)}
            ours = {str(value) for value in table.values(column)}
            # Both are samples: some agreement is all that can be asked for.
            if known & ours and target.stems[-len(named) :] == named:
                yield Link(column, target.name, key)
                break


def words_of(name: str) -> list[str]:
    """``OrderLine_ArtikelNr`` as order, line, artikel, nr; accents and umlauts spelt out."""
    name = re.sub(r"(?<=[a-z0-9äöü])(?=[A-ZÄÖÜ])", " ", name).lower()
    for letter, spelt in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(letter, spelt)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return re.findall(r"[a-z]+|\d+", plain)


def stem(word: str) -> str:
    """The word without plural ending and umlaut, so that ``Aufträge`` is ``Auftrag``.

    Only good for comparing words with each other.
    """
    for umlaut, vowel in (("ae", "a"), ("oe", "o"), ("ue", "u")):
        word = word.replace(umlaut, vowel)
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("en", "es", "e", "n", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word


def _reads_as_date(value: Any) -> bool:
    if isinstance(value, datetime | date):
        return True
    if isinstance(value, int) and not isinstance(value, bool):
        return 19_000_101 <= value <= 29_991_231
    return isinstance(value, str) and _ISO_DATE.fullmatch(value) is not None


def _reads_as_number(value: Any) -> bool:
    if isinstance(value, int | float | Decimal):
        return not isinstance(value, bool)
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None
