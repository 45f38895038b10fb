"""What is known of an instance: recent attempts weigh more, cancelled ones nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.ledger.calls.records import PastAttempt
from blocks.vocabulary.blame import Blame
from blocks.vocabulary.messages import Outcome
from flows.orchestrator.dispatch.track_records import HALF_COUNT, HALF_LIFE, track_records

STEP = 0.5 ** (1 / HALF_COUNT)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def attempt(instance="a", ago=timedelta(0), ms=100, failed=False, action="go", blame=None):
    end = NOW - ago
    return PastAttempt(
        message_id="m",
        attempt=1,
        agent="agent",
        instance=instance,
        action=action,
        sent_at=end,
        started_at=end - timedelta(milliseconds=ms),
        finished_at=end,
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        blame=blame,
    )


def test_an_attempt_of_a_half_life_ago_counts_half():
    past = [attempt(), attempt(ago=HALF_LIFE), attempt(ago=2 * HALF_LIFE, failed=True)]
    record = track_records(past, "go", NOW)["a"]
    assert record.successes == pytest.approx(1 + 0.5 * STEP)
    assert record.failures == pytest.approx(0.25 * STEP**2)


def test_under_load_the_newest_attempts_decide():
    many = [attempt(ago=timedelta(seconds=40 + i)) for i in range(300)]
    dead = [attempt(ago=timedelta(seconds=i), failed=True) for i in range(HALF_COUNT)]
    record = track_records(many + dead, "go", NOW)["a"]
    assert record.successes == pytest.approx(record.failures, rel=0.05)


def test_durations_are_those_of_the_same_action_and_of_successes():
    past = [
        attempt(ms=100),
        attempt(ms=400, ago=HALF_LIFE),
        attempt(ms=9000, action="other"),
        attempt(ms=9000, failed=True),
    ]
    record = track_records(past, "go", NOW)["a"]
    assert 100 < record.mean_ms < (100 + 0.5 * 400) / 1.5 + 1
    assert 1 < record.timed < 1.5
    assert record.successes > 2, "another action's success is a success all the same"
    assert track_records(past, "never done", NOW)["a"].mean_ms is None


@pytest.mark.parametrize("blamed", [Blame.NOBODY, Blame.SOURCE, Blame.ASKER, Blame.HOUSE])
def test_what_would_have_failed_with_anybody_says_nothing_of_who_was_asked(blamed):
    outage = [attempt(failed=True, blame=blamed) for _ in range(20)]
    assert track_records(outage, "go", NOW) == {}
    known = [attempt(ago=HALF_LIFE)]
    assert track_records(known + outage, "go", NOW) == track_records(known, "go", NOW)


def test_a_missed_deadline_and_a_bug_count_against_who_was_asked():
    record = track_records([attempt(failed=True, blame=Blame.ASKED)], "go", NOW)["a"]
    assert (record.successes, record.failures) == (0.0, 1.0)


def test_instances_are_told_apart():
    past = [attempt("a"), attempt("b", failed=True)]
    records = track_records(past, "go", NOW)
    assert (records["a"].failures, records["b"].successes) == (0.0, 0.0)


@given(
    st.permutations(
        [attempt(), attempt("b"), attempt(ago=HALF_LIFE), attempt(ago=HALF_LIFE / 2, failed=True)]
    )
)
def test_the_order_does_not_matter(past):
    assert track_records(past, "go", NOW) == track_records(sorted(past, key=repr), "go", NOW)


def test_a_clock_that_is_ahead_does_not_lend_weight():
    assert track_records([attempt(ago=-timedelta(hours=9))], "go", NOW)["a"].successes == 1.0
