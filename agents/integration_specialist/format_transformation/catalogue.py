"""What a database holds: tables, columns, some of their values, and what points at what."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from agents.integration_specialist.format_transformation.words import stem, words_of
from blocks.store.mapping import Value

_ISO_DATE = re.compile(r"\d{4}-?\d\d-?\d\d(?:[ T].*)?")
_NUMBER = re.compile(r"\s*[-+]?\d[\d.,' ]*")


@dataclass(frozen=True)
class Link:
    """Many rows of one table point at one row of another: ``column`` holds ``target.key``.

    Attributes:
        column: Of the table that points.
        target: The table that it points at.
        key: Column of the target.
        sure: False where both count 1, 2, 3 … and only the name says that one is the other.
    """

    column: str
    target: str
    key: str
    sure: bool = True


@dataclass
class Table:
    """One table or view, with a few of its rows.

    Attributes:
        name: ``table``, or ``schema.table`` outside the default schema.
        types: Column to its declared type.
        primary_key: Columns of the primary key.
        links: What its rows point at.
        rows: A few rows, the newest where they are numbered.
        whole: These are all rows that there are.
        states: For columns called like a status, a currency or a kind: the different values in
            them, with the number of sampled rows that have each, the most frequent first.
        indexed: Columns by which the database finds a row at once.
        fault: Why some of its values cannot be read as they are; "" when all can.
    """

    name: str
    types: dict[str, sa.types.TypeEngine[Any]]
    primary_key: list[str]
    links: list[Link]
    rows: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = False
    states: dict[str, dict[Value, int]] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()
    fault: str = ""
    _held: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)

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

    def filled(self, column: str) -> float:
        """Share of the sampled rows that have something in a column; 1 where there are none."""
        there = sum(1 for value in self.values(column) if value != "")
        return there / len(self.rows) if self.rows else 1.0

    def holds(self, column: str, kind: str) -> float:
        """How well a column can be read as ``text``, ``number`` or ``date``, 0 to 1.

        The values decide; the declared type does where there are none.
        """
        at = (column, kind)
        if at not in self._held:
            self._held[at] = self._holds(column, kind)
        return self._held[at]

    def _holds(self, column: str, kind: str) -> float:
        declared = self.types[column]
        values = self.values(column)
        if kind == "text":
            return 0.0 if isinstance(declared, sa.DateTime | sa.Date | sa.LargeBinary) else 1.0
        reads = _reads_as_date if kind == "date" else reads_as_number
        if values:
            return sum(map(reads, values)) / len(values)
        types = (sa.Date, sa.DateTime) if kind == "date" else (sa.Numeric, sa.Integer)
        return 0.7 if isinstance(declared, types) else 0.0

    def counts(self, column: str) -> bool:
        """Whether a column numbers the rows of its table, one after the other.

        Equal numbers in two such columns mean nothing.
        """
        if not (self.primary_key == [column] or (not self.primary_key and self.is_own(column))):
            return False
        values = self.values(column)
        numbers = {value for value in values if isinstance(value, int)}
        if len(numbers) < len(values) or not numbers:
            return False  # texts, numbers that are there twice, or nothing to tell by
        return max(numbers) - min(numbers) < 2 * len(numbers)

    def is_own(self, column: str) -> bool:
        """Whether a key's name is the table's own: ``id``, or ``line_id`` of order lines."""
        about = [stem(word) for word in words_of(column)[:-1]]
        return self.stems[len(self.stems) - len(about) :] == about

    def keys_of(self, column: str) -> dict[str, str] | None:
        """The keys of the objects in a JSON column with one value of each; None for others."""
        objects = [_json_object(value) for value in self.values(column)]
        found = [one for one in objects if one is not None]
        if not found or len(found) < len(objects):
            return None
        return {str(key): str(value) for one in found for key, value in one.items()}


def reads_as_number(value: Any) -> bool:
    """Whether a value is a number, or the text of one."""
    if isinstance(value, int | float | Decimal):
        return not isinstance(value, bool)
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no text of one."""
    return reads_as_number(value) and not isinstance(value, str)


def _reads_as_date(value: Any) -> bool:
    if isinstance(value, datetime | date):
        return True
    if isinstance(value, int) and not isinstance(value, bool):
        return 19_000_101 <= value <= 29_991_231 or seconds_per_step(value) is not None
    return isinstance(value, str) and _ISO_DATE.fullmatch(value) is not None


def seconds_per_step(value: Any) -> float | None:
    """What one step of a number is that counts the time since 1970: 1 or 0.001 s; None for others.

    So large a number in a column that is called like a date is one between 2001 and 2065.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if 1_000_000_000 <= value < 3_000_000_000:
        return 1.0
    return 0.001 if 1_000_000_000_000 <= value < 3_000_000_000_000 else None


def _json_object(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None
