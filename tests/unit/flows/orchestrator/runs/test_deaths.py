"""When a run counts as dead, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from blocks.policy.policy import RecoveryRules
from flows.orchestrator.runs.deaths import (
    CUT_OFF,
    LONGEST_REST,
    OPEN,
    OPEN_BY_SCHEDULE,
    RESTARTED,
    SETTLING,
    TAG,
    Next,
    Process,
    Sight,
    after_crash,
    are_lives_of_one,
    cause_of_death,
    is_cancelled_by_nobody,
    life_of,
    may_be_restarted,
    record_id,
    repeats_in,
    rest_after,
    restarts_in,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


SIGHT = Sight(
    state="RUNNING",
    since=LONG_AGO,
    process=Process.UNSEEN,
    heard_at=None,
    listening_since=LONG_AGO,
)


@pytest.mark.parametrize(
    ("changes", "dies"),
    [
        ({"process": Process.LIVES}, False),
        ({"process": Process.GONE}, True),
        ({"process": Process.GONE, "since": NOW - seconds(9)}, False),
        ({}, True),
        ({"since": NOW - seconds(89)}, False),
        ({"heard_at": NOW - seconds(89)}, False),
        ({"heard_at": NOW - seconds(90)}, True),
        ({"listening_since": NOW - seconds(89)}, False),
        ({"watched": True}, True),
        ({"watched": True, "heard_at": NOW - seconds(299)}, False),
        ({"state": "PENDING", "since": NOW - seconds(59)}, False),
        ({"state": "PENDING", "since": NOW - seconds(60)}, True),
        ({"state": "PENDING", "since": NOW - seconds(60), "watched": True}, False),
        ({"state": "PENDING", "since": NOW - seconds(300), "watched": True}, True),
        ({"state": "PAUSED", "process": Process.GONE}, True),
        ({"state": "CANCELLING", "process": Process.LIVES}, False),
    ],
)
def test_who_is_dead(changes: dict[str, object], dies: bool) -> None:
    assert bool(cause_of_death(replace(SIGHT, **changes), NOW)) is dies  # type: ignore[arg-type]


RULES = RecoveryRules()


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, True),
        ({"since": NOW - seconds(60)}, False),
        ({"state": "RUNNING"}, False),
        ({"process": Process.GONE}, False),
        ({"process": Process.UNSEEN}, False),
    ],
)
def test_whom_nobody_cancels(changes: dict[str, object], left: bool) -> None:
    sight = replace(SIGHT, state="CANCELLING", process=Process.LIVES, since=NOW - seconds(61))
    assert is_cancelled_by_nobody(replace(sight, **changes), NOW) is left  # type: ignore[arg-type]


LIFE = [("SCHEDULED", "Scheduled"), ("PENDING", "Pending"), ("RUNNING", "Running")]
DEATH = ("CRASHED", "Crashed")
AGAIN = ("SCHEDULED", RESTARTED)
WAITING = ("SCHEDULED", "AwaitingConcurrencySlot")
BY_HAND = ("SCHEDULED", "AwaitingRetry")
SECOND = [DEATH, AGAIN, WAITING, *LIFE[1:]]


def test_three_restarts_are_enough() -> None:
    past = [*LIFE, *SECOND, *SECOND]
    assert after_crash([*past, DEATH], RULES) is Next.RESTART
    assert after_crash([*past, *SECOND, DEATH], RULES) is Next.GIVE_UP
    assert restarts_in([*past, *SECOND, DEATH]) == 3


def test_the_policy_says_how_many_restarts_are_enough() -> None:
    once = RecoveryRules(restarts=1, restarts_when_cut_off=0)
    assert after_crash([*LIFE, DEATH], once) is Next.RESTART
    assert after_crash([*LIFE, *SECOND, DEATH], once) is Next.GIVE_UP
    assert after_crash([*LIFE, CUT], once) is Next.GIVE_UP


def test_a_person_s_retry_begins_anew() -> None:
    past = [*LIFE, *SECOND, *SECOND, *SECOND, DEATH, ("CRASHED", "GivenUp")]
    assert repeats_in(past) == 0
    past += [BY_HAND, *LIFE[1:]]
    assert repeats_in(past) == 1
    assert restarts_in(past) == 0
    assert repeats_in([*past, *SECOND]) == 1
    assert restarts_in([*past, *SECOND]) == 1


def test_what_was_being_cancelled_is_not_wanted_any_more() -> None:
    assert after_crash([*LIFE, ("CANCELLING", "Cancelling"), DEATH], RULES) is Next.CANCEL


CUT = ("CRASHED", CUT_OFF)


def test_who_was_cut_off_rests_longer_each_time_and_is_not_given_up_for_a_day() -> None:
    past, rests = [*LIFE, CUT], []
    while after_crash(past, RULES) is Next.RESTART:
        rests.append(rest_after(past))
        past += [AGAIN, *LIFE[1:], CUT]
    assert len(rests) == RULES.restarts_when_cut_off
    assert rests[:4] == [SETTLING, SETTLING * 2, SETTLING * 4, SETTLING * 8]
    assert rests[-1] == LONGEST_REST
    assert timedelta(hours=20) < sum(rests, timedelta()) < timedelta(hours=30)


def test_to_be_cut_off_counts_as_no_crash() -> None:
    past = [*LIFE, CUT, AGAIN, *LIFE[1:], *SECOND, *SECOND, *SECOND]
    assert restarts_in(past) == 3
    assert after_crash([*past, DEATH], RULES) is Next.GIVE_UP
    assert rest_after([*past, DEATH]) == SETTLING
    assert after_crash([*past, CUT], RULES) is Next.RESTART


@pytest.mark.parametrize(
    ("name", "tags", "age", "by_schedule", "may"),
    [
        (CUT_OFF, [TAG], OPEN - seconds(1), False, True),
        (CUT_OFF, ["internal"], seconds(0), False, False),
        ("Crashed", [TAG], seconds(0), False, True),
        ("Crashed", ["internal", TAG], OPEN - seconds(1), False, True),
        ("Crashed", [TAG], OPEN, False, False),
        ("Crashed", [TAG], OPEN_BY_SCHEDULE - seconds(1), True, True),
        ("Crashed", [TAG], OPEN_BY_SCHEDULE, True, False),
        ("Crashed", ["internal"], seconds(0), False, False),
        ("GivenUp", [TAG], seconds(0), False, False),
        ("Failed", [TAG], seconds(0), False, False),
    ],
)
def test_what_may_be_restarted(
    name: str, tags: list[str], age: timedelta, by_schedule: bool, may: bool
) -> None:
    assert may_be_restarted(name, tags, NOW - age, by_schedule, NOW) is may


def test_every_life_of_a_run_has_a_record_of_its_own() -> None:
    run = UUID("1c0e3c1e-5a8f-4f5c-9a30-64c6a87ec9ea")
    first, third = record_id(run, 1), record_id(run, 3)
    assert record_id(run, 0) == first == run.hex
    assert (life_of(first), life_of(third)) == ((run.hex, 1), (run.hex, 3))
    assert are_lives_of_one(first, third)
    assert not are_lives_of_one(None, third)
    assert not are_lives_of_one("r1", third)
