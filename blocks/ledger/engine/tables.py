"""What the tables of all rooms are made of; each room's stand in a ``tables.py`` of its own.

Entries of one call may arrive in any order and from several processes (a finished attempt before
its message, a message before its run), so no foreign key ties them; ``message_id`` and ``run_id``
do. A change here needs a migration; a test compares both.

JSON columns are ``json`` on PostgreSQL, not ``jsonb``: it keeps the order of keys and the exact
spelling of numbers, both of which a report shows, and nothing here searches inside them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    MetaData,
    Text,
    TypeDecorator,
)

from blocks.ledger.engine.values import clean_text


class Instant(TypeDecorator[datetime]):
    """An aware instant, UTC in and out; SQLite, which has no zones, stores it naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver is given."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver gave."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CleanText(TypeDecorator[str]):
    """Text without what a database refuses: NUL characters and lone surrogates."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What the driver is given."""
        return None if value is None else clean_text(value)


def required(name: str, kind: Any = CleanText, **kwargs: Any) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, kind, nullable=False, **kwargs)


def json_column(name: str, **kwargs: Any) -> Column[Any]:
    """A column of JSON, which is given as text."""
    return Column(name, JSON(none_as_null=True), **kwargs)


def index_where(name: str, condition: ColumnElement[bool], *columns: Column[Any]) -> Index:
    """An index of the few rows that a condition holds for; it must stand so in the query, too."""
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


METADATA = MetaData()
"""Knows the tables of all rooms once the ledger is imported."""
