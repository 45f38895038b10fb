"""What went on, hour by hour, on every kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger import Ledger, ReportRecord
from blocks.ledger.history import HourOfCalls
from blocks.messages import (
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


async def test_headlines_of_the_runs_that_left_a_report(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        for name in ("one", "two"):
            body = {"headline": f"{name}: \u00e4 'quoted'"}
            await ledger.save_report(
                ReportRecord(run_id=name, workflow="w", created_at=NOON, body=body)
            )
        assert await ledger.history.headlines(["one", "none"]) == {"one": "one: \u00e4 'quoted'"}
        assert await ledger.history.headlines([]) == {}
