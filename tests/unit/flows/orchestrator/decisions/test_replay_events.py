"""Events put together again under another policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from blocks.policy.policy import Policy
from blocks.vocabulary.messages import SystemEvent
from blocks.vocabulary.severity import Severity
from flows.orchestrator.decisions.replay_events import replay_events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USUAL = Policy()


def event(number, subject="service:checkout", minutes=0, severity=Severity.ERROR):
    return SystemEvent(
        id=str(number),
        source="monitor",
        type="down",
        subject=subject,
        severity=severity,
        time=NOW - timedelta(minutes=60 - minutes),
    )


def changed(**events):
    return Policy.extended({"events": events})


def test_without_a_change_nothing_differs():
    events = [event(1), event(2, "store:shop"), event(3, minutes=40)]
    tally, differences = replay_events(events, USUAL, USUAL, NOW)
    assert (tally.same, tally.different, differences) == (3, 0, [])


def test_a_wider_window_joins_what_was_apart():
    tally, differences = replay_events(
        [event(1), event(2, minutes=20)], USUAL, changed(window_seconds=3600), NOW
    )
    assert (tally.same, tally.different) == (0, 2)
    assert "1 event" in differences[0].recorded
    assert "2 events" in differences[0].replayed


def test_a_topology_names_the_cause():
    events = [event(1), event(2, "store:shop"), event(3, "service:search")]
    other = changed(topology={"service:checkout": ["store:shop"]})
    tally, differences = replay_events(events, USUAL, other, NOW)
    assert (tally.same, tally.different) == (1, 2)
    (moved,) = (d for d in differences if d.subject == "service:checkout")
    assert "shop" in moved.replayed
    assert moved.why


def test_other_rules_of_urgency_are_told():
    patient = Policy.extended({"priorities": {"points_per_hour_waited": 0, "most_for_waiting": 0}})
    hasty = Policy.extended({"priorities": {"points_per_hour_waited": 50, "most_for_waiting": 50}})
    (found,) = replay_events([event(1, severity=Severity.WARNING)], patient, hasty, NOW)[1]
    assert found.recorded.endswith("normal")
    assert found.replayed.endswith("high")


@given(st.permutations([event(i, f"service:{i % 3}", minutes=7 * i) for i in range(6)]))
def test_the_order_of_arrival_does_not_matter(events):
    other = changed(window_seconds=900)
    assert replay_events(events, USUAL, other, NOW) == replay_events(
        sorted(events, key=lambda e: e.id), USUAL, other, NOW
    )
