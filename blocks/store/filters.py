"""Filters of a mapping that were misspelt: they match nothing, and nobody would notice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import sqlalchemy as sa

from blocks.errors import ContractViolation
from blocks.store import sql
from blocks.store.mapping import FrameMapping, Source, Value
from blocks.store.schema import Schema
from blocks.text import printable

SAMPLED = 10_000
"""A column's values are those of so many first and so many last rows: no large table is scanned."""

SHOWN = 12
"""Most values that a message names."""

_ALIKE = 0.83  # one letter of six


def refuse_misspelt(
    connection: sa.Connection, schema: Schema, frame: str, mapping: FrameMapping
) -> None:
    """Refuse a filter value that is not there, where one that is very much like it is.

    A value that is not there may be right: a shop that has no cancelled order yet. One that is
    written ``cancelled`` where the shop writes ``wc-cancelled`` would let all of them through.

    Raises:
        ContractViolation: Names the value and those that are there.
    """
    for column, wanted, there in _filtered(connection, schema, frame, mapping):
        listed = {value for value in wanted if isinstance(value, str)}
        for value in sorted(listed - set(there)):
            meant = [t for t in there if t not in listed and _alike(value, t)]
            if meant:
                raise ContractViolation(
                    f"{frame}: no row has {value!r} in {column}; there is {_named(there)}.",
                    hint=f"Did you mean {meant[0]!r}?",
                )


def values_there(
    connection: sa.Connection, schema: Schema, frame: str, mapping: FrameMapping
) -> Iterator[str]:
    """What the filtered columns hold, in words: ``status is 'open', 'paid'``."""
    for column, _, there in _filtered(connection, schema, frame, mapping):
        if there:
            yield f"{column} is {_named(there)}"


def _filtered(
    connection: sa.Connection, schema: Schema, frame: str, mapping: FrameMapping
) -> Iterator[tuple[str, Sequence[Value], list[str]]]:
    """Each column that is filtered by texts, the values it is filtered by, and its own."""
    tables = {mapping.table: mapping.table} | {j.called: j.table for j in mapping.joins}
    for source, names in ((mapping, tables), *((j, {j.called: j.table}) for j in mapping.joins)):
        for column, wanted in _conditions(source):
            owner, _, bare = column.rpartition(".")
            for name, table in names.items():
                there = schema.table(table, frame)
                if column in there.c or (owner == name and bare in there.c):
                    found = there.c[column if column in there.c else bare]
                    yield column, wanted, _sampled(connection, schema, table, frame, found)
                    break


def _conditions(source: Source) -> Iterator[tuple[str, list[Value]]]:
    for column, values in [*source.where.items(), *source.where_not.items()]:
        if any(isinstance(value, str) for value in values):
            yield column, values


def _sampled(
    connection: sa.Connection,
    schema: Schema,
    table: str,
    frame: str,
    column: sa.ColumnElement[object],
) -> list[str]:
    some = sa.select(column.label("value")).limit(SAMPLED)
    key = schema.key(table, frame)
    parts = (
        [some] if key is None else [some, some.order_by(schema.table(table, frame).c[key].desc())]
    )
    found = {
        row[0]
        for part in parts
        for row in sql.fetch(connection, sa.select(sa.distinct(part.subquery().c.value)))
    }
    return sorted(value for value in found if isinstance(value, str))


def _alike(written: str, there: str) -> bool:
    """Whether one is the other with another case, other signs, a prefix (``wc-``), or a slip.

    ``paid`` and ``unpaid`` are two states.
    """
    a, b = (_letters(text) for text in (written, there))
    if not a or not b:
        return False
    prefixed = re.search(rf"[^a-z0-9]{re.escape(written.casefold())}$", there.casefold())
    slip = a[0] == b[0] and SequenceMatcher(None, a, b).ratio() >= _ALIKE
    return a == b or prefixed is not None or slip


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _named(values: Sequence[str]) -> str:
    shown = ", ".join(repr(printable(value)) for value in values[:SHOWN])
    return shown + (" and more" if len(values) > SHOWN else "")
