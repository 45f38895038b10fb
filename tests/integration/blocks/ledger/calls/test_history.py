"""What went on, hour by hour, on every kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.ledger import AttemptRecord, Ledger, ReportRecord, RunRecord
from blocks.ledger.calls.history import HourOfCalls, Work
from blocks.vocabulary.messages import (
    CALLED_OFF,
    AgentMessage,
    AgentReply,
    ErrorInfo,
    Outcome,
    SystemEvent,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def replied(at: datetime, outcome: Outcome, ms: float, code: str = "") -> list:
    message = AgentMessage(recipient="a", action="go", timestamp=at)
    reply = AgentReply(
        message_id=message.id,
        timestamp=at,
        sender="a",
        outcome=outcome,
        error=ErrorInfo(code=code, what="no") if code else None,
        duration_ms=ms,
    )
    return [message, reply]


async def test_calls_by_the_hour(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        assert await ledger.history.calls(NOON) == []
        ledger.record(
            *replied(NOON - MINUTE, Outcome.SUCCEEDED, 900),  # before
            *replied(NOON, Outcome.SUCCEEDED, 100),
            *replied(NOON + 59 * MINUTE, Outcome.PARTIAL, 300),
            *replied(NOON + 59 * MINUTE, Outcome.FAILED, 9000, "source-timeout"),
            *replied(NOON + 59 * MINUTE, Outcome.FAILED, 9000, CALLED_OFF),
            *replied(NOON + 120 * MINUTE, Outcome.FAILED, 5, "source-timeout"),
        )
        await ledger.flush()
        assert await ledger.history.calls(NOON) == [
            HourOfCalls(start=NOON, completed=2, failed=1, response_ms=200),
            HourOfCalls(start=NOON + 120 * MINUTE, completed=0, failed=1, response_ms=None),
        ]


async def test_events_by_the_hour(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        for minutes in (-1, 0, 59, 60):
            event = SystemEvent(source="s", type="t")
            await ledger.inbox.accept([event], NOON + minutes * MINUTE)
        assert await ledger.history.events(NOON) == {NOON: 2, NOON + 60 * MINUTE: 1}


def attempt(message: str, number: int = 1, **fields: Any) -> AttemptRecord:
    began = fields.pop("began", NOON)
    took = fields.pop("took", None)
    given: dict[str, Any] = {
        "message_id": message,
        "attempt": number,
        "agent": "a",
        "action": "go",
        "sent_at": began - timedelta(milliseconds=fields.pop("waited", 10)),
        "started_at": began,
        "deadline": began + MINUTE,
    }
    if took is not None:
        code = fields.pop("code", "")
        given |= {
            "finished_at": began + timedelta(milliseconds=took),
            "outcome": Outcome.FAILED if code else Outcome.SUCCEEDED,
            "error": ErrorInfo(code=code, what="no") if code else None,
        }
    return AttemptRecord(**given | fields)


async def test_work_by_instance_and_hour(ledger_url: str) -> None:
    later = NOON + 61 * MINUTE
    with Ledger.open(ledger_url) as ledger:
        assert await ledger.history.work(NOON) == []
        ledger.record(
            attempt("before", began=NOON - MINUTE, took=9),
            attempt("one", took=100),
            attempt("two", took=50, code="source-timeout"),  # tried again: one call
            attempt("two", 2, waited=500, took=200),
            attempt("three", took=300, code=CALLED_OFF),
            attempt("four", took=400, code="source-timeout"),
            attempt("five", took=500, code="source-timeout"),  # is being tried again
            attempt("five", 2, waited=900),
            attempt("six", instance="a/2", began=later, took=7, action="stop"),
            attempt("seven", agent="b", began=later, took=8),
            attempt("open"),
        )
        await ledger.flush()
        found = {(w.instance, w.hour): w for w in await ledger.history.work(NOON)}
        assert sorted(found) == [("a", 0), ("a/2", 1), ("b", 1)]
        busy = found["a", 0]
        assert busy.busy_ms == pytest.approx(100 + 50 + 200 + 300 + 400 + 500)
        assert sorted(busy.response_ms) == pytest.approx([110, 700])
        assert busy.failures == {"source-timeout": 2, CALLED_OFF: 1}
        assert busy.waited_ms == pytest.approx([10] * 5)
        assert found["a/2", 1] == Work("a", "a/2", 1, 7, [17], {}, [10])
        assert await ledger.history.actions("a", NOON) == ["stop", "go"]
        assert await ledger.history.actions("a", NOON + MINUTE) == ["stop"]
        assert await ledger.history.actions("c", NOON) == []


async def test_runs_by_workflow_trigger_and_outcome(ledger_url: str) -> None:
    def run(name: str, seconds: float | None = None, **fields: Any) -> RunRecord:
        began = fields.pop("began", NOON)
        end = None if seconds is None else began + timedelta(seconds=seconds)
        return RunRecord(id=name, workflow="w", started_at=began, finished_at=end, **fields)

    with Ledger.open(ledger_url) as ledger:
        ledger.record(
            run("before", 1, began=NOON - MINUTE, outcome=Outcome.FAILED),
            run("one", 1.5, outcome=Outcome.SUCCEEDED),
            run("two", 2.25, outcome=Outcome.SUCCEEDED),
            run("three", 3, outcome=Outcome.SUCCEEDED, trigger="schedule"),
            run("four"),
        )
        await ledger.flush()
        found = await ledger.history.runs(NOON)
    assert {(each.trigger, each.outcome): sorted(each.seconds) for each in found} == {
        ("ad hoc", Outcome.SUCCEEDED): [1.5, 2.25],
        ("schedule", Outcome.SUCCEEDED): [3],
        ("ad hoc", None): [],
    }
    assert sorted(each.number for each in found) == [1, 1, 2]


async def test_headlines_of_the_runs_that_left_a_report(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        for name in ("one", "two"):
            body = {"headline": f"{name}: \u00e4 'quoted'"}
            await ledger.save_report(
                ReportRecord(run_id=name, workflow="w", created_at=NOON, body=body)
            )
        assert await ledger.history.headlines(["one", "none"]) == {"one": "one: \u00e4 'quoted'"}
        assert await ledger.history.headlines([]) == {}
