"""Rows of a ledger that has been in use for four weeks, of any size, written in bulk.

Whatever is over (runs, calls, decisions with their outcomes, settled events) grows with the size;
whatever is open at this moment (waiting events, questions, decisions of the last hour) does not: a
large ledger is one that has kept much, not one that is behind with its work.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from random import Random
from typing import Any

import sqlalchemy as sa

from benchmarks import large_ledger_orders as purchasing
from benchmarks import large_ledger_webhooks as webhooks
from blocks.ledger.engine.tables import METADATA
from blocks.ledger.receipts.tables import OUTCOMES, RECEIPTS, SETTLING

WEEKS = timedelta(days=28)

WAITING = 200
"""Events that are not settled."""

OPEN_DECISIONS = 200
"""Selections whose outcome is not known yet."""

QUESTIONS = 3
"""Approvals that wait for an answer."""

_HOUR = timedelta(hours=1)
_ACTIONS = [
    ("data-intelligence", "process_event"),
    ("data-intelligence", "assess_stock_risk"),
    ("sre-reliability", "check_service_health"),
    ("sre-reliability", "process_event"),
    ("integration-specialist", "fetch_data"),
    ("integration-specialist", "validate_all_integrations"),
]
_WORKFLOWS = (
    ["event-driven-workflow"] * 6
    + ["route-task"] * 9
    + ["deliver-message"] * 3
    + [
        "sequential-workflow",
        "parallel-workflow",
    ]
)
_RECENT = _HOUR  # how far back decisions have no outcome yet

Row = dict[str, Any]
Rows = Iterator[Row]


@dataclass(frozen=True)
class Size:
    """How much a ledger holds."""

    events: int
    calls: int
    runs: int

    @property
    def label(self) -> str:
        """For a table."""
        return f"{self.events:,} events, {self.calls:,} calls, {self.runs:,} runs"


def fill(url: str, size: Size, now: datetime) -> None:
    """Write the rows of a ledger of four weeks that end now.

    Args:
        url: Of a ledger that is empty and at the newest revision.
        size: How much.
        now: Its last instant.
    """
    number = size.runs // 20
    ids = [_id("5", n) for n in range(number)]
    told = [_id("7", n) for n in range(number)]
    instants = [instant(n, number, now) for n in range(number)]
    tables: dict[str, Callable[[], Rows]] = {
        "runs": partial(_runs, size, now),
        "reports": partial(_reports, size, now),
        "tasks": partial(_tasks, size, now),
        "messages": partial(_messages, size, now),
        "attempts": partial(_attempts, size, now),
        "replies": partial(_replies, size, now),
        "receipts": partial(_receipts, size, now),
        "outcomes": partial(_outcomes, size, now),
        "events": partial(_events, size, now),
        "incidents": partial(_incidents, size, now),
        "effects": lambda: chain(
            _effects(size, now),
            purchasing.order_effects(ids, instants),
            webhooks.effects(told, instants),
        ),
        "partner_events": partial(webhooks.events, told, instants),
        "deliveries": partial(webhooks.deliveries, told, instants),
        "delivery_attempts": partial(webhooks.attempts, told, instants),
        "endpoints": partial(webhooks.endpoints, now),
        "orders": partial(purchasing.orders, ids, instants),
        "order_lines": partial(purchasing.order_lines, ids),
        "order_entries": partial(purchasing.order_entries, ids, instants),
        "approvals": partial(_approvals, size, now),
        "claims": partial(_claims, now),
    }
    write = _write_sqlite if url.startswith("sqlite") else _write_postgresql
    write(url, tables)


def reopen(url: str, now: datetime) -> None:
    """Make the last decisions open again, after whatever was settled since the ledger was filled.

    Args:
        url: Of the ledger.
        now: As it was filled with.
    """
    engine = sa.create_engine(url)
    before = sa.select(sa.func.max(RECEIPTS.c.seq) - OPEN_DECISIONS).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(sa.delete(OUTCOMES).where(OUTCOMES.c.settled_at > now))
        connection.execute(sa.delete(SETTLING))
        for kind in ("route", "select"):
            connection.execute(sa.insert(SETTLING).values(kind=kind, read_to=before, held=[]))
    engine.dispose()


def instant(number: int, of: int, now: datetime, end: timedelta = 3 * _HOUR) -> datetime:
    """When the ``number``-th of so many things happened, the last a while before the end."""
    return now - WEEKS + (WEEKS - end) * (number / of)


def _runs(size: Size, now: datetime) -> Rows:
    random = Random(1)
    for n in range(size.runs):
        at = instant(n, size.runs, now)
        yield {
            "id": _id("a", n),
            "workflow": _workflow(n, size),
            "trigger": "schedule",
            "flow_run_id": _id("a", n),
            "started_at": at,
            "finished_at": at + timedelta(seconds=random.uniform(1, 20)),
            "outcome": "failed" if random.random() < 0.005 else "succeeded",
        }


def _reports(size: Size, now: datetime) -> Rows:
    for n in range(size.runs):
        at = instant(n, size.runs, now)
        yield {
            "run_id": _id("a", n),
            "workflow": _workflow(n, size),
            "created_at": at + timedelta(seconds=20),
            "body": json.dumps(_report(_id("a", n), _workflow(n, size), at)),
        }


def _report(run_id: str, workflow: str, at: datetime) -> Row:
    text = "What was found, why it matters, and what was done about it. " * 8
    return {
        "run_id": run_id,
        "workflow": workflow,
        "title": workflow,
        "headline": "14 events in 3 incidents: 2 mended, 1 left to a person.",
        "started_at": at.isoformat(),
        "finished_at": (at + timedelta(seconds=20)).isoformat(),
        "outcome": "succeeded",
        "sections": [{"title": f"Part {part}", "text": text} for part in range(3)],
    }


def _tasks(size: Size, now: datetime) -> Rows:
    for n in range(0, size.runs):
        if _workflow(n, size) != "route-task":
            continue
        at = instant(n, size.runs, now, end=7 * _HOUR)
        yield {
            "id": _id("b", n),
            "need_key": f"need {n}",
            "task_type": ("inventory_sync", "performance_issue", "data_anomaly")[n % 3],
            "params": json.dumps({"resource": f"sku:{n % 900}"}),
            "resource": f"sku:{n}",
            "priority": 2,
            "requested_by": "system-orchestrator",
            "requested_at": at,
            "status": "failed" if n % 200 == 1 else "done",
            "run_id": _id("a", n),
            "policy_version": "p1",
            "played_by": "primary/data-intelligence",
            "finished_at": at + timedelta(seconds=9),
            "result": json.dumps({"summary": "As it should be. " * 10}),
        }


def _calls(size: Size, now: datetime) -> Iterator[tuple[int, str, datetime]]:
    """Number, id and instant of each; the last of them are so new that they are not judged yet."""
    for n in range(size.calls - OPEN_DECISIONS):
        yield n, _id("c", n), instant(n, size.calls, now)
    for n in range(size.calls - OPEN_DECISIONS, size.calls):
        yield n, _id("c", n), now - _RECENT * ((size.calls - n) / OPEN_DECISIONS)


def _messages(size: Size, now: datetime) -> Rows:
    padding = "what the agent is asked, in words and figures. " * 4
    for n, id_, at in _calls(size, now):
        agent, action = _ACTIONS[n % len(_ACTIONS)]
        event = {"id": f"e{n}", "type": "stock.low", "subject": f"sku:{n % 900}", "text": padding}
        yield {
            "id": id_,
            "run_id": _id("a", n * size.runs // size.calls),
            "sender": "system-orchestrator",
            "recipient": agent,
            "type": "request",
            "action": action,
            "priority": 2,
            "sent_at": at,
            "payload": json.dumps({"event": event}),
        }


def _attempts(size: Size, now: datetime) -> Rows:
    random = Random(2)
    for n, id_, at in _calls(size, now):
        agent, action = _ACTIONS[n % len(_ACTIONS)]
        retried, failed = n % 33 == 0, n % 100 == 1
        for attempt in (1, 2) if retried else (1,):
            waited = random.uniform(2, 20) + 400 * (attempt - 1)
            began, took = at + timedelta(milliseconds=waited), random.expovariate(1 / 200)
            lost = failed or (retried and attempt == 1)
            yield {
                "message_id": id_,
                "attempt": attempt,
                "agent": agent,
                "instance": agent if n % 3 else f"{agent}/2",
                "started_at": began,
                "deadline": began + timedelta(seconds=30),
                "finished_at": began + timedelta(milliseconds=took),
                "outcome": "failed" if lost else "succeeded",
                "error": json.dumps(_ERROR) if lost else None,
                "action": action,
                "waited_ms": waited,
                "took_ms": took,
            }


_ERROR = {"code": "source-timeout", "what": "It took too long.", "hint": "", "retryable": True}


def _replies(size: Size, now: datetime) -> Rows:
    random = Random(3)
    padding = "what the agent found, in words and figures. " * 8
    for n, id_, at in _calls(size, now):
        ms, failed = random.expovariate(1 / 200), n % 100 == 1
        yield {
            "message_id": id_,
            "sender": _ACTIONS[n % len(_ACTIONS)][0],
            "replied_at": at + timedelta(milliseconds=ms),
            "outcome": "failed" if failed else "succeeded",
            "payload": json.dumps({"summary": padding, "findings": []}),
            "error": json.dumps(_ERROR) if failed else None,
            "attempts": 2 if n % 33 == 0 else 1,
            "duration_ms": ms,
        }


def _decisions(size: Size, now: datetime) -> Iterator[tuple[str, str, datetime]]:
    """Kind, subject and instant of each."""
    for task in _tasks(size, now):
        yield "route", task["id"], task["requested_at"]
    for _, id_, at in _calls(size, now):
        yield "select", id_, at


def _receipts(size: Size, now: datetime) -> Rows:
    parts = {"expertise": 0.3, "load": 0.25, "reliability": 0.4, "speed": 0.05}
    candidates = [
        {"name": f"agent/{n}", "score": 0.71, "parts": parts, "lost_because": "a lower score"}
        for n in range(3)
    ]
    body = json.dumps(
        {
            "inputs": {"agent": "data-intelligence", "candidates": candidates},
            "decision": {"instance": "agent/1"},
            "why": "agent/1 takes it.",
            "candidates": candidates,
        }
    )
    for seq, (kind, subject, at) in enumerate(_decisions(size, now), start=1):
        yield {
            "seq": seq,
            "id": _id("d", seq),
            "at": at,
            "kind": kind,
            "subject": subject,
            "run_id": _id("a", seq * size.runs // (2 * size.calls)),
            "policy_version": "p1",
            "body": body,
            "previous": _id("f", seq - 1) * 2,
            "hash": _id("f", seq) * 2,
            "mac": f"v1,{seq},key,{_id('f', seq)}" if seq % 4 == 0 else None,
        }


def _outcomes(size: Size, now: datetime) -> Rows:
    for seq, (kind, subject, at) in enumerate(_decisions(size, now), start=1):
        if at > now - _RECENT:
            continue
        yield {
            "receipt_id": _id("d", seq),
            "kind": kind,
            "subject": subject,
            "task_type": "inventory_sync" if kind == "route" else None,
            "instance": "agent/1",
            "decided_at": at,
            "settled_at": at + _HOUR,
            "verdict": "recurred" if seq % 500 == 0 else "succeeded",
            "cost_ms": 200.0,
            "detail": "{}",
        }


def _events(size: Size, now: datetime) -> Rows:
    scale = ("info", "warning", "error", "critical")
    padding = "what happened, as the source tells it. " * 4
    for n in range(size.events):
        open_ = n >= size.events - WAITING
        at = now - timedelta(minutes=2) if open_ else instant(n, size.events, now)
        rank = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3)[n % 10]
        yield {
            "source": "shop",
            "id": f"e{n}",
            "type": ("stock.low", "service.down", "order.late")[n % 3],
            "time": at,
            "severity": scale[rank],
            "rank": rank,
            "subject": f"sku:{n % 900}",
            "data": json.dumps({"on_hand": n % 40, "text": padding}),
            "fingerprint": _id("e", n % 2700),
            "content_hash": _id("e", n),
            "received_at": at,
            "status": "waiting" if open_ else "settled",
            "tries": 0 if open_ else 1,
            "incident_id": None if open_ else _id("1", n // _TOGETHER),
            "settled_at": None if open_ else at + timedelta(seconds=20),
        }


_TOGETHER = 50  # events of an incident


def _incidents(size: Size, now: datetime) -> Rows:
    number = size.events // _TOGETHER
    for n in range(number):
        at = instant(n, number, now)
        yield {
            "id": _id("1", n),
            "need_key": f"incident {n}",
            "resource": f"sku:{n % 900}",
            "severity": "warning",
            "title": "Stock is low",
            "opened_at": at,
            "updated_at": at,
            "status": "settled",
            "events": _TOGETHER,
            "run_id": _id("a", n * size.runs // number),
            "settled_at": at + timedelta(seconds=30),
            "response": json.dumps({"done": "The agents looked at it.", "assessments": []}),
            "type": "stock.low",
            "labels": "{}",
            "notice_group": "shop stock.low",
            "outages": 1,
        }


def _effects(size: Size, now: datetime) -> Rows:
    number = size.runs // 20
    for n in range(number):
        at = instant(n, number, now)
        yield {
            "id": _id("2", n),
            "run_id": _id("a", n * 20),
            "kind": "sre-reliability.restart_service",
            "target": f"service:{n % 300}",
            "need_key": f"remedy {n}",
            "idempotency_key": _id("2", n),
            "cause": _id("3", n % 300),
            "payload": "{}",
            "attempts": 1,
            "tries_before": 0,
            "intended_at": at,
            "finished_at": at + timedelta(seconds=8),
            "status": "done",
            "outcome": '{"verdict": "verified", "detail": "It answers again."}',
        }


def _approvals(size: Size, now: datetime) -> Rows:
    number = size.runs // 10
    for n in range(number):
        open_ = n >= number - QUESTIONS
        at = now - _HOUR if open_ else instant(n, number, now)
        answered = {"answered_at": at, "answered_by": "ann", "via": "cli", "applied_at": at}
        yield {
            "id": _id("4", n),
            "need_key": f"question {n}",
            "run_id": _id("a", n * 10),
            "title": "Order 40 of sku 7?",
            "detail": "It is sold out within two days. " * 5,
            "resource": f"sku:{n % 900}",
            "priority": 2,
            "proposal": json.dumps({"kind": "order", "units": 40}),
            "safe_choice": "reject",
            "asked_at": at,
            "expires_at": at + 8 * _HOUR,
            "status": "open" if open_ else "approved",
            "note": "",
            **({} if open_ else answered | {"outcome": "Done."}),
        }


def _claims(now: datetime) -> Rows:
    for n in range(300):
        yield {
            "resource": f"service:{n}",
            "token": 7,
            "workflow": "daily-health-check",
            "priority": 2,
            "taken_at": now - _HOUR,
            "expires_at": now - _HOUR / 2,
            "acting": False,
        }


def _workflow(number: int, size: Size) -> str:
    if number % (size.runs // 28) == 0:
        return "daily-health-check"  # once a day, whatever else goes on
    return _WORKFLOWS[number % len(_WORKFLOWS)]


def _id(kind: str, number: int) -> str:
    """32 hex digits; spread as random ones are, and the same for the same number."""
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{kind}{number:015x}"


def _write_sqlite(url: str, tables: dict[str, Callable[[], Rows]]) -> None:
    path = sa.make_url(url).database or ""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")
        connection.execute("BEGIN")
        for name, rows in tables.items():
            columns = [column.name for column in METADATA.tables[name].columns]
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})",
                ([_sqlite_value(row.get(column)) for column in columns] for row in rows()),
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


def _write_postgresql(url: str, tables: dict[str, Callable[[], Rows]]) -> None:
    engine = sa.create_engine(url)
    with closing(engine.raw_connection()) as connection:
        for name, rows in tables.items():
            columns = [column.name for column in METADATA.tables[name].columns]
            command = f"COPY {name} ({', '.join(columns)}) FROM STDIN"
            with connection.cursor() as cursor, cursor.copy(command) as copy:  # type: ignore[attr-defined]
                for row in rows():
                    copy.write_row([row.get(column) for column in columns])
        connection.commit()
        # What PostgreSQL does by itself within minutes.
        connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        connection.cursor().execute("VACUUM ANALYZE")
    engine.dispose()
