"""What the ledger keeps and how it reads, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.errors import ContractViolation, LedgerError, LedgerUnavailable
from blocks.ledger import (
    AttemptRecord,
    Ledger,
    ReportRecord,
    RunRecord,
)
from blocks.vocabulary.amounts import Amounts
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import PRODUCTS, SALES, Problem, Snapshot
from blocks.vocabulary.messages import (
    AgentMessage,
    AgentReply,
    ErrorInfo,
    Outcome,
    Priority,
    new_id,
)
from tests.waiting import until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGENT = "data-intelligence"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def message(**fields: Any) -> AgentMessage:
    return AgentMessage(**{"to": AGENT, "action": "analyze", "timestamp": NOON} | fields)


def reply(to: AgentMessage, **fields: Any) -> AgentReply:
    given = {"message_id": to.id, "from": AGENT, "timestamp": NOON, "outcome": "succeeded"}
    return AgentReply(**given | fields)


def attempt(**fields: Any) -> AttemptRecord:
    deadline = NOON + timedelta(minutes=1)
    given = {"message_id": new_id(), "attempt": 1, "agent": AGENT, "started_at": NOON}
    given |= {"action": "analyze", "sent_at": NOON}
    return AttemptRecord(**given | {"deadline": deadline} | fields)


def run(**fields: Any) -> RunRecord:
    return RunRecord(**{"id": new_id(), "workflow": "daily", "started_at": NOON} | fields)


def finished(record: Any, **fields: Any) -> Any:
    done = {"finished_at": NOON + timedelta(seconds=5), "outcome": Outcome.SUCCEEDED}
    return record.model_copy(update=done | fields)


async def test_a_call_reads_back_as_it_was_recorded(ledger: Ledger) -> None:
    error = ErrorInfo(code="source-timeout", what="no answer", retryable=True)
    asked = message(run_id="r1", payload={"z": 1, "a": [1.5, None]}, priority=Priority.HIGH)
    failed = attempt(message_id=asked.id, error=error)
    ledger.record(asked, finished(failed, outcome=Outcome.FAILED))
    ledger.record(attempt(message_id=asked.id, attempt=2))
    ledger.record(reply(asked, payload={"rows": 3}, error=error, attempts=2, duration_ms=12.5))
    ledger.record(unanswered := message(timestamp=NOON + timedelta(seconds=1)))
    ledger.record(attempt(message_id=unanswered.id))
    await ledger.flush()

    newest, call = await ledger.calls()
    assert call.model_dump() == {
        "message_id": asked.id,
        "run_id": "r1",
        "sender": "system-orchestrator",
        "agent": AGENT,
        "action": "analyze",
        "priority": 3,
        "sent_at": NOON,
        "payload": {"z": 1, "a": [1.5, None]},
        "outcome": Outcome.SUCCEEDED,
        "reply": {"rows": 3},
        "error": error.model_dump(),
        "attempts": 2,
        "duration_ms": 12.5,
    }
    assert (newest.message_id, newest.outcome, newest.attempts) == (unanswered.id, None, 1)
    assert [c.message_id for c in await ledger.calls(run_id="r1")] == [asked.id]
    assert await ledger.calls(agent="nobody") == []
    assert len(await ledger.calls(limit=1)) == 1
    assert await ledger.calls(limit=-1) == []
    assert await ledger.calls(since=NOON + timedelta(seconds=1)) == [newest]
    assert await ledger.calls(action="analyze", since=NOON) == [newest, call]
    assert await ledger.calls(action="forecast") == []
    assert await ledger.call(asked.id) == call
    assert await ledger.call("never-sent") is None


async def test_an_entry_recorded_twice_is_one(ledger: Ledger) -> None:
    asked = message()
    ledger.record(asked, asked, reply(asked, payload={"n": 1}))
    await ledger.flush()
    ledger.record(asked, reply(asked, payload={"n": 2}))
    await ledger.flush()
    [call] = await ledger.calls()
    assert call.reply == {"n": 1}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_order_of_start_and_finish_leaves_the_finished_row(
    ledger: Ledger, data: st.DataObject
) -> None:
    """Each run and attempt, started and finished any number of times, in any order and grouping."""
    started: list[Any] = [run(), run(), attempt(), attempt(attempt=7)]
    rows = [row for record in started for row in (record, finished(record))]
    again = data.draw(st.lists(st.sampled_from(rows), max_size=4), label="repeated")
    order = data.draw(st.permutations([*rows, *again]), label="order")
    cuts = data.draw(st.sets(st.integers(0, len(order))), label="flush before")

    async def write() -> Any:
        for position, record in enumerate(order):
            if position in cuts:
                await ledger.flush()
            ledger.record(record)
        await ledger.flush()
        runs = [await ledger.run(record.id) for record in started[:2]]
        return runs, await ledger.activity(NOON)

    runs, activity = asyncio.run(write())  # a new event loop each time: the ledger is bound to none
    assert runs == [finished(started[0]), finished(started[1])]
    assert activity == {}, "no attempt is open"


async def test_runs_newest_first(ledger: Ledger) -> None:
    early, late = run(), run(started_at=NOON + timedelta(hours=1), workflow="sequential")
    ledger.record(early, late)
    await ledger.flush()
    assert await ledger.runs() == [late, early]
    assert await ledger.runs(workflow="daily") == [early]
    assert await ledger.runs(limit=1) == [late]
    assert await ledger.run("unknown") is None


async def test_times_come_back_as_the_same_instant_in_utc(ledger: Ledger) -> None:
    tokyo = datetime(2026, 3, 1, 21, 0, 0, 123456, timezone(timedelta(hours=9)))
    ledger.record(record := run(started_at=tokyo))
    await ledger.flush()
    read = await ledger.run(record.id)
    assert read
    assert read.started_at == tokyo
    assert read.started_at.tzinfo is UTC


async def test_workload_counts_open_attempts_before_their_deadline_only(ledger: Ledger) -> None:
    minute = timedelta(minutes=1)
    ledger.record(
        attempt(deadline=NOON + minute),
        attempt(deadline=NOON + minute),
        attempt(deadline=NOON),  # its process is taken to be dead
        finished(attempt(deadline=NOON + minute)),
        attempt(agent="sre-reliability", deadline=NOON - minute),
    )
    await ledger.flush()
    activity = await ledger.activity(NOON)
    assert {agent: a.workload for agent, a in activity.items()} == {AGENT: 2}
    assert await ledger.activity(NOON + minute) == {}


async def test_activity_sums_up_the_replies_of_the_window(ledger: Ledger) -> None:
    hour = timedelta(hours=1)
    replies = [("succeeded", 10.0, hour), ("partial", 20.0, 2 * hour), ("failed", 60.0, 3 * hour)]
    for outcome, duration, ago in [*replies, ("failed", 1e6, 25 * hour)]:
        asked = message()
        ledger.record(
            asked, reply(asked, outcome=outcome, duration_ms=duration, timestamp=NOON - ago)
        )
    await ledger.flush()
    [activity] = (await ledger.activity(NOON)).values()
    assert (activity.completed, activity.failed, activity.mean_ms) == (2, 1, 30.0)
    assert activity.last_reply_at == NOON - hour
    assert (await ledger.activity(NOON, window=90 * timedelta(minutes=1)))[AGENT].completed == 1


async def test_values_that_databases_refuse_are_made_harmless(ledger: Ledger) -> None:
    payload = {"a\x00b": "c\x00d", "half": "\ud800", "nan": float("nan"), "inf": -float("inf")}
    payload |= {"huge": 10**5000, "set": {1}, "at": NOON, "backslash": "\\u0000"}
    asked = message(action="an\x00alyze", payload=payload)
    ledger.record(asked, reply(asked, duration_ms=float("nan"), payload=payload))
    await ledger.flush()
    [call] = await ledger.calls()
    kept = {"a\ufffdb": "c\ufffdd", "half": "\ufffd", "nan": None, "inf": None}
    kept |= {"huge": None, "set": [1], "at": NOON.isoformat(), "backslash": "\\u0000"}
    assert call.payload == call.reply == kept
    assert (call.action, call.duration_ms) == ("an\ufffdalyze", None)


async def test_what_happens_to_a_payload_later_does_not_change_the_record(ledger: Ledger) -> None:
    payload = {"rows": 1}
    ledger.record(message(payload=payload))
    payload["rows"] = 2
    await ledger.flush()
    assert (await ledger.calls())[0].payload == {"rows": 1}


async def test_a_refused_value_neither_stops_the_others_nor_goes_unsaid(ledger: Ledger) -> None:
    good = [message() for _ in range(5)]
    ledger.record(*good[:3], attempt(attempt=10**30), *good[3:])
    with pytest.raises(LedgerError, match=r"refused 1 entries.*attempts") as caught:
        await ledger.flush()
    assert not isinstance(caught.value, LedgerUnavailable), "trying again would not help"
    await ledger.flush()
    assert len(await ledger.calls()) == 5


async def test_reports_keep_their_order_of_keys_and_are_replaced_by_run(ledger: Ledger) -> None:
    body = {"z": 1, "a": {"y": 1e308, "b": -0.0}, "rows": [{"unit": "€", "sku": "1"}]}
    first = ReportRecord(run_id="r1", workflow="daily", created_at=NOON, body={"draft": True})
    final = first.model_copy(update={"body": body, "created_at": NOON + timedelta(minutes=1)})
    other = first.model_copy(update={"run_id": "r2", "workflow": "sequential"})
    for report in (first, other, final):
        await ledger.save_report(report)
    assert await ledger.report("r1") == final
    assert repr((await ledger.latest_reports())[0].body) == repr(body)
    assert await ledger.latest_reports(limit=5) == [final, other]
    assert await ledger.latest_reports(workflow="sequential") == [other]
    assert await ledger.report("r3") is None


def snapshot(hour: int = 0, store: str = "", **frames: pd.DataFrame) -> Snapshot:
    return Snapshot(taken_at=NOON + timedelta(hours=hour), frames=frames, store=store)


async def test_a_snapshot_comes_back_with_its_frames_exactly(ledger: Ledger) -> None:
    products, problems = conform(
        pd.DataFrame(
            {
                "sku": ["1", "00085048", 'a"b,c', "\\N", "NA"],
                "name": ["=1+1", "line\nbreak\r\n", "naïve ☃ 𝄞", "\x00nul", "null"],
                "category": [None, "\\N", "\\", "x", ""],
                "unit_price": [0.1 + 0.2, 5e-324, 1e11, 3, 0],
                "unit_cost": [None, 1 / 3, 0, 123456789.123456789, 1],
            }
        ),
        PRODUCTS,
    )
    sales, _ = conform(pd.DataFrame(columns=list(SALES.columns)), SALES)
    taken = snapshot(products=products, sales=sales)
    taken.problems = [*problems, Problem("stock", "", "the table is gone", 0, "")]
    taken.problems.append(Problem("sale_lines", "units", "no number", 3, "x", share=0.25))
    taken.amounts = Amounts(tax="included", refunds="excluded")
    taken.stale_because, taken.currency, taken.timezone = "supplier down", "EUR", "Asia/Tokyo"
    await ledger.snapshots.save(taken)

    read = await ledger.snapshots.latest("")
    assert read
    assert len(products) == 5
    pd.testing.assert_frame_equal(read.frames["products"], products, check_exact=True)
    pd.testing.assert_frame_equal(read.frames["sales"], sales, check_exact=True)
    only = await ledger.snapshots.latest("", only=("sales", "stock"))
    assert only
    assert list(only.frames) == ["sales"]
    read.frames = taken.frames = only.frames = {}
    assert read == taken == only


async def test_the_newest_three_snapshots_of_a_store_are_kept(
    ledger: Ledger, ledger_url: str
) -> None:
    assert await ledger.snapshots.latest("") is None
    for hour in (3, 1, 5, 2, 4):
        await ledger.snapshots.save(snapshot(hour))
    latest = await ledger.snapshots.latest("")
    assert latest
    assert latest.taken_at == NOON + timedelta(hours=5)
    assert count(ledger_url, "snapshots") == 3
    await ledger.snapshots.save(snapshot(6, store="other"))
    assert await ledger.snapshots.latest("") == latest
    assert count(ledger_url, "snapshots") == 4


async def test_a_frame_without_contract_is_refused_whole(ledger: Ledger) -> None:
    with pytest.raises(ContractViolation, match="gold"):
        await ledger.snapshots.save(snapshot(gold=pd.DataFrame({"a": [1]})))
    with pytest.raises(ContractViolation, match="karat"):
        await ledger.snapshots.save(snapshot(stock=pd.DataFrame({"karat": [1]})))
    assert await ledger.snapshots.latest("") is None


async def test_closing_writes_what_is_queued_and_ends_it(ledger_url: str) -> None:
    ledger = Ledger.open(ledger_url)
    ledger.record(message(), message())
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="is closed"):
        ledger.record(message())
    with pytest.raises(LedgerUnavailable, match="is closed"):
        await ledger.flush()
    assert count(ledger_url, "messages") == 2


async def test_entries_are_written_soon_even_if_nobody_waits(ledger: Ledger) -> None:
    ledger.record(message())
    await until(ledger.calls, "the written call")


def count(url: str, table: str) -> int:
    """Rows of a table, asked past the ledger."""
    from sqlalchemy import create_engine, text

    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.scalar(text(f"SELECT count(*) FROM {table}"))
    engine.dispose()
    return int(found or 0)
