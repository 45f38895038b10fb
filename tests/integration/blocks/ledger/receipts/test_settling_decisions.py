"""Decisions are read until their outcome is known, and then never again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blocks.ledger import Ledger, ReceiptKind, ReceiptRecord, TaskRecord, TaskStatus
from blocks.ledger.receipts.outcomes import OutcomeRecord, Verdict
from blocks.vocabulary.messages import AgentMessage, AgentReply, Outcome
from flows.orchestrator.decisions.outcomes import CALL_GRACE, COMES_BACK, GIVEN_UP
from flows.upkeep.settle_outcomes import settle

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(ledger_url) as ledger:
        yield ledger


def receipt(subject: str, kind: ReceiptKind = ReceiptKind.SELECT, **fields: Any) -> ReceiptRecord:
    body = {"inputs": {}, "decision": {"instance": "a/1"}, "why": "It is."}
    return ReceiptRecord(**{"at": NOON, "kind": kind, "subject": subject, "body": body} | fields)


def outcome(of: ReceiptRecord) -> OutcomeRecord:
    return OutcomeRecord(
        receipt_id=of.id,
        kind=of.kind,
        subject=of.subject,
        decided_at=of.at,
        settled_at=NOON,
        verdict=Verdict.SUCCEEDED,
    )


async def kept(ledger: Ledger, *receipts: ReceiptRecord) -> None:
    for each in receipts:  # one by one, so that their order is known
        ledger.record(each)
        await ledger.flush()


async def test_what_is_settled_is_not_read_again(ledger: Ledger) -> None:
    one, two, three = (receipt(name) for name in ("one", "two", "three"))
    await kept(ledger, one, receipt("route", ReceiptKind.ROUTE), two)
    look = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
    assert look.receipts == {1: one, 3: two}
    await ledger.outcomes.keep([outcome(one)], look)

    await kept(ledger, three)
    look = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
    assert look.receipts == {3: two, 4: three}, "too early for two, and three is new"
    assert look.read_to == 4
    await ledger.outcomes.keep([outcome(two), outcome(three)], look)
    look = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
    assert (look.receipts, look.read_to) == ({}, 4)
    routed = await ledger.outcomes.open_decisions(ReceiptKind.ROUTE, 10)
    assert list(routed.receipts) == [2]


async def test_a_look_that_was_not_kept_is_taken_again(ledger: Ledger) -> None:
    one = receipt("one")
    await kept(ledger, one)
    for _ in range(2):
        look = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
        assert look.receipts == {1: one}
    await ledger.outcomes.keep([], look)
    assert (await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)).receipts == {1: one}


async def test_many_are_read_some_at_a_time(ledger: Ledger) -> None:
    made = [receipt(str(number)) for number in range(5)]
    await kept(ledger, *made)
    seen: list[str] = []
    for expected in ([0, 1], [2, 3], [4], []):
        look = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 2)
        assert [each.subject for each in look.receipts.values()] == [str(n) for n in expected]
        await ledger.outcomes.keep([outcome(each) for each in look.receipts.values()], look)
        seen += [each.subject for each in look.receipts.values()]
    assert seen == [each.subject for each in made]


async def test_of_two_that_look_at_once_neither_loses_a_decision(ledger: Ledger) -> None:
    one, two = receipt("one"), receipt("two")
    await kept(ledger, one)
    early = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
    await kept(ledger, two)
    late = await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)
    await ledger.outcomes.keep([outcome(one)], late)
    await ledger.outcomes.keep([outcome(one)], early)
    assert (await ledger.outcomes.open_decisions(ReceiptKind.SELECT, 10)).receipts == {2: two}
    assert len(await ledger.outcomes.list()) == 1


async def test_calls_and_tasks_are_judged_when_it_can_be_told(ledger: Ledger) -> None:
    answered, silent = AgentMessage(recipient="a", action="go"), "nobody answers"
    done = {"status": TaskStatus.DONE, "run_id": "r", "finished_at": NOON}
    tasks = [
        TaskRecord(task_type="t", resource=about, requested_at=NOON - HOUR)
        for about in ("sku:1", "sku:2", "")
    ]
    for task in tasks:
        await ledger.tasks.accept(task)
        await ledger.tasks.start(task.id, "r", NOON, NOON + HOUR)
        await ledger.tasks.settle(task.model_copy(update=done))
    again = TaskRecord(task_type="t", resource="sku:2", requested_at=NOON + HOUR)
    await ledger.tasks.accept(again)
    await ledger.tasks.accept(TaskRecord(task_type="t", requested_at=NOON + HOUR))
    ledger.record(
        answered,
        AgentReply(message_id=answered.id, sender="a", outcome=Outcome.SUCCEEDED, duration_ms=7),
    )
    await kept(
        ledger,
        *(receipt(task.id, ReceiptKind.ROUTE) for task in tasks),
        receipt(answered.id),
        receipt(silent),
    )

    def told(settled: list[OutcomeRecord]) -> dict[str, Verdict]:
        return {each.subject: each.verdict for each in settled}

    assert told(await settle(ledger, NOON + CALL_GRACE)) == {tasks[1].id: Verdict.RECURRED}
    assert told(await settle(ledger, NOON + HOUR)) == {answered.id: Verdict.SUCCEEDED}
    assert told(await settle(ledger, NOON + HOUR)) == {}
    later = await settle(ledger, NOON + COMES_BACK)
    assert told(later) == {tasks[0].id: Verdict.SUCCEEDED, tasks[2].id: Verdict.SUCCEEDED}
    assert told(await settle(ledger, NOON + GIVEN_UP)) == {silent: Verdict.UNKNOWN}
    assert len(await ledger.outcomes.list()) == 5


async def test_tasks_are_counted_as_they_stand(ledger: Ledger) -> None:
    before = TaskRecord(task_type="t", requested_at=NOON - 2 * HOUR)
    waiting, lost, alive = (TaskRecord(task_type="t", requested_at=NOON) for _ in range(3))
    for task in (before, waiting, lost, alive):
        await ledger.tasks.accept(task)
    await ledger.tasks.start(lost.id, "r1", NOON, NOON + HOUR)
    await ledger.tasks.start(alive.id, "r2", NOON, NOON + 3 * HOUR)
    found = await ledger.tasks.counts(NOON - HOUR, NOON + 2 * HOUR)
    assert found.standing == {TaskStatus.ACCEPTED: 1, TaskStatus.RUNNING: 2}
    assert found.abandoned == 1
