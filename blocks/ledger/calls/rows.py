"""Records to rows and back.

A row is made when the entry is recorded, its JSON already as text: what happens to a payload
afterwards does not change the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Table

from blocks.ledger.calls import tables
from blocks.ledger.calls.records import (
    AttemptRecord,
    CallRecord,
    PastAttempt,
    ReceiptRecord,
    ReportRecord,
    RunRecord,
)
from blocks.ledger.engine.prepared import Prepared
from blocks.ledger.engine.upsert import insert, unless_finished
from blocks.ledger.engine.values import finite, to_json
from blocks.ledger.engine.writer import Entry, WriteRows
from blocks.ledger.receipts.chain import appending, receipt_row
from blocks.ledger.receipts.signing import Seal
from blocks.vocabulary.blame import blame
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome

_MILLISECOND = timedelta(milliseconds=1)

Recordable = AgentMessage | AgentReply | AttemptRecord | RunRecord | ReceiptRecord


def entry(record: Recordable) -> Entry:
    """The row that a record becomes, and its table."""
    if isinstance(record, AgentMessage):
        return Entry("messages", _message_row(record))
    if isinstance(record, AgentReply):
        return Entry("replies", _reply_row(record))
    if isinstance(record, AttemptRecord):
        return Entry("attempts", _attempt_row(record))
    if isinstance(record, RunRecord):
        return Entry("runs", dict(record))
    if isinstance(record, ReceiptRecord):
        return Entry("receipts", receipt_row(record))
    raise TypeError(f"The ledger records no {type(record).__name__}.")


def _message_row(message: AgentMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "run_id": message.run_id,
        "task_id": message.task_id,
        "sender": message.sender,
        "recipient": message.recipient,
        "type": message.type,
        "action": message.action,
        "priority": int(message.priority),
        "sent_at": message.timestamp,
        "payload": to_json(message.payload),
    }


def _attempt_row(attempt: AttemptRecord) -> dict[str, Any]:
    row = dict(attempt) | {"error": _optional_json(attempt.error)}
    sent_at, end = row.pop("sent_at"), attempt.finished_at
    return row | {
        "waited_ms": max(0.0, (attempt.started_at - sent_at) / _MILLISECOND),
        "took_ms": None if end is None else max(0.0, (end - attempt.started_at) / _MILLISECOND),
    }


def _reply_row(reply: AgentReply) -> dict[str, Any]:
    return {
        "message_id": reply.message_id,
        "sender": reply.sender,
        "replied_at": reply.timestamp,
        "outcome": reply.outcome,
        "payload": to_json(reply.payload),
        "error": _optional_json(reply.error),
        "attempts": reply.attempts,
        "duration_ms": finite(reply.duration_ms),
    }


def report_row(record: ReportRecord) -> dict[str, Any]:
    """The row of a report."""
    return dict(record) | {"body": to_json(record.body)}


def call_record(row: RowMapping) -> CallRecord:
    """A row of a message joined with its reply (``reply_*``) and its counted ``tries``."""
    answered = row["reply_outcome"] is not None
    return CallRecord(
        message_id=row["id"],
        run_id=row["run_id"],
        sender=row["sender"],
        agent=row["recipient"],
        action=row["action"],
        priority=row["priority"],
        sent_at=row["sent_at"],
        payload=row["payload"],
        outcome=row["reply_outcome"],
        reply=row["reply_payload"],
        error=row["reply_error"],
        attempts=row["reply_attempts"] if answered else row["tries"],
        duration_ms=row["reply_duration_ms"],
    )


def past_attempt(row: RowMapping) -> PastAttempt:
    """A row of a finished attempt with its action."""
    fields = dict(row)
    error, waited = fields.pop("error") or {}, fields.pop("waited_ms")
    fields["sent_at"] = fields["started_at"] - timedelta(milliseconds=waited)
    failed = fields["outcome"] == Outcome.FAILED
    return PastAttempt(**fields, blame=blame(error.get("code", "")) if failed else None)


def _optional_json(value: object) -> str | None:
    return None if value is None else to_json(value)


def writes(seal: Seal) -> Mapping[str, WriteRows]:
    """How an entry is written, per table, so that repeating it or changing the order is harmless.

    Messages and replies do not change: the first stands. Runs and attempts start open and then
    finish, and a finished row stays as it is, however late its start comes in. Receipts come last:
    they hold the lock of their chain until the commit.
    """
    return {
        "runs": _finishing(tables.RUNS),
        "messages": _inserting(tables.MESSAGES),
        "attempts": _finishing(tables.ATTEMPTS),
        "replies": _inserting(tables.REPLIES),
        "receipts": appending(seal),
    }


def _inserting(table: Table) -> WriteRows:
    statement = Prepared(lambda dialect: insert(dialect, table).on_conflict_do_nothing())

    def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
        statement.execute(connection, rows)

    return write


def _finishing(table: Table) -> WriteRows:
    statement = Prepared(lambda dialect: unless_finished(dialect, table))
    names = [column.name for column in table.primary_key]

    def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
        last: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in rows:  # what began and finished since the last commit is written once
            key = tuple(row[name] for name in names)
            if key not in last or last[key]["finished_at"] is None:
                last[key] = row
        statement.execute(connection, list(last.values()))

    return write
