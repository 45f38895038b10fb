"""Writing a row whose key may be there already."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT; both dialects spell it alike."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def replacing(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that replaces the row of the same key."""
    statement = insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=_others(statement, table)
    )


def unless_finished(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that replaces the row of the same key, unless that is finished."""
    statement = insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_=_others(statement, table),
        where=table.c.finished_at.is_(None),
    )


def _others(statement: postgresql.Insert | sqlite.Insert, table: Table) -> dict[str, Any]:
    return {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
