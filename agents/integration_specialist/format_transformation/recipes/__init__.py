"""Shop systems that are known: a mapping in one TOML file each, recognised by its tables.

A recipe is added by adding a file and its test; docs/recipes.md says what stands in it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from zoneinfo import available_timezones

import sqlalchemy as sa
from pydantic import BeforeValidator, Field

from blocks.errors import ContractViolation
from blocks.models import Strict
from blocks.store import sql
from blocks.store.mapping import FrameMapping, Source, Value
from blocks.store.schema import Schema
from blocks.store.statements import statement
from blocks.vocabulary.amounts import Amounts

NOT_TRIED = "not yet tried on a live shop"

_SAMPLED = 1_000
"""So many rows tell the currency and the time zone."""

_CODE = re.compile("[A-Z]{3}")

_PREFIX = "{prefix}"

Tables: TypeAlias = Mapping[str, Collection[str]]
"""Tables and views, as the schema names them, with their columns."""


@dataclass(frozen=True)
class Recipe:
    """A mapping that is known to fit this database.

    Attributes:
        name: Name of its file.
        title: The shop system, for a person.
        tried: ``tried on a live install of 3.2``, or NOT_TRIED.
        notes: What a person should know: what counts, and what is left out.
        frames: Where each frame is found.
        amounts: What is in the revenue.
        currency: ISO code of the shop's money, where the database tells it; else "".
        timezone: IANA name of the zone of its trading days, where the database tells it; else "".
        absent: Tables that are not there, so that what is read from them is left out.
    """

    name: str
    title: str
    tried: str
    notes: tuple[str, ...]
    frames: dict[str, list[FrameMapping]]
    amounts: Amounts
    currency: str
    timezone: str
    absent: tuple[str, ...]


class _Part(FrameMapping):
    """One mapping of a frame.

    Attributes:
        optional: The frame is still right where a table of this part is not there. Without it the
            whole frame is left out: half of a sum is a wrong figure.
    """

    optional: bool = False


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _File(Strict):
    """What a recipe's file says; docs/recipes.md explains each key."""

    title: str
    tried: str
    notes: tuple[str, ...]
    recognised_by: dict[str, list[str]] = Field(min_length=1)
    holds: tuple[Source, ...] = ()
    holds_not: tuple[Source, ...] = ()
    amounts: Amounts
    currency: FrameMapping | None = None
    timezone: FrameMapping | None = None
    frames: dict[str, Annotated[list[_Part], BeforeValidator(_listed), Field(min_length=1)]]


def recognise(connection: sa.Connection, tables: Tables) -> Recipe | None:
    """The recipe that fits a database; None when it is no shop system that is known.

    A few rows are read: those that a recipe asks for, and that the currency stands in.

    Args:
        connection: A reading connection; see blocks.store.sql.reading.
        tables: What there is. Recipes look in the default schema, and for prefixes of table names.

    Raises:
        SQLAlchemyError: The database cannot be read at all; see blocks.store.sql.fetch.
    """
    database = _Database(connection, tables)
    for name, document in documents().items():
        for prefix in _prefixes(document["recognised_by"], tables):
            file = _File.model_validate(_with_prefix(document, prefix))
            if all(map(database.holds, file.holds)) and not any(
                map(database.holds, file.holds_not)
            ):
                return _recipe(name, file, database)
    return None


def documents() -> dict[str, dict[str, Any]]:
    """What each recipe's file says, by its name."""
    return {
        file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(Path(__file__).parent.glob("*.toml"))
    }


@dataclass(frozen=True)
class _Database:
    """What a recipe may ask of a database."""

    connection: sa.Connection
    tables: Tables

    def holds(self, source: Source) -> bool:
        """Whether a table is there, and has a row."""
        asked = FrameMapping(**source.model_dump(), columns={"value": "1"})
        return bool(self._values(asked, 1))

    def most_frequent(self, mapping: FrameMapping | None) -> str:
        """What stands most often in the one column of a mapping; "" when nothing does."""
        values = self._values(mapping, _SAMPLED) if mapping else []
        return Counter(map(str, values)).most_common(1)[0][0] if values else ""

    def absent(self, mapping: FrameMapping) -> list[str]:
        """Tables of a mapping that are not there."""
        names = [mapping.table, *(join.table for join in mapping.joins)]
        return [name for name in names if name not in self.tables]

    def _values(self, mapping: FrameMapping, rows: int) -> list[Value]:
        if self.absent(mapping):
            return []
        try:
            asked = statement(Schema(self.connection), "recipe", mapping)
            found = sql.fetch(self.connection, asked.select.limit(rows))
        except ContractViolation:  # of a table that this user may not read, for instance
            return []
        return [value for (value,) in found if value not in (None, "")]


def _prefixes(wanted: Mapping[str, list[str]], tables: Tables) -> Iterator[str]:
    """What ``{prefix}`` may stand for, so that all tables are there; the shortest first."""
    some = next(iter(wanted))
    ending = some.removeprefix(_PREFIX)
    found = [name.removesuffix(ending) for name in tables if name.endswith(ending)]
    for prefix in sorted(found, key=lambda p: (len(p), p)) if some != ending else [""]:
        names = {table.replace(_PREFIX, prefix): columns for table, columns in wanted.items()}
        if all(set(columns) <= set(tables.get(name, ())) for name, columns in names.items()):
            yield prefix


def _recipe(name: str, file: _File, database: _Database) -> Recipe:
    frames, absent = {}, set()
    currency, timezone = map(database.most_frequent, (file.currency, file.timezone))
    for frame, parts in file.frames.items():
        there = [part for part in parts if not database.absent(part)]
        absent |= {table for part in parts for table in database.absent(part)}
        if there and all(part in there or part.optional for part in parts):
            frames[frame] = [
                FrameMapping(**part.model_dump(exclude={"optional"})) for part in there
            ]
    return Recipe(
        name=name,
        title=file.title,
        tried=f"tried on {file.tried}" if file.tried else NOT_TRIED,
        notes=file.notes,
        frames=frames,
        amounts=file.amounts,
        currency=currency if _CODE.fullmatch(currency) else "",
        timezone=timezone if timezone in available_timezones() else "",
        absent=tuple(sorted(absent)),
    )


def _with_prefix(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same document with ``{prefix}`` filled in wherever it stands."""
    text = json.dumps(document).replace(_PREFIX, json.dumps(prefix)[1:-1])
    filled: dict[str, Any] = json.loads(text)
    return filled
