"""When a metric has stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from blocks.formats.sample_times import has_stopped

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def steady(last_ago: timedelta, step: timedelta, samples: int = 100) -> pd.Series:
    last = pd.Timestamp(NOW - last_ago)
    return pd.Series([last - i * step for i in range(samples)])


@pytest.mark.parametrize(
    ("step", "silence", "stopped"),
    [
        (timedelta(minutes=5), timedelta(minutes=30), False),  # six intervals
        (timedelta(minutes=5), timedelta(minutes=31), True),
        (timedelta(seconds=1), timedelta(minutes=15), False),  # a restart takes longer than 6 s
        (timedelta(seconds=1), timedelta(minutes=16), True),
        (timedelta(hours=1), timedelta(hours=5), False),
        (timedelta(hours=1), timedelta(hours=7), True),
        (timedelta(hours=1), timedelta(hours=-2), False),  # clocks differ
    ],
)
def test_a_metric_has_stopped_after_six_of_its_intervals(
    step: timedelta, silence: timedelta, stopped: bool
) -> None:
    ts = steady(silence, step)
    assert has_stopped(ts, NOW) is stopped
    assert has_stopped(ts.sample(frac=1, random_state=1), NOW) is stopped
    assert has_stopped(pd.concat([ts, ts]), NOW) is stopped


def test_one_that_rests_every_night_has_not_stopped_before_its_nights_are_over() -> None:
    five = timedelta(minutes=5)
    days = [steady(timedelta(hours=24 * d), five, 12 * 16) for d in range(5)]  # 16 hours of 24
    awake = pd.concat(days) - timedelta(hours=2)
    assert not has_stopped(awake, NOW)  # two hours into the night
    assert not has_stopped(awake, NOW + timedelta(hours=6))
    assert not has_stopped(awake, NOW + timedelta(hours=7))  # one night is longer than another
    assert has_stopped(awake, NOW + timedelta(hours=12))
    assert has_stopped(awake.iloc[: 12 * 16], NOW)  # of whose nights nobody knows


def test_one_long_gap_is_no_habit() -> None:
    five = timedelta(minutes=5)
    halves = [steady(timedelta(hours=1), five), steady(timedelta(hours=40), five)]
    assert has_stopped(pd.concat(halves), NOW)


@pytest.mark.parametrize("samples", [1, 2])
def test_of_a_few_samples_nobody_knows_how_often_they_come(samples: int) -> None:
    for silence, stopped in ((timedelta(hours=20), False), (timedelta(hours=30), True)):
        assert has_stopped(steady(silence, timedelta(minutes=5), samples), NOW) is stopped


def test_what_never_came_has_stopped() -> None:
    assert has_stopped(steady(timedelta(), timedelta(hours=1), 0), NOW)
