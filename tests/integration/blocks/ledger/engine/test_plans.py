"""No look that is taken all day reads a whole table: what it costs must not grow with the ledger.

Each look's statements are caught, and the database is asked how it would answer them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from benchmarks.large_ledger_rows import Size, fill
from blocks.ledger import Ledger, ReceiptKind, TaskStatus
from blocks.ledger.engine.tables import METADATA
from blocks.ledger.events.records import IncidentStatus
from blocks.ledger.receipts.outcomes import Verdict
from blocks.ledger.retention.retention import next_page
from blocks.ledger.retention.rules import RULES
from blocks.ledger.webhooks.deliveries import Search
from blocks.ledger.work.approvals import ApprovalStatus
from blocks.vocabulary.messages import ErrorInfo, SystemEvent
from flows.upkeep.settle_outcomes import settle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, WEEK = NOW - timedelta(days=1), NOW - timedelta(days=7)
SIZE = Size(events=4000, calls=1200, runs=400)

SMALL = {
    "alembic_version",
    "api_tokens",
    "claims",
    "leases",
    "policies",
    "settling",
    "snapshots",
    "endpoints",
}
"""Tables that do not grow with what is done."""

PARTIAL = {
    index.name
    for table in METADATA.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
"""Indexes of what is open, or failed: to read all of one is what it is there for."""

Look = Callable[[Ledger], Awaitable[Any]]


_BY_ANOTHER_TABLE = ("alerts", "snapshot_parts", "snapshot_items", "order_lines", "order_entries")


async def pages_of_what_may_go(ledger: Ledger) -> None:
    for rule in RULES:
        if rule.table.name in _BY_ANOTHER_TABLE:
            continue  # a row per outage, or few; and once a day
        read = partial(next_page, rule=rule, since=WEEK, after=DAY - timedelta(days=700))
        await ledger._access.read(read)


LOOKS: dict[str, Look] = {
    "calls of the week": lambda ledger: ledger.history.calls(WEEK),
    "events of the week": lambda ledger: ledger.history.events(WEEK),
    "work": lambda ledger: ledger.history.work(DAY),
    "actions": lambda ledger: ledger.history.actions("sre-reliability", DAY),
    "runs": lambda ledger: ledger.history.runs(DAY),
    "task counts": lambda ledger: ledger.tasks.counts(DAY, NOW),
    "tasks that ended": lambda ledger: ledger.tasks.ended(DAY, NOW),
    "abandoned tasks": lambda ledger: ledger.tasks.abandoned(NOW),
    "tasks given up": lambda ledger: ledger.tasks.give_up(
        "abc", ErrorInfo(code="run-crashed", what="It died."), NOW
    ),
    "open tasks": lambda ledger: ledger.tasks.list(TaskStatus.ACCEPTED, TaskStatus.RUNNING),
    "due approvals": lambda ledger: ledger.approvals.unsettled(NOW),
    "expiring approvals": lambda ledger: ledger.approvals.expire_due(NOW),
    "open approvals": lambda ledger: ledger.approvals.list(ApprovalStatus.OPEN),
    "open runs": lambda ledger: ledger.runs(since=WEEK, going_on=True, limit=500),
    "last run of a workflow": lambda ledger: ledger.runs(workflow="daily-health-check"),
    "last report of a workflow": lambda ledger: ledger.latest_reports(workflow="seldom"),
    "open incidents": lambda ledger: ledger.inbox.incidents(status=IncidentStatus.OPEN),
    "alerts of a source that fire": lambda ledger: ledger.inbox.firing("monitoring"),
    "samples of a series": lambda ledger: ledger.samples.history(["host:local/up"], DAY, NOW),
    "depth": lambda ledger: ledger.inbox.depth(NOW),
    "taking events": lambda ledger: ledger.inbox.take(NOW, "run", NOW, 50),
    "equal events": lambda ledger: ledger.inbox.earlier(SystemEvent(source="s", type="t"), DAY),
    "effects that are due": lambda ledger: ledger.effects.due(NOW),
    "events that partners are to be told of": lambda ledger: ledger.partner_events.unshared(100),
    "endpoints for which something is due": lambda ledger: ledger.endpoints.waiting(NOW),
    "deliveries that wait": lambda ledger: ledger.endpoints.counts(),
    "what an endpoint is sent next": lambda ledger: ledger.deliveries.next("dead", NOW),
    "delivery of an effect": lambda ledger: ledger.deliveries.of_effect("7"),
    "deliveries to an endpoint": lambda ledger: ledger.deliveries.found(Search(endpoint="well")),
    "open tellings": lambda ledger: ledger.tellings.open("owner"),
    "effect of a key": lambda ledger: ledger.effects.of_key("7"),
    "acts": lambda ledger: ledger.effects.acts(since=DAY),
    "acts on a target": lambda ledger: ledger.effects.acts(target="service:7"),
    "orders under way": lambda ledger: ledger.orders.under_way(),
    "orders heard of": lambda ledger: ledger.orders.heard_of(NOW - timedelta(hours=1)),
    "orders of items": lambda ledger: ledger.orders.of_skus(["7", "8"]),
    "order of an effect": lambda ledger: ledger.orders.of_effect("7"),
    "lead times": lambda ledger: ledger.orders.lead_times("acme"),
    "attempts": lambda ledger: ledger.past_attempts(DAY, 400),
    "what came back": lambda ledger: ledger.outcomes.list(since=DAY, verdict=Verdict.RECURRED),
    "activity": lambda ledger: ledger.activity(NOW),
    "head of the receipts": lambda ledger: ledger.receipts.head(),
    "selections": lambda ledger: ledger.outcomes.open_decisions(ReceiptKind.SELECT, 5000),
    "settling": lambda ledger: settle(ledger, NOW),
    "pages of what may go": pages_of_what_may_go,
    "a beginning of an id": lambda ledger: ledger.traces.find("9e3779b97f4a7c15c"),
}


SERVED_BY = {
    "calls of the week": {"ix_replies_ended", "ix_replies_failed"},
    "work": {"ix_attempts_failed"},
    "abandoned tasks": {"ix_tasks_open"},
    "open runs": {"ix_runs_open"},
    "depth": {"ix_events_open"},
    "taking events": {"ix_events_open"},
    "equal events": {"ix_events_fingerprint"},
    "what came back": {"ix_outcomes_verdict"},
    "settling": {"ix_receipts_kind", "ix_tasks_issue"},
}
"""Looks that another index could serve, at a cost that grows with what a day brings."""


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    Ledger.open(ledger_url).close()
    fill(ledger_url, SIZE, NOW)
    with Ledger.open(ledger_url) as ledger:
        yield ledger


async def test_no_look_reads_a_whole_table(ledger: Ledger) -> None:
    await settle(ledger, NOW)  # the first look at decisions has them all before it
    whole, missing = {}, {}
    for name, look in LOOKS.items():
        with caught(ledger) as statements:
            await look(ledger)
        assert statements, name
        plan = _plan(ledger, statements)
        if found := [step for step in plan if step.whole and step.index not in PARTIAL]:
            whole[name] = found
        if unused := SERVED_BY.get(name, set()) - {step.index for step in plan}:
            missing[name] = unused
    assert (whole, missing) == ({}, {})


@dataclass(frozen=True)
class Step:
    """How a table that grows is read; ``whole`` when all of it, or of the index, is."""

    table: str
    index: str
    whole: bool
    statement: str


@contextmanager
def caught(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the ledger's database meanwhile."""
    engine, statements = ledger._database.engine, []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            statements.append((statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _plan(ledger: Ledger, statements: list[tuple[str, Any]]) -> list[Step]:
    with ledger._database.engine.connect() as connection:
        read = _of_sqlite if connection.dialect.name == "sqlite" else _of_postgresql
        steps = [step for asked in statements for step in read(connection, *asked)]
    return [step for step in steps if step.table not in SMALL]


def _of_sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[Step]:
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        words = row.detail.split()
        if words[0] in ("SCAN", "SEARCH") and words[1].removesuffix("_1") in METADATA.tables:
            index = words[words.index("INDEX") + 1] if "INDEX" in words else ""
            yield Step(words[1].removesuffix("_1"), index, words[0] == "SCAN", statement[:200])


def _of_postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[Step]:
    # Of a table of a few pages it would read all; how it reads many is asked.
    for way in ("seqscan", "hashjoin", "mergejoin"):
        connection.exec_driver_sql(f"SET enable_{way} = off")
    asked = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    for node in _nodes(asked.scalar_one()[0]["Plan"]):
        name, table = node.get("Index Name", ""), node.get("Relation Name", "")
        if name or node["Node Type"] == "Seq Scan":
            whole = not name or "Index Cond" not in node
            yield Step(table, name, whole, statement[:200])


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)
