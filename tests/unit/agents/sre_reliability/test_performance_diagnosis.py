"""Whose slowness it is, from numbers made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.durations import CallDurations
from agents.sre_reliability.performance_optimization.diagnosis import (
    _Connection,
    judge,
    measured,
)
from agents.sre_reliability.system_monitoring.metric_history import Unusual
from blocks.business.services import MonitoredService, ServiceProbe

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEN = NOW.replace(hour=10)
WEB = MonitoredService(name="web", health_url="http://web", latency_budget_ms=100)


def probes(*latencies: float | None) -> list[ServiceProbe]:
    return [
        ServiceProbe("web", NOW, ms is not None, 200 if ms is not None else None, ms)
        for ms in latencies
    ]


def connection(name: str, ms: float | None) -> _Connection:
    return _Connection(
        name=name, kind="supplier", reached=ms is not None, latency_ms=ms, budget_ms=100
    )


def durations(z: float) -> CallDurations:
    return CallDurations("sre-reliability.look", 3, 100 + 10 * z, 9, 100, 10, TEN)


SLOW = measured(WEB, probes(250, 150, 350), {})
FAST = measured(WEB, probes(20, 30, 900), {})


def test_a_service_is_judged_by_the_median_of_its_probes():
    assert (SLOW.median_ms, SLOW.p95_ms, SLOW.over_budget) == (250, pytest.approx(340), True)
    assert (FAST.median_ms, FAST.over_budget) == (30, False)
    down = measured(WEB, probes(None, None), {})
    assert (down.median_ms, down.answered, down.over_budget) == (None, 0, True)


def test_since_when_is_told_by_the_metrics_that_are_still_unusual():
    ended = Unusual(TEN.replace(hour=8), TEN, False, 138_800_000.0, 18.725, 9.0)
    ongoing = Unusual(TEN, NOW, True, 9.0, 1.0, 9.0)
    seen = measured(WEB, probes(250), {"queue": ended, "latency": ongoing})
    assert seen.since == TEN
    assert seen.metrics == [
        "queue: 138,800,000 instead of about 18.73",
        "latency: 9 instead of about 1",
    ]
    said = judge([seen], [], [], [], NOW).summary
    assert "web takes 250 ms (median of 1), 2.5 times its budget since 2026-03-02 10:00" in said


@pytest.mark.parametrize(
    ("others", "whose"),
    [
        ([], "unclear"),
        ([connection("a", 20), connection("b", 20), connection("c", 900)], "service"),
        ([connection("a", 20), connection("b", None)], "ours"),
    ],
)
def test_whose_a_slow_service_is_depends_on_the_other_connections(others, whose):
    seen = judge([SLOW], others, [], [], NOW)
    assert seen.whose == whose
    assert [f.kind for f in seen.findings] == ["service-slow"]


def test_our_own_calls_may_be_slow_while_no_service_is():
    assert judge([FAST], [], [durations(1)], [], NOW).whose == "nothing"
    seen = judge([FAST], [], [durations(9)], [], NOW)
    assert (seen.whose, seen.own_calls[0].recent_ms, seen.own_calls[0].since) == ("ours", 190, TEN)
    assert seen.summary.startswith("No service is over its latency budget. 0 of 0 other")
    assert [f.resource for f in seen.findings] == ["action:sre-reliability.look"]
