"""Quiet hours go by the store's clocks, whatever these do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blocks.policy.notify_rules import QuietHours
from flows.orchestrator.digests.quiet_hours import quiet_until

NIGHT = QuietHours(begins=time(22), ends=time(7))


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10 21:59", None),
        ("2026-01-10 22:00", "2026-01-11 07:00"),
        ("2026-01-11 06:59", "2026-01-11 07:00"),
        ("2026-01-11 07:00", None),
        ("2026-03-07 23:30", "2026-03-08 07:00"),  # clocks go forward: an hour less of quiet
        ("2026-10-31 23:30", "2026-11-01 07:00"),  # and back: an hour more
    ],
)
def test_a_night_ends_by_the_clock_of_the_store(now: str, until: str | None) -> None:
    zone = "America/New_York"
    ends = quiet_until(NIGHT, at(now, zone), zone)
    assert ends == (until and at(until, zone))


def test_it_is_another_hour_in_sydney() -> None:
    noon = datetime(2026, 1, 10, 12, tzinfo=UTC)
    assert quiet_until(NIGHT, noon, "Australia/Sydney") == datetime(2026, 1, 10, 20, tzinfo=UTC)
    assert quiet_until(NIGHT, noon, "America/New_York") is None
    assert quiet_until(None, noon, "Australia/Sydney") is None


def test_an_end_that_no_clock_shows_is_as_much_later_and_one_shown_twice_is_the_next() -> None:
    zone = "America/New_York"
    gap = QuietHours(begins=time(1), ends=time(2, 30))  # on this day there is no 02:30
    ends = quiet_until(gap, at("2026-03-08 01:15", zone), zone)
    assert ends == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    twice = QuietHours(begins=time(0), ends=time(1, 30))
    second = at("2026-11-01 01:15", zone) + timedelta(hours=1)  # the clock shows 01:15 again
    assert quiet_until(twice, second, zone) == second + timedelta(minutes=15)


CLOCKS = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))


@given(
    begins=CLOCKS,
    ends=CLOCKS,
    minute=st.integers(0, 366 * 24 * 60),
    zone=st.sampled_from(["America/New_York", "Australia/Sydney", "Europe/Berlin", "UTC"]),
)
def test_who_is_told_when_it_ends_is_told_later_and_within_a_day(
    begins: time, ends: time, minute: int, zone: str
) -> None:
    if begins == ends:
        return
    quiet = QuietHours(begins=begins, ends=ends)
    instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    until = quiet_until(quiet, instant, zone)
    if until is None:
        assert not quiet.cover(instant.astimezone(ZoneInfo(zone)).time())
    else:
        assert timedelta(0) < until - instant <= timedelta(hours=25)


def test_hours_that_would_never_end_are_refused() -> None:
    with pytest.raises(ValidationError, match="begin and end at different times"):
        QuietHours(begins=time(7), ends=time(7))
    with pytest.raises(ValidationError, match="have no zone"):
        QuietHours(begins=time(22, tzinfo=UTC), ends=time(7))
