"""Where a store's frames are in its database: what is read, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field
from sqlalchemy import URL

from blocks.egress import Reach
from blocks.formats.decimal_marks import DecimalMark
from blocks.models import Strict

STORE_FRAMES = ("products", "stock", "sale_lines", "open_orders")
"""What a store is mapped to; ``sales`` and ``orders`` are added up from ``sale_lines``."""

Value = str | int | float | bool


class Join(Strict):
    """A further table whose columns belong to the same row (a left join).

    Attributes:
        table: Table or view.
        on: Column of the tables before it to column of this table.
    """

    table: str
    on: dict[str, str] = Field(min_length=1)


class FrameMapping(Strict):
    """Where one frame is found in the store's database.

    A column is written ``column`` or ``table.column``; a bare name means the first of the tables
    that has it. All names are checked against the database's schema, and quoted. What this cannot
    express (sums, conversions, unions) belongs in a view of the database, which is a table to us.

    Attributes:
        table: Table or view with one row per row of the frame.
        columns: Our column to theirs.
        joins: Further tables.
        where: Keep rows whose column has one of these values; an empty list means: is empty.
        where_not: Leave out rows whose column has one of these values.
    """

    table: str
    columns: dict[str, str] = Field(min_length=1)
    joins: list[Join] = Field(default_factory=list)
    where: dict[str, list[Value]] = Field(default_factory=dict)
    where_not: dict[str, list[Value]] = Field(default_factory=dict)


@dataclass(frozen=True)
class StoreSource:
    """A store as its reader needs it; the fields are those of StoreDatabase."""

    name: str
    url: URL
    reach: Reach
    currency: str
    timezone: str
    decimal_mark: DecimalMark | None
    frames: Mapping[str, FrameMapping]
    history_days: int
    statement_timeout: float
    max_rows: int
