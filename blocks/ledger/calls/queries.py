"""What is asked of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, func, select

from blocks.ledger.calls.tables import ATTEMPTS, MESSAGES, REPLIES
from blocks.vocabulary.messages import Outcome

_HEX = frozenset("0123456789abcdef")


def newest(by: Column[Any], limit: int | None, **equal: str | None) -> Select[Any]:
    """Rows of the table of ``by``, the greatest first; ``equal`` as in ``matching``."""
    query = select(by.table).order_by(by.desc(), *by.table.primary_key)
    if limit is not None:
        query = query.limit(max(0, limit))
    return matching(query, by.table, **equal)


def calls(limit: int, since: datetime | None = None, **equal: str | None) -> Select[Any]:
    """Messages with their reply (``reply_*``) and the number of ``tries``, newest first.

    ``since`` leaves out those sent before; ``equal`` as in ``matching``.
    """
    tries = select(func.count()).where(ATTEMPTS.c.message_id == MESSAGES.c.id)
    query = (
        select(
            MESSAGES,
            tries.scalar_subquery().label("tries"),
            *(column.label(f"reply_{column.name}") for column in REPLIES.columns),
        )
        .outerjoin(REPLIES, REPLIES.c.message_id == MESSAGES.c.id)
        .order_by(MESSAGES.c.sent_at.desc(), MESSAGES.c.id)
        .limit(max(0, limit))
    )
    if since is not None:
        query = query.where(MESSAGES.c.sent_at >= since)
    return matching(query, MESSAGES, **equal)


def past_attempts(since: datetime, limit: int) -> Select[Any]:
    """Finished attempts that started at ``since`` or later with their action, newest first."""
    return (
        select(
            ATTEMPTS.c.message_id,
            ATTEMPTS.c.attempt,
            ATTEMPTS.c.agent,
            func.coalesce(func.nullif(ATTEMPTS.c.instance, ""), ATTEMPTS.c.agent).label("instance"),
            ATTEMPTS.c.action,
            ATTEMPTS.c.waited_ms,
            ATTEMPTS.c.started_at,
            ATTEMPTS.c.finished_at,
            ATTEMPTS.c.outcome,
            ATTEMPTS.c.error,
        )
        .where(
            ATTEMPTS.c.started_at >= since,
            ATTEMPTS.c.finished_at.is_not(None),
            ATTEMPTS.c.action.is_not(None),
        )
        .order_by(ATTEMPTS.c.started_at.desc())
        .limit(limit)
    )


def open_attempts(now: datetime) -> Select[Any]:
    """``agent`` and ``workload``: attempts that are open and may still be alive."""
    agent = ungathered(ATTEMPTS.c.agent)
    return (
        select(agent.label("agent"), func.count().label("workload"))
        .where(ATTEMPTS.c.finished_at.is_(None), ATTEMPTS.c.deadline > now)
        .group_by(agent)
    )


def replied(since: datetime) -> Select[Any]:
    """Per ``agent``, over the replies after ``since``: how many, how fast, and the last."""
    failed = func.count().filter(REPLIES.c.outcome == Outcome.FAILED)
    return (
        select(
            REPLIES.c.sender.label("agent"),
            (func.count() - failed).label("completed"),
            failed.label("failed"),
            func.avg(REPLIES.c.duration_ms).label("mean_ms"),
            func.max(REPLIES.c.replied_at).label("last_reply_at"),
        )
        .where(REPLIES.c.replied_at > since)
        .group_by(REPLIES.c.sender)
    )


def ungathered(column: Column[str]) -> ColumnElement[str]:
    """A column to group by that is not empty.

    Grouped by the bare column, SQLite reads the whole table by an index that begins with it, to
    save itself the sorting of the few rows that are asked for.
    """
    return func.coalesce(column, "")


def begins(column: Column[str], beginning: str) -> ColumnElement[bool]:
    """Whether an id begins so."""
    same = column.startswith(beginning, autoescape=True)
    if not set(beginning) <= _HEX:
        return same
    # No database makes use of an index for a beginning alone. Ids are hex digits: whatever the
    # order that a database keeps text in, those that begin so lie between these two.
    return and_(column >= beginning, column < f"{beginning}g", same)


def matching(query: Select[Any], table: Table, **equal: str | None) -> Select[Any]:
    """The query, restricted by the columns that are given a value."""
    for name, value in equal.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    return query
