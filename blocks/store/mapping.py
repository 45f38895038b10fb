"""Where a store's frames are in its database: what is read, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from sqlalchemy import URL

from blocks.egress import Reach
from blocks.formats.decimal_marks import DecimalMark
from blocks.models import Strict
from blocks.vocabulary.amounts import Amounts

STORE_FRAMES = ("products", "stock", "sale_lines", "open_orders")
"""What a store is mapped to; ``sales`` and ``orders`` are added up from ``sale_lines``."""

Value = str | int | float | bool

_LONGEST_NAME = 50  # of those that we give: PostgreSQL's have at most 63 bytes
_SumName = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]


class Source(Strict):
    """A table, and which of its rows count.

    Attributes:
        table: Table or view, ``schema.table`` outside the default schema.
        where: Keep rows whose column has one of these values; an empty list means: is empty.
        where_not: Leave out rows whose column has one of these values.
        keep: Keep rows for which this condition holds, an expression such as
            ``product_qty > qty_received``.
    """

    table: str
    where: dict[str, list[Value]] = Field(default_factory=dict)
    where_not: dict[str, list[Value]] = Field(default_factory=dict)
    keep: str = ""


class Join(Source):
    """A further table whose columns belong to the same row (a left join).

    Its own conditions choose which of its rows are joined: they never take a row of the frame
    away. The same table may be joined several times, under several names.

    Attributes:
        name: What its columns are called by; the table's own name when empty.
        on: Column of the tables before it to column of this table.
        sums: Column to an expression of this table's own columns, added up over the rows of each
            key (the columns of ``on``) first; then these sums are all the columns it has.
    """

    name: str = Field(default="", max_length=_LONGEST_NAME)
    on: dict[str, str] = Field(min_length=1)
    sums: dict[_SumName, str] = Field(default_factory=dict)

    @property
    def called(self) -> str:
        """The name that its columns go by."""
        return self.name or self.table


class FrameMapping(Source):
    """Where one frame is found in the store's database.

    A column is an expression (see blocks.store.expressions): most often just ``column`` or
    ``table.column``; a bare name means the first of the tables that has it. All names are checked
    against the database's schema, and quoted; no SQL is taken.

    Attributes:
        table: Table or view with one row per row of the frame.
        columns: Our column to theirs.
        joins: Further tables.
        rows: What rows of one SKU mean, for ``stock``: ``one`` (there should be no second one) or
            ``sum`` (of several places or lots: they are added up).
    """

    columns: dict[str, str] = Field(min_length=1)
    joins: list[Join] = Field(default_factory=list)
    rows: Literal["one", "sum"] = "one"

    @model_validator(mode="after")
    def _each_name_once(self) -> FrameMapping:
        names = [self.table, *(join.called for join in self.joins)]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"{twice!r} stands twice among the tables; give a join another name")
        return self


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Frame = Annotated[list[FrameMapping], BeforeValidator(_listed), Field(min_length=1)]
"""Where a frame is found: in one place, or in several whose rows are put together."""


@dataclass(frozen=True)
class StoreSource:
    """A store as its reader needs it; the fields are those of StoreDatabase."""

    name: str
    url: URL
    reach: Reach
    currency: str
    rates: Mapping[str, float]
    amounts: Amounts
    timezone: str
    decimal_mark: DecimalMark | None
    frames: Mapping[str, list[FrameMapping]]
    history_days: int
    statement_timeout: float
    max_rows: int
    settled_days: int = 35
    kept_in: Path | None = None
    """Folder of settled months; None reads all days from the database."""
