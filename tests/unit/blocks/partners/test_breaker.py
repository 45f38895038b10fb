"""The breaker as values: when it opens, whom it lets through, and that it always comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.partners.breaker import MINIMUM, OPEN, PROBES, WINDOW, Breaker

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEVER = timedelta(microseconds=1)


def after(outcomes: str, breaker: Breaker | None = None, at: datetime = AT) -> Breaker:
    """A breaker after calls with these outcomes, one by one; those refused are left out."""
    breaker = breaker or Breaker()
    for outcome in outcomes:
        breaker, entry = breaker.enter(at)
        if entry.turn is not None:
            breaker = breaker.leave(entry.turn, outcome == "+", at)
    return breaker


def lets_through(breaker: Breaker, at: datetime) -> bool:
    return breaker.enter(at)[1].turn is not None


@pytest.mark.parametrize(
    ("outcomes", "opens"),
    [
        ("-" * 9, False),
        ("-" * 10, True),
        ("+" * 5 + "-" * 5, True),
        ("+" * 6 + "-" * 5, False),
        ("+" * 100 + "-" * 9, False),
        ("+" * 100 + "-" * 10, True),
        ("+-" * 5, True),
        ("++-" * 40, False),
    ],
)
def test_it_opens_at_half_of_the_last_twenty_and_ten_at_least(outcomes: str, opens: bool) -> None:
    assert (WINDOW, MINIMUM) == (20, 10)
    assert lets_through(after(outcomes), AT) is not opens


def test_open_it_says_until_when_and_since_when() -> None:
    breaker = after("-" * 10)
    assert breaker.enter(AT + OPEN - NEVER)[1].until == AT + OPEN == AT + timedelta(seconds=60)
    assert breaker.since == AT
    assert lets_through(breaker, AT + OPEN)


def test_after_that_ten_probes_are_let_through_and_no_more() -> None:
    breaker, at = after("-" * 10), AT + OPEN
    turns = []
    for _ in range(PROBES + 3):
        breaker, entry = breaker.enter(at)
        turns.append(entry.turn)
    assert PROBES == 10
    assert [turn is not None for turn in turns] == [True] * 10 + [False] * 3


def test_half_of_the_probes_failing_open_it_again_for_the_same_outage() -> None:
    at = AT + OPEN
    assert lets_through(after("++++----", after("-" * 10), at), at)
    breaker = after("+++++-----", after("-" * 10), at)
    assert (breaker.since, breaker.enter(at)[1].until) == (AT, at + OPEN)
    assert not lets_through(after("-----", after("-" * 10), at), at)  # it is certain by then


def test_it_closes_when_most_of_the_probes_are_well() -> None:
    breaker = after("++++++----", after("-" * 10), AT + OPEN)
    assert (breaker.since, breaker.opened_at) == (None, None)
    assert lets_through(after("-" * 9, breaker, AT + OPEN), AT + OPEN)  # and counts anew


def test_an_outcome_of_before_it_opened_is_no_probes() -> None:
    breaker, early = Breaker().enter(AT)
    assert early.turn is not None
    breaker, _ = after("-" * 10, breaker).enter(AT + OPEN)
    assert breaker.leave(early.turn, False, AT + OPEN) == breaker


def test_probes_that_never_come_back_are_replaced() -> None:
    breaker, at = after("-" * 10), AT + OPEN
    for _ in range(PROBES):
        breaker, _ = breaker.enter(at)
    assert not lets_through(breaker, at + OPEN - NEVER)
    assert lets_through(breaker, at + OPEN)


def test_a_probe_that_saw_nothing_is_given_back() -> None:
    breaker, at = after("-" * 10), AT + OPEN
    for _ in range(PROBES):
        breaker, entry = breaker.enter(at)
    assert entry.turn is not None
    assert lets_through(breaker.leave(entry.turn, None, at), at)


def test_a_clock_that_was_set_back_keeps_it_open_no_longer() -> None:
    assert lets_through(after("-" * 10), AT - timedelta(days=3))


STEPS = st.lists(
    st.tuples(
        st.integers(0, 90),  # seconds that pass
        st.integers(0, 12),  # calls that begin
        st.lists(st.booleans() | st.none(), max_size=12),  # of those out, how the first come back
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_no_call_comes_through_while_open_and_ten_while_half_open(
    steps: list[tuple[int, int, list[bool | None]]],
) -> None:
    breaker, at, out = Breaker(), AT, [0][:0]
    probes: dict[int, int] = {}
    for seconds, calls, outcomes in steps:
        at += timedelta(seconds=seconds)
        for _ in range(calls):
            opened = breaker.opened_at
            breaker, entry = breaker.enter(at)
            if entry.turn is None:
                assert entry.until is not None
                assert at < entry.until <= at + OPEN  # nobody is told to wait for longer
                continue
            out.append(entry.turn)
            if opened is not None:
                assert at - opened >= OPEN
                probes[entry.turn] = probes.get(entry.turn, 0) + 1
        for well in outcomes:
            if out:
                turn = out.pop(0)
                breaker = breaker.leave(turn, well, at)
                if well is None and turn in probes:
                    probes[turn] -= 1
        assert len(breaker.calls) <= WINDOW
    assert all(count <= PROBES for count in probes.values())


@given(STEPS)
def test_a_partner_that_is_well_again_is_called_again(
    steps: list[tuple[int, int, list[bool | None]]],
) -> None:
    breaker, at = Breaker(), AT
    for seconds, calls, outcomes in steps:
        at += timedelta(seconds=seconds)
        for well in [*outcomes, *[None] * calls]:
            breaker, entry = breaker.enter(at)
            if entry.turn is not None and well is not None:
                breaker = breaker.leave(entry.turn, well, at)
    for _ in range(3):
        at += OPEN
        breaker = after("+" * PROBES, breaker, at)
    assert breaker.opened_at is None
