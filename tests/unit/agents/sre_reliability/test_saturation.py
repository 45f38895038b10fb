"""When something is full: shapes with a known end, and shapes that have none."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from agents.sre_reliability.system_monitoring.saturation import Forecast, forecast_full
from benchmarks.saturation import BEGAN, FILLING, QUIET, STEP, Shape

RNG = 7


def told(shape: Shape, at: float, *, kept: float = 28.0) -> Forecast | None:
    """What is told on day ``at`` of a shape."""
    days = np.arange(0, 28, STEP)
    levels = shape(days, np.random.default_rng(RNG))
    known = (days >= at - kept) & (days <= at)
    series = [
        (BEGAN + timedelta(days=float(day)), float(level))
        for day, level in zip(days[known], levels[known], strict=True)
    ]
    return forecast_full(series, BEGAN + timedelta(days=at))


def full_on(shape: Shape) -> float:
    days = np.arange(0, 28, STEP)
    levels = shape(days, np.random.default_rng(RNG))
    return float(days[np.argmax(levels >= 100)])


@pytest.mark.parametrize("name", ["steady", "nightly backups", "teeth that grow"])
def test_full_in_three_days_is_told_with_bounds_that_hold_it(name: str):
    shape = FILLING[name]
    found = told(shape, full_on(shape) - 3)
    assert found is not None
    assert found.days == pytest.approx(3, abs=0.7)
    assert found.latest is not None
    assert found.earliest < 3 < found.latest


def test_what_grows_faster_is_told_by_its_last_days():
    shape = FILLING["faster and faster"]
    found = told(shape, full_on(shape) - 3)
    assert found is not None
    assert found.days < 5
    assert found.earliest < 3


def test_a_tooth_that_outgrows_the_earlier_ones_is_no_tooth():
    def rotated(days, rng):
        return 30 + 12 * np.where(days < 10, days % 1, days - 9)

    assert told(rotated, 9.9) is None
    found = told(rotated, 13.5)
    assert found is not None
    assert found.days == pytest.approx(full_on(rotated) - 13.5, rel=0.2)


@pytest.mark.parametrize("name", sorted(set(QUIET) - {"weekly teeth"}))
def test_what_is_never_full_is_told_at_no_hour(name: str):
    alarms = [
        at
        for at in np.arange(3, 28, 1.1)
        if (found := told(QUIET[name], float(at))) is not None and found.earliest < 7
    ]
    assert alarms == []


def test_what_is_emptied_each_week_is_known_after_two_weeks():
    for at in (20.5, 20.9, 27.5, 27.9):
        found = told(QUIET["weekly teeth"], at)
        assert found is None or found.earliest > 7


def test_an_hour_without_a_break_is_told_and_a_burst_is_not():
    def copy(hours: float):
        def shape(days, rng):
            return 50 + 20 * np.clip((days - 3) * 24, 0, hours)

        return shape

    for minutes in (10, 20, 40):
        assert told(copy(0.33), 3 + minutes / 1440) is None
    assert told(copy(2.4), 3 + 45 / 1440) is None, "it rises, and not for an hour yet"
    found = told(copy(2.4), 3 + 70 / 1440)
    assert found is not None
    assert found.days * 24 == pytest.approx((50 - 20 * 70 / 60) / 20, rel=0.1)
    assert told(copy(2.4), 3 + 4 / 24) is None, "it is over"


def test_a_rise_of_every_day_is_no_news():
    def nightly(days, rng):  # a dump from 2 to 5 h, removed at 6
        hour = (days % 1) * 24
        return 60 + np.where(hour < 6, np.clip(hour - 2, 0, 3) * 11, 0)

    assert told(nightly, 5 + 4.5 / 24) is None


def test_little_of_a_past_tells_nothing():
    assert forecast_full([], BEGAN) is None
    steady = FILLING["steady"]
    assert told(steady, 20, kept=1.0) is None
    assert forecast_full([(BEGAN, 100.0)] * 5, BEGAN) is None


@pytest.mark.parametrize(
    ("days", "low", "high", "said"),
    [
        (3.0, 2.1, 5.2, "full in 3 days (2 to 5 days)"),
        (0.5, 0.3, 1.0, "full in 12 hours (7 to 24 hours)"),
        (30.0, 9.0, None, "full in 30 days (9 days at the earliest)"),
    ],
)
def test_it_is_said_in_days_or_hours(days, low, high, said):
    assert Forecast(80.0, 5.0, days, low, high, 10.0).said == said
