"""Where response time begins to rise steeply: the formulas against closed forms and simulation."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sre_reliability.capacity_planning.queueing import (
    busy_at,
    knee_of_slots,
    slots_for,
    waiting_share,
)

loads = st.floats(0, 50)
numbers = st.integers(1, 60)


@given(busy=st.floats(0, 0.99))
def test_one_slot_is_the_closed_form(busy: float) -> None:
    assert waiting_share(busy, 1) == pytest.approx(busy / (1 - busy))


@given(busy=st.floats(0, 0.99))
def test_two_slots_are_the_closed_form(busy: float) -> None:
    assert waiting_share(2 * busy, 2) == pytest.approx(busy**2 / (1 - busy**2))


@pytest.mark.parametrize(
    ("slots", "load", "chance"),
    # Tables of Erlang C, for instance in Cooper, "Introduction to Queueing Theory", 1981.
    [(5, 4.0, 0.5541), (10, 8.0, 0.4092), (20, 16.0, 0.2561)],
)
def test_the_chance_of_waiting_is_that_of_the_tables(
    slots: int, load: float, chance: float
) -> None:
    assert waiting_share(load, slots) * (slots - load) == pytest.approx(chance, abs=5e-5)


@given(load=loads, slots=numbers)
def test_more_load_waits_longer_and_more_slots_shorter(load: float, slots: int) -> None:
    waits = waiting_share(load, slots)
    assert waits >= 0
    assert waiting_share(load * 1.1 + 0.01, slots) >= waits
    assert waiting_share(load, slots + 1) <= waits
    assert (waits == inf) == (load >= slots)


@given(slots=numbers)
def test_at_the_knee_work_waits_as_long_as_it_is_worked_on(slots: int) -> None:
    knee = knee_of_slots(slots)
    assert waiting_share(knee, slots) == pytest.approx(1, rel=1e-3)
    assert knee / slots <= knee_of_slots(slots + 1) / (slots + 1), "more share a queue better"


def test_the_knee_of_one_slot_is_half_of_it() -> None:
    assert knee_of_slots(1) == pytest.approx(0.5)
    assert knee_of_slots(0) == 0


@given(load=st.floats(0, 30), most=st.integers(1, 40))
def test_the_fewest_slots_are_chosen_that_bear_it(load: float, most: int) -> None:
    slots = slots_for(load, most)
    assert 1 <= slots <= most
    assert slots == most or knee_of_slots(slots) >= load
    assert slots == 1 or knee_of_slots(slots - 1) < load


def test_how_busy_it_may_be_follows_from_its_response() -> None:
    assert busy_at(200, 400, 0.5) == pytest.approx(0.75)
    assert busy_at(400, 400, 0.5) == pytest.approx(0.5), "its budget is used up as it is"
    assert busy_at(800, 400, 0.5) == 0, "it never kept it"
