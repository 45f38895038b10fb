"""The SELECT that a mapping means: its table, its joins, its conditions, its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa

from blocks.store.compiling import Element, Scope, compiled, condition, is_utc
from blocks.store.mapping import FrameMapping, Join, Source
from blocks.store.schema import Schema

Select: TypeAlias = sa.Select[Any]

LATEST = 20_000
"""So many of a table's last rows, by its key, hold its newest: no large table is sorted by date."""

HOLES = "orchestrator holes"
"""What a statement calls the number of rows that could not be added up."""

KEY = "orchestrator key"
"""What a statement calls the columns of the primary key of the mapping's own table."""


@dataclass(frozen=True)
class Statement:
    """A SELECT, and what its columns are made of.

    Attributes:
        select: Its columns are labelled with our names.
        columns: Our name to the expression behind it, typed as the database declares it.
        utc: Our names whose dates are in UTC where they carry no zone.
    """

    select: Select
    columns: dict[str, Element]
    utc: frozenset[str]


def statement(schema: Schema, name: str, mapping: FrameMapping, latest: bool = False) -> Statement:
    """The SELECT that a mapping means.

    Args:
        schema: Where tables and columns are looked up.
        name: The frame.
        mapping: Where it is found.
        latest: Only ``LATEST`` rows of the mapping's own table are read, the last ones where it
            numbers them, and the columns of its primary key come along as ``KEY`` 0, 1 and so on.

    Raises:
        ContractViolation: A table or column does not exist, or an expression is none.
    """
    source: sa.FromClause = schema.table(mapping.table, name)
    if latest:
        some = sa.select(*source.c).limit(LATEST)
        number = schema.key(mapping.table, name)
        if number is not None:
            some = some.order_by(source.c[number].desc())
        source = some.subquery("latest")
    tables: dict[str, sa.FromClause] = {mapping.table: source}
    for join in mapping.joins:
        joined, columns = _joined(schema, name, join)
        before = Scope(tables, name, schema.dialect)
        pairs = [compiled(left, before) == columns[right] for left, right in join.on.items()]
        only = [] if join.sums else _conditions(join, {join.called: joined}, name, schema)
        source = source.outerjoin(joined, sa.and_(*pairs, *only))
        tables[join.called] = joined
    scope = Scope(tables, name, schema.dialect)
    elements = {ours: compiled(text, scope) for ours, text in mapping.columns.items()}
    read = [_as_stored(element, schema.dialect).label(ours) for ours, element in elements.items()]
    if latest:
        own = tables[mapping.table].c
        keys = schema.primary_key(mapping.table, name)
        read += [own[key].label(f"{KEY} {i}") for i, key in enumerate(keys)]
    select: Select = sa.select(*read).select_from(source)
    return Statement(
        select.where(*_conditions(mapping, tables, name, schema)),
        elements,
        frozenset(ours for ours, text in mapping.columns.items() if is_utc(text, scope)),
    )


def added_up(asked: Statement, dialect: str) -> Select | None:
    """Stock added up where it lies: one row per SKU, with how many rows are no plain numbers.

    Args:
        asked: Of ``stock``.
        dialect: Whose SQL.

    Returns:
        None where the columns are no numbers by their types, and must be read row by row.
    """
    rows = asked.select.subquery()
    counted = [name for name in ("on_hand", "reserved") if name in asked.columns]
    holes: list[Element] = [rows.c.on_hand.is_(None)]
    for name in counted:
        if dialect == "sqlite":  # its columns hold anything
            holes.append(sa.func.typeof(rows.c[name]).not_in(["integer", "real", "null"]))
        elif not isinstance(asked.columns[name].type, sa.Numeric | sa.Integer):
            return None
    columns = [sa.func.sum(rows.c[name]).label(name) for name in counted]
    if "updated_at" in asked.columns:
        columns.append(sa.func.max(rows.c.updated_at).label("updated_at"))
    holed = sa.func.sum(sa.case((sa.or_(*holes), 1), else_=0)).label(HOLES)
    return sa.select(rows.c.sku, *columns, holed).group_by(rows.c.sku)


def _joined(schema: Schema, frame: str, join: Join) -> tuple[sa.FromClause, dict[str, Element]]:
    """A table to be joined, and its columns that the rows before it are compared with."""
    table = schema.table(join.table, frame)
    if not join.sums:
        named: sa.FromClause = sa.alias(table, name=join.name) if join.name else table
        there = Scope({join.called: named}, frame, schema.dialect)
        return named, {right: compiled(right, there) for right in join.on.values()}
    tables: dict[str, sa.FromClause] = {join.called: table}
    scope = Scope(tables, frame, schema.dialect)
    keys = [compiled(right, scope) for right in join.on.values()]
    sums = [sa.func.sum(compiled(text, scope)).label(name) for name, text in join.sums.items()]
    summed = (
        sa.select(*(key.label(f"{KEY} {i}") for i, key in enumerate(keys)), *sums)
        .where(*_conditions(join, tables, frame, schema))
        .group_by(*keys)
        .subquery(join.called)
    )
    return summed, {right: summed.c[f"{KEY} {i}"] for i, right in enumerate(join.on.values())}


def _conditions(
    source: Source, tables: dict[str, sa.FromClause], frame: str, schema: Schema
) -> list[Element]:
    scope = Scope(tables, frame, schema.dialect)
    found: list[Element] = []
    for text, values in source.where.items():
        element = compiled(text, scope)
        found.append(element.in_(values) if values else element.is_(None))
    for text, values in source.where_not.items():
        element = compiled(text, scope)
        kept = sa.or_(element.is_(None), element.not_in(values)) if values else element.is_not(None)
        found.append(kept)
    if source.keep:
        found.append(condition(source.keep, scope))
    return found


def _as_stored(element: Element, dialect: str) -> Element:
    """The driver's own values: SQLAlchemy's conversions would stop at the first bad one.

    So would psycopg at dates that Python has none for (infinity, years before 1 and after 9999):
    they come as text.
    """
    if dialect == "postgresql" and isinstance(element.type, sa.Date | sa.DateTime):
        element = sa.cast(element, sa.Text)
    return sa.type_coerce(element, sa.types.NullType())
