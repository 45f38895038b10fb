"""What bears a surge and what gives way first, over tables and over anything."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sre_reliability.capacity_planning.assessment import (
    Capacity,
    Load,
    Surge,
    SurgeAssessment,
    Verdict,
    assess_capacity,
)

HOUR = Surge(items=120, factor=1.5, minutes=60)

measured = st.builds(
    Load,
    resource=st.sampled_from(["pool:a", "pool:b", "agent:c", "host:local"]),
    measure=st.just("runs at once"),
    present=st.floats(0, 40),
    limit=st.integers(1, 40).map(float),
    slots=st.booleans(),
    share=st.floats(0.1, 1),
    seconds_per_unit=st.none() | st.floats(0, 1e4),
)
unknown = st.builds(Load, resource=st.just("service:s"), measure=st.just("metrics"))
out = st.builds(
    Load, resource=st.just("service:t"), measure=st.just("health"), is_out=st.just(True)
)
surges = st.builds(
    Surge,
    items=st.integers(1, 1_000_000),
    factor=st.floats(1, 100),
    minutes=st.floats(1, 10_000),
)


def one(load: Load, surge: Surge = HOUR) -> Capacity:
    (found,) = assess_capacity([load], surge)
    return found


def test_measured_work_is_added_to_the_present_load() -> None:
    # 180 units of 40 s within an hour keep two more slots busy (Little's law).
    found = one(Load("pool:a", "runs", 1.0, 4.0, slots=True, seconds_per_unit=40.0))
    assert found.projected == pytest.approx(1 + 180 * 40 / 3600)
    assert found.verdict is Verdict.BEARS
    assert found.knee is not None
    assert found.headroom == pytest.approx(found.knee - 3)
    assert found.bears == pytest.approx((found.knee - 1) / (40 / 3600))


def test_what_nobody_measured_grows_with_the_surge() -> None:
    found = one(Load("service:shop", "cpu", 60.0, 100.0, share=0.8))
    assert (found.projected, found.verdict) == (pytest.approx(90), Verdict.BREAKS)
    assert found.bears == pytest.approx(120 * 80 / 60)
    assert found.headroom == pytest.approx(-10)


def test_what_tells_no_capacity_is_not_known_and_never_fine() -> None:
    for load in (
        Load("service:shop", "metrics"),
        Load("service:shop", "requests", present=7.0),
        Load("service:shop", "connections", limit=7.0),
    ):
        found = one(load)
        assert found.verdict is Verdict.NOT_KNOWN
        assert (found.projected, found.headroom, found.bears) == (None, None, None)


def test_what_does_not_work_gives_way_first() -> None:
    found = assess_capacity(
        [
            Load("pool:a", "runs", 30.0, 4.0, slots=True, seconds_per_unit=1.0),
            Load("service:shop", "health", is_out=True),
        ],
        HOUR,
    )
    assert [each.bears for each in found] == [0, 0]
    assert {each.verdict for each in found} == {Verdict.BREAKS}


def test_what_is_never_used_up_bears_anything() -> None:
    for seconds in (0.0, 5e-324):
        found = one(Load("pool:approvals", "runs", 0.0, 4.0, slots=True, seconds_per_unit=seconds))
        assert (found.verdict, found.bears) == (Verdict.BEARS, None)


def test_a_pool_without_slots_bears_nothing() -> None:
    found = one(Load("pool:closed", "runs", 0.0, 0.0, slots=True, seconds_per_unit=1.0))
    assert (found.verdict, found.bears) == (Verdict.BREAKS, 0)


@given(load=measured, surge=surges, more=st.integers(0, 10_000))
def test_headroom_falls_with_the_items_that_add_work(load: Load, surge: Surge, more: int) -> None:
    if load.seconds_per_unit is None:
        return
    larger = Surge(surge.items + more, surge.factor, surge.minutes)
    before, after = one(load, surge), one(load, larger)
    assert before.headroom is not None
    assert after.headroom is not None
    assert after.headroom <= before.headroom
    assert after.bears == before.bears, "what it bears does not hang on what is expected"


@given(load=measured, surge=surges, more=st.floats(0, 10))
def test_headroom_falls_with_the_factor(load: Load, surge: Surge, more: float) -> None:
    larger = Surge(surge.items, surge.factor + more, surge.minutes)
    before, after = one(load, surge), one(load, larger)
    assert before.headroom is not None
    assert after.headroom is not None
    assert after.headroom <= before.headroom + 1e-9 * abs(before.headroom)


@given(load=measured, surge=surges)
def test_it_breaks_exactly_where_more_is_expected_than_it_bears(load: Load, surge: Surge) -> None:
    found = one(load, surge)
    breaks = found.bears is not None and surge.units > found.bears
    assert (found.verdict is Verdict.BREAKS) == breaks


@given(loads=st.lists(measured | unknown | out, max_size=8), surge=surges)
def test_the_first_to_break_is_the_minimum_and_the_unknown_come_last(
    loads: list[Load], surge: Surge
) -> None:
    resources = assess_capacity(loads, surge)
    assert len(resources) == len(loads)
    found = SurgeAssessment(
        checked_at=datetime(2026, 11, 30, tzinfo=UTC),
        items=surge.items,
        factor=surge.factor,
        window_minutes=surge.minutes,
        resources=resources,
    )
    known = [each.bears for each in resources if each.bears is not None]
    first = found.first_to_break
    assert (first.bears if first else None) == min(known, default=None)
    verdicts = [each.verdict is Verdict.NOT_KNOWN for each in resources]
    assert verdicts == sorted(verdicts)
    for name in found.not_known:
        assert name in found.summary
    if found.breaking:
        assert first in found.breaking
