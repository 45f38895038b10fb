"""When a storm begins and ends, and when low-value events are summarised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger.events.records import Depth, Waiting
from blocks.policy.event_rules import EventRules
from blocks.vocabulary.messages import Severity
from flows.orchestrator.events.load_shedding import Tide, judge_tide

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = EventRules(storm_waiting=100, calm_waiting=20, calm_seconds=5, backlog_seconds=60)


def depth(low: int, grave: int = 0, oldest: float = 1, newest: float = 0) -> Depth:
    def waiting(events: int) -> Waiting:
        return Waiting(events, NOON - timedelta(seconds=oldest), NOON - timedelta(seconds=newest))

    found = {Severity.INFO: waiting(low)} if low else {}
    found |= {Severity.CRITICAL: waiting(grave)} if grave else {}
    return Depth(NOON, found)


def judged(before: bool, now: Depth) -> tuple[bool, bool]:
    tide = judge_tide(Tide(storm=before), now, NOON, RULES)
    return tide.storm, tide.summarise


def test_a_storm_begins_above_one_depth_and_ends_below_another() -> None:
    assert judged(False, depth(100)) == (False, False)
    assert judged(False, depth(101)) == (True, False)
    assert judged(True, depth(20)) == (True, False)
    assert judged(True, depth(19)) == (False, False)
    assert judged(False, depth(0, 101)) == (True, False), "nothing milder waits"


def test_what_is_severe_is_taken_in_a_storm_and_everything_else_in_calm() -> None:
    assert judge_tide(Tide(), depth(101), NOON, RULES).at_least(RULES) is Severity.ERROR
    assert judge_tide(Tide(), depth(1), NOON, RULES).at_least(RULES) is Severity.INFO


def test_the_policy_says_what_is_severe() -> None:
    strict = RULES.model_copy(update={"worth_asking": Severity.CRITICAL})
    assert judge_tide(Tide(), depth(101), NOON, strict).at_least(strict) is Severity.CRITICAL


def test_low_value_events_are_summarised_when_they_cease_or_grow_old() -> None:
    assert judged(True, depth(50, newest=4.9, oldest=9)) == (True, False)
    assert judged(True, depth(50, newest=5, oldest=9)) == (True, True)
    assert judged(True, depth(50, newest=0, oldest=59.9)) == (True, False)
    assert judged(True, depth(50, newest=0, oldest=60)) == (True, True)
    assert judged(True, depth(0, 50, oldest=99)) == (True, False)
