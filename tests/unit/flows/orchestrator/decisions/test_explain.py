"""Recorded decisions in plain words, whatever their kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.ledger.calls.records import ReceiptKind, ReceiptRecord
from blocks.ledger.receipts.traces import Standing, Trace, TraceKind
from flows.orchestrator.decisions.explain import Decision, explain

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(body: dict[str, Any], kind: ReceiptKind = ReceiptKind.SELECT) -> Decision:
    receipt = ReceiptRecord(id="r", at=NOON, kind=kind, subject="m", policy_version="v", body=body)
    trace = Trace(
        kind=TraceKind.RECEIPT, id="r", receipts=[receipt], standings=[], verdicts={"r": "right"}
    )
    explanation = explain(trace)
    assert explanation.headline == "receipt r: 1 decision."
    return explanation.decisions[0]


@pytest.mark.parametrize("kind", ReceiptKind)
def test_every_kind_of_decision_can_be_told(kind: ReceiptKind) -> None:
    decision = told({"why": "It is so.", "decision": {"plan": "a"}}, kind)
    assert (decision.why, decision.decided, decision.policy_version) == (
        "It is so.",
        ["plan: a"],
        "v",
    )
    assert decision.title


def test_inputs_become_lines_and_what_was_not_known_is_left_out() -> None:
    inputs = {
        "task": {"type": "sync", "params": {}},
        "deadline": None,
        "tags": ["a", "b"],
        "count": 0,
        "sure": False,
        "candidates": [{"instance": "x"}, {"instance": "y"}],
        "long": "x" * 1000,
    }
    lines = told({"inputs": inputs}).inputs
    assert lines[:5] == [
        "task.type: sync",
        "tags: a, b",
        "count: 0",
        "sure: False",
        "candidates: 2 of them, in the receipt",
    ]
    assert len(lines) == 6
    assert len(lines[5]) < 320


def test_candidates_are_told_with_their_scores_and_why_they_lost() -> None:
    candidates = [
        {"name": "a", "score": 0.7, "parts": {"latency": 0.2, "success": 0.5}, "lost_because": ""},
        {"name": "b", "score": 0.6, "parts": {}, "lost_because": "slower"},
        {"name": "c", "lost_because": "failed at this task already"},
        {"name": "d", "won": False},
        {"name": "e", "won": True},
    ]
    lines = told({"candidates": candidates}).candidates
    assert [(c.name, c.score, c.came_of_it) for c in lines] == [
        ("a", 0.7, "chosen"),
        ("b", 0.6, "slower"),
        ("c", None, "failed at this task already"),
        ("d", None, "lost"),
        ("e", None, "chosen"),
    ]
    assert lines[0].parts == {"latency": 0.2, "success": 0.5}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": None, "decision": "yes", "why": None, "candidates": None},
        {"inputs": [1], "decision": [], "candidates": ["a", {}, {"name": 1, "parts": "x"}]},
    ],
)
def test_a_body_that_keeps_to_no_convention_is_told_as_far_as_it_goes(body: dict[str, Any]) -> None:
    assert told(body).afterwards == ["Compared with what happened: right."]


def test_what_happened_afterwards_is_told_where_the_ledger_knows() -> None:
    receipts = [
        ReceiptRecord(at=NOON, kind=ReceiptKind.ROUTE, subject=subject, body={})
        for subject in ("task-1", "message-1", "elsewhere")
    ]
    facts = [
        (TraceKind.TASK, "task-1", "sync", "done", "by primary/data"),
        (TraceKind.MESSAGE, "message-1", "data.count", "unanswered", ""),
    ]
    standings = [
        Standing(kind=kind, id=id_, title=title, status=status, at=None, detail=detail)
        for kind, id_, title, status, detail in facts
    ]
    explanation = explain(
        Trace(kind=TraceKind.TASK, id="task-1", receipts=receipts, standings=standings, verdicts={})
    )
    assert explanation.headline == "Task task-1, sync: done (by primary/data). 3 decisions."
    assert [decision.afterwards for decision in explanation.decisions] == [
        ["Task task-1, sync: done (by primary/data)."],
        ["Message message-1, data.count: unanswered."],
        [],
    ]
