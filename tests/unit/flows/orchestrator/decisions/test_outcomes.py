"""What became of decisions, judged by hand-made records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blocks.ledger.calls.records import CallRecord, ReceiptKind, ReceiptRecord
from blocks.ledger.receipts.outcomes import Verdict
from blocks.ledger.work.tasks import TaskRecord, TaskStatus
from blocks.vocabulary.messages import ErrorInfo, Outcome
from flows.orchestrator.decisions.outcomes import (
    COMES_BACK,
    GIVEN_UP,
    judge_call,
    judge_task,
)
from flows.orchestrator.dispatch.track_records import failures_by_instance

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def receipt(kind, ago=HOUR):
    decision = {"instance": "worker/2"} if kind is ReceiptKind.SELECT else {}
    return ReceiptRecord(at=NOW - ago, kind=kind, subject="s", body={"decision": decision})


def call(outcome, error=None):
    return CallRecord(
        message_id="s",
        run_id=None,
        sender="system-orchestrator",
        agent="worker",
        action="work",
        priority=2,
        sent_at=NOW - HOUR,
        payload={},
        outcome=outcome,
        reply=None,
        error=error,
        attempts=1,
        duration_ms=None if outcome is None else 20.0,
    )


def task(status=TaskStatus.DONE, ended=10 * HOUR, resource="shop:one", **fields):
    return TaskRecord(
        task_type="plain",
        resource=resource,
        requested_at=fields.pop("asked_at", NOW - ended - HOUR),
        status=status,
        played_by="primary/worker/2",
        finished_at=NOW - ended if status.is_final else None,
        **fields,
    )


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [(Outcome.SUCCEEDED, Verdict.SUCCEEDED), (Outcome.FAILED, Verdict.FAILED)],
)
def test_a_call_is_judged_by_its_reply(outcome, verdict):
    error = ErrorInfo(code="source-timeout", what="Late.") if verdict is Verdict.FAILED else None
    judged = judge_call(receipt(ReceiptKind.SELECT), call(outcome, error), NOW)
    assert (judged.verdict, judged.instance, judged.cost_ms) == (verdict, "worker/2", 20.0)
    assert judged.detail == ({"error": "source-timeout"} if error else {})


def test_a_call_without_a_reply_is_waited_for_and_then_given_up():
    assert judge_call(receipt(ReceiptKind.SELECT), call(None), NOW) is None
    old = receipt(ReceiptKind.SELECT, GIVEN_UP)
    assert judge_call(old, call(None), NOW).verdict is Verdict.UNKNOWN
    assert judge_call(old, None, NOW).verdict is Verdict.UNKNOWN


def test_a_task_that_stays_solved_succeeded():
    judged = judge_task(receipt(ReceiptKind.ROUTE, 11 * HOUR), task(), [], NOW)
    assert (judged.verdict, judged.instance) == (Verdict.SUCCEEDED, "worker/2")
    assert judged.cost_ms == 3_600_000


def test_what_was_just_solved_is_not_judged_yet():
    fresh = task(ended=COMES_BACK - timedelta(seconds=1))
    assert judge_task(receipt(ReceiptKind.ROUTE), fresh, [], NOW) is None
    settled = task(ended=COMES_BACK)
    assert judge_task(receipt(ReceiptKind.ROUTE), settled, [], NOW).verdict is Verdict.SUCCEEDED


def test_an_issue_that_comes_back_was_not_solved():
    solved = task(ended=2 * HOUR)
    again = task(TaskStatus.RUNNING, asked_at=NOW - HOUR)
    judged = judge_task(receipt(ReceiptKind.ROUTE), solved, [solved, again], NOW)
    assert judged.verdict is Verdict.RECURRED
    assert judged.detail == {"again": again.id}
    assert failures_by_instance([judged]) == {"worker/2": [judged.decided_at]}


@pytest.mark.parametrize(
    "other",
    [
        task(TaskStatus.RUNNING, asked_at=NOW - HOUR, resource="shop:two"),
        task(TaskStatus.RUNNING, asked_at=NOW - 11 * HOUR),
        task(TaskStatus.RUNNING, asked_at=NOW - HOUR),
    ],
    ids=["of another resource", "asked for before it was done", "long after"],
)
def test_what_is_another_issue_says_nothing(other):
    solved = task(ended=10 * HOUR)
    judged = judge_task(receipt(ReceiptKind.ROUTE), solved, [other], NOW)
    assert judged.verdict is Verdict.SUCCEEDED


def test_what_is_about_nothing_in_particular_cannot_come_back():
    solved = task(resource="")
    other = task(TaskStatus.RUNNING, resource="", asked_at=NOW - 9 * HOUR)
    assert judge_task(receipt(ReceiptKind.ROUTE), solved, [other], NOW).verdict is Verdict.SUCCEEDED


def test_a_failure_needs_no_waiting():
    failed = task(TaskStatus.FAILED, ended=timedelta(0))
    assert judge_task(receipt(ReceiptKind.ROUTE), failed, [], NOW).verdict is Verdict.FAILED


def test_a_task_that_never_ends_is_given_up():
    waiting = task(TaskStatus.AWAITING_APPROVAL)
    assert judge_task(receipt(ReceiptKind.ROUTE), waiting, [], NOW) is None
    old = receipt(ReceiptKind.ROUTE, GIVEN_UP)
    assert judge_task(old, waiting, [], NOW).verdict is Verdict.UNKNOWN
