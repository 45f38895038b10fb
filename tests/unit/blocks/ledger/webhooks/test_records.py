"""How an endpoint stands after what it took, and did not take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from blocks.ledger.webhooks.records import LONGEST_PAUSE, EndpointState
from blocks.vocabulary.partner_events import OrderedBy
from tests.endpoints import event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = EndpointState(name="acme", changed_at=NOON)


def after(failures: int) -> EndpointState:
    state = NEW
    for _ in range(failures):
        state = state.failed_one(NOON, None)
    return state


def test_it_is_left_alone_longer_with_each_failure_in_a_row_up_to_five_minutes() -> None:
    pauses = [after(n).not_before for n in range(1, 12)]
    waits = [pause and (pause - NOON).total_seconds() for pause in pauses]
    assert waits == [None, None, 5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert timedelta(seconds=300) == LONGEST_PAUSE
    assert after(5000).not_before == NOON + LONGEST_PAUSE


def test_it_is_left_alone_for_as_long_as_it_asked_and_no_shorter_than_before() -> None:
    hour = NOON + timedelta(hours=1)
    asked = NEW.failed_one(NOON, hour)
    assert asked.not_before == hour
    assert asked.is_resting(NOON)
    assert not asked.is_resting(hour)
    assert asked.failed_one(NOON, NOON + timedelta(minutes=1)).not_before == hour


def test_what_it_takes_ends_its_failures() -> None:
    well = after(7).took_one(NOON)
    assert (well.failures, well.failing_since, well.not_before) == (0, None, None)


def test_a_person_enables_it_and_nothing_of_before_counts() -> None:
    gone = after(7).disabled(NOON, "system-orchestrator", "It is gone.")
    assert (gone.enabled, gone.told_at, gone.why) == (False, None, "It is gone.")
    back = gone.enabled_again(NOON, "ann")
    assert (back.enabled, back.failures, back.why, back.changed_by) == (True, 0, "", "ann")


def test_what_waits_in_line_with_what() -> None:
    one = event(1, "order:a")
    lines = [one.line(each) for each in OrderedBy]
    assert lines == ["", "order:a", "supplier:acme", "all"]
