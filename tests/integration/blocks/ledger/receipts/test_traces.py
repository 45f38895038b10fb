"""One id, and everything that the ledger knows about it, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from agents.registry import registry
from blocks.errors import RequestError
from blocks.ledger import Ledger, ReceiptKind, ReceiptRecord, RunRecord
from blocks.ledger.engine.tables import METADATA
from blocks.ledger.events.tables import INCIDENTS
from blocks.ledger.receipts.tables import OUTCOMES
from blocks.ledger.receipts.traces import TraceKind
from blocks.ledger.work.approvals import ApprovalRecord
from blocks.ledger.work.tasks import TaskRecord
from blocks.policy.policy import Policy
from blocks.vocabulary.messages import AgentMessage, AgentReply, ErrorInfo
from flows.orchestrator.decisions.replay_ledger import replay_ledger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def receipt(id_: str, minute: int, kind: ReceiptKind, subject: str, **fields: Any) -> ReceiptRecord:
    at = NOON + timedelta(minutes=minute)
    return ReceiptRecord(id=id_, at=at, kind=kind, subject=subject, body={"why": id_}, **fields)


async def a_task(ledger: Ledger) -> None:
    """A task with two calls, one of which failed and one of which nobody answered."""
    await ledger.tasks.accept(
        TaskRecord(id="task-0001", task_type="inventory_sync", requested_at=NOON)
    )
    to = {"to": "data-intelligence", "task_id": "task-0001", "action": "count"}
    asked = AgentMessage(id="message-1", timestamp=NOON, **to)
    error = ErrorInfo(code="source-timeout", what="no answer", retryable=True)
    answer = {"from": "data-intelligence", "outcome": "failed", "error": error, "attempts": 3}
    ledger.record(
        asked,
        AgentMessage(id="message-2", timestamp=NOON, **to),
        AgentReply(message_id=asked.id, timestamp=NOON, **answer),
        RunRecord(id="run-00001", workflow="route-task", started_at=NOON),
        # Recorded in another order than that of time.
        receipt("receipt-b", 1, ReceiptKind.SELECT, "message-1", run_id="run-00001"),
        receipt("receipt-c", 2, ReceiptKind.ESCALATE, "approval-1"),
        receipt("receipt-a", 0, ReceiptKind.ROUTE, "task-0001", run_id="run-00001"),
        receipt("receipt-d", 3, ReceiptKind.ARBITRATE, "service:shop", run_id="run-00002"),
    )
    await ledger.approvals.ask(
        ApprovalRecord(
            id="approval-1",
            need_key="k",
            task_id="task-0001",
            title="Try again?",
            proposal={},
            asked_at=NOON,
            expires_at=NOON + timedelta(hours=1),
        )
    )
    await ledger.flush()


@pytest.mark.parametrize(
    ("wanted", "kind", "id_", "receipts"),
    [
        ("receipt-b", TraceKind.RECEIPT, "receipt-b", "b"),
        ("task-0", TraceKind.TASK, "task-0001", "abc"),
        ("message-1", TraceKind.MESSAGE, "message-1", "b"),
        ("run-00001", TraceKind.RUN, "run-00001", "ab"),
        ("approv", TraceKind.APPROVAL, "approval-1", "ac"),
        ("message-2", TraceKind.MESSAGE, "message-2", ""),
        ("service:shop", TraceKind.SUBJECT, "service:shop", "d"),
    ],
)
async def test_an_id_or_its_beginning_finds_the_decisions_in_order_of_time(
    ledger: Ledger, wanted: str, kind: TraceKind, id_: str, receipts: str
) -> None:
    await a_task(ledger)
    trace = await ledger.traces.find(wanted)
    assert (trace.kind, trace.id) == (kind, id_)
    assert "".join(receipt.id[-1] for receipt in trace.receipts) == receipts


async def test_what_came_of_it_is_told_with_the_decisions(ledger: Ledger, ledger_url: str) -> None:
    await a_task(ledger)
    engine = create_engine(ledger_url)
    outcome = {"receipt_id": "receipt-b", "kind": "select", "subject": "message-1", "detail": "{}"}
    times = {"decided_at": NOON, "settled_at": NOON, "verdict": "right"}
    with engine.begin() as connection:
        connection.execute(OUTCOMES.insert(), outcome | times)
    engine.dispose()
    trace = await ledger.traces.find("task-0001")
    told = [(s.kind.value, s.title, s.status, s.detail) for s in trace.standings]
    assert told == [
        ("task", "inventory_sync", "accepted", ""),
        ("message", "data-intelligence.count", "failed", "3 attempts; no answer"),
        ("approval", "Try again?", "open", ""),
    ]
    assert trace.verdicts == {"receipt-b": "right"}
    unanswered = await ledger.traces.find("message-2")
    assert [s.status for s in unanswered.standings] == ["unanswered"]
    run = await ledger.traces.find("run-00001")
    assert ("run", "route-task", "going on") in [
        (s.kind.value, s.title, s.status) for s in run.standings
    ]


async def test_an_incident_is_told_with_the_decisions_of_its_run(
    ledger: Ledger, ledger_url: str
) -> None:
    await a_task(ledger)
    engine = create_engine(ledger_url)
    row = {"type": "", "labels": {}, "notice_group": "", "outages": 1}
    row |= {"id": "incident-1", "need_key": "k", "resource": "service:shop", "severity": "error"}
    row |= {"title": "The shop is slow", "status": "answered", "run_id": "run-00002"}
    times = {"opened_at": NOON, "updated_at": NOON, "events": 4}
    with engine.begin() as connection:
        connection.execute(INCIDENTS.insert(), row | times)
    engine.dispose()
    trace = await ledger.traces.find("incident-1")
    assert [receipt.id for receipt in trace.receipts] == ["receipt-d"]
    assert trace.standings[0].detail == "4 events about service:shop"


@pytest.mark.parametrize(
    ("wanted", "what", "hint"),
    [
        ("nobody-knows", "knows no 'nobody-knows'", "receipt, task, message, run, incident or ap"),
        ("", "too short", "at least 6 characters"),
        ("messa", "too short", "at least 6 characters"),
        ("message", "more than one", "message message-1, message message-2"),
        ("receip", "more than one", "receipt receipt-a"),
        ("%%%%%%", "knows no '%%%%%%'", ""),
        ("______", "knows no", ""),
    ],
)
async def test_what_cannot_be_found_is_said(
    ledger: Ledger, wanted: str, what: str, hint: str
) -> None:
    await a_task(ledger)
    with pytest.raises(RequestError) as told:
        await ledger.traces.find(wanted)
    assert what in told.value.what
    assert hint in told.value.hint


async def test_asking_touches_nothing(ledger: Ledger, ledger_url: str) -> None:
    """Neither what explains, nor what verifies, nor what replays."""
    await a_task(ledger)

    def content() -> dict[str, list[str]]:
        engine = create_engine(ledger_url)
        with engine.connect() as connection:
            rows = {
                name: sorted(map(repr, connection.execute(select(table)).all()))
                for name, table in METADATA.tables.items()
            }
        engine.dispose()
        return rows

    before = content()
    assert len(before["receipts"]) == 4
    await ledger.traces.find("task-0001")
    assert (await ledger.receipts.verify()).sound
    told = await replay_ledger(ledger, Policy(), registry(), NOON)
    assert told.skipped == {"its receipt does not hold what it rested on": 2}
    assert content() == before
