"""What is asked of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, Table, func, select

from blocks.ledger.tables import ATTEMPTS, MESSAGES, REPLIES
from blocks.messages import Outcome


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
            MESSAGES.c.action,
            MESSAGES.c.sent_at,
            ATTEMPTS.c.started_at,
            ATTEMPTS.c.finished_at,
            ATTEMPTS.c.outcome,
            ATTEMPTS.c.error,
        )
        .join(MESSAGES, MESSAGES.c.id == ATTEMPTS.c.message_id)
        .where(ATTEMPTS.c.started_at >= since, ATTEMPTS.c.finished_at.is_not(None))
        .order_by(ATTEMPTS.c.started_at.desc())
        .limit(limit)
    )


def open_attempts(now: datetime) -> Select[Any]:
    """``agent`` and ``workload``: attempts that are open and may still be alive."""
    return (
        select(ATTEMPTS.c.agent, func.count().label("workload"))
        .where(ATTEMPTS.c.finished_at.is_(None), ATTEMPTS.c.deadline > now)
        .group_by(ATTEMPTS.c.agent)
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


def matching(query: Select[Any], table: Table, **equal: str | None) -> Select[Any]:
    """The query, restricted by the columns that are given a value."""
    for name, value in equal.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    return query
