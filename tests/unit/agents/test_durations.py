"""The last hour's calls against the week before, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.data_intelligence.anomaly_detection.latency import judge
from agents.durations import compare_durations
from blocks.ledger import CallRecord
from blocks.vocabulary.messages import ErrorInfo, Outcome, new_id

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def call(minutes_ago: float, ms: float, action: str = "analyze", **fields: Any) -> CallRecord:
    given: dict[str, Any] = {
        "message_id": new_id(),
        "run_id": None,
        "sender": "system-orchestrator",
        "agent": "data-intelligence",
        "action": action,
        "priority": 2,
        "sent_at": NOW - timedelta(minutes=minutes_ago),
        "payload": {},
        "outcome": Outcome.SUCCEEDED,
        "reply": {"result": {}},
        "error": None,
        "attempts": 1,
        "duration_ms": ms,
    }
    return CallRecord(**given | fields)


# Median 100; deviations 0 0 10 10 20 20 50 50: their median is 15.
USUAL = [call(100 + i, ms) for i, ms in enumerate((100, 100, 90, 110, 80, 120, 50, 150))]


def test_the_last_hour_is_measured_in_robust_deviations_of_the_week_before():
    failed = ErrorInfo(code="x", what="y")
    recent = [
        call(50, 100),
        call(30, 300),
        call(10, 400),
        call(5, 1.0, error=failed, outcome=Outcome.FAILED),  # failing at once is not fast
        call(2, 9.0, outcome=None, duration_ms=None),
    ]
    long_ago = [call(60 * 24 * 8, 9000)]
    (seen,) = compare_durations([*USUAL, *recent, *long_ago], NOW)
    assert (seen.called, seen.usual, seen.recent) == ("data-intelligence.analyze", 8, 3)
    assert (seen.usual_ms, seen.recent_ms) == (100, 300)
    assert seen.spread_ms == pytest.approx(1.4826 * 15)
    assert seen.z == pytest.approx(200 / (1.4826 * 15))
    assert seen.first_slow_at == NOW - timedelta(minutes=30)


def test_too_little_to_compare_with_is_left_out_and_a_steady_action_may_wobble():
    assert compare_durations([*USUAL[1:], call(1, 500)], NOW) == []
    assert compare_durations(USUAL, NOW) == []
    steady = [call(100 + i, 100) for i in range(8)]
    (seen,) = compare_durations([*steady, call(1, 115)], NOW)
    assert (seen.spread_ms, seen.z) == (10, 1.5)
    assert seen.first_slow_at is None


def test_those_slowed_down_most_come_first():
    other = [call(100 + i, 10, "forecast") for i in range(8)]
    calls = [*USUAL, *other, call(1, 130), call(1, 50, "forecast")]
    assert [c.called for c in compare_durations(calls, NOW)] == [
        "data-intelligence.forecast",
        "data-intelligence.analyze",
    ]


def test_without_probing_recorded_checks_tell_of_services():
    def check(minutes_ago: float, web: float | None) -> CallRecord:
        services = [{"name": "web", "latency_ms": web}, {"name": "gone", "latency_ms": 5}]
        return call(minutes_ago, 10, "assess_health", reply={"result": {"services": services}})

    quick = {"checks": [{"name": "web", "kind": "supplier", "latency_ms": 9999}]}
    outlined = {"services": {"items": 90, "first": {}}, "checks": {"items": 5}}
    calls = [check(300, 40), check(200, 60), check(5, 500), check(4, None)]
    calls += [call(1, 10, reply={"result": quick}), call(1, 10, reply={"result": outlined})]
    seen = judge(calls, {"web": 200.0, "never-seen": 100.0}, NOW)
    (web,) = seen.services
    assert (web.latency_ms, web.usual_ms, web.measurements) == (500, 50, 3)
    assert web.over_budget
    assert web.measured_at == NOW - timedelta(minutes=5)
    assert [f.resource for f in seen.findings] == ["service:web"]
    assert seen.degraded
    assert "without probing: web took 500 ms at 11:55 UTC, over its budget of 200 ms." in (
        seen.summary
    )


def test_a_slow_action_of_our_own_is_a_finding():
    seen = judge([*USUAL, call(1, 400)], {}, NOW)
    (slow,) = seen.calls
    assert slow.slow
    assert [f.kind for f in seen.findings] == ["call-slow"]
    assert "data-intelligence.analyze takes 400 ms instead of 100 ms" in seen.summary
    assert "nothing is slower than usual" in judge(USUAL, {}, NOW).summary
