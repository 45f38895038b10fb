"""The last day of a metric against the days before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agents.sre_reliability.system_monitoring.metric_history import find_unusual
from blocks.frames import SERIES

STEP = 300
DAY = 86400 // STEP  # samples


def series(values: np.ndarray) -> pd.DataFrame:
    """Samples in steps of 5 minutes; the last one is at 06:55 UTC."""
    ts = pd.date_range(end="2026-03-02 06:55", periods=len(values), freq="5min", tz="UTC")
    return SERIES.validate(pd.DataFrame({"ts": ts.as_unit("us"), "value": values.astype(float)}))


def daily_rhythm(days: int = 7, seed: int = 1) -> np.ndarray:
    """100 by night to 500 by day, with noise of 10."""
    t = np.arange(days * DAY)
    wave = 300 - 200 * np.cos(2 * np.pi * t / DAY)
    return wave + np.random.default_rng(seed).normal(0, 10, len(t))


@pytest.mark.parametrize("seed", range(5))
def test_a_daily_rhythm_is_no_anomaly(seed):
    assert find_unusual(series(daily_rhythm(seed=seed))) is None


def test_a_drop_that_lasts_is_found_with_its_time_and_its_size():
    values = daily_rhythm()
    values[-6:] = 5.0
    found = find_unusual(series(values))
    assert found is not None
    assert found.ongoing
    assert found.started_at.isoformat() == "2026-03-02T06:30:00+00:00"
    assert found.value == 5.0
    assert found.z < -5
    # The rhythm's own value at that time: samples 6 from the end of a whole number of days.
    assert found.expected == pytest.approx(300 - 200 * np.cos(2 * np.pi * -3 / DAY), abs=10)


def test_what_is_over_is_not_ongoing():
    values = daily_rhythm()
    values[-100:-90] = 900.0
    found = find_unusual(series(values))
    assert found is not None
    assert not found.ongoing
    assert (found.ended_at - found.started_at).total_seconds() == 9 * STEP


def test_day_time_traffic_by_night_is_found_though_the_value_is_usual_by_day():
    values = daily_rhythm()
    quietest = len(values) - DAY  # the rhythm is at its lowest where a day begins
    values[quietest : quietest + 6] = 500.0
    assert find_unusual(series(values)) is not None


def test_a_single_spike_is_left_alone():
    values = daily_rhythm()
    values[[-50, -30]] = 5000.0
    assert find_unusual(series(values)) is None


def test_a_metric_that_is_wild_every_day_is_wild_by_nature():
    values = np.full(7 * DAY, 2.0)
    for day in range(7):  # a batch job at another time each day
        start = day * DAY + 37 * day % (DAY - 10)
        values[start : start + 6] = 70.0
    assert find_unusual(series(values)) is None
    values[-20:-10] = 700.0
    assert find_unusual(series(values)) is not None


def test_a_constant_metric_that_trembles_is_no_sensation():
    values = np.full(7 * DAY, 100.0)
    values[-5:] = 101.0
    assert find_unusual(series(values)) is None


@pytest.mark.parametrize("samples", [0, 1, 3, DAY // 2, DAY])
def test_too_little_history_tells_nothing(samples):
    values = np.full(samples, 1.0)
    values[-3:] = 1000.0
    assert find_unusual(series(values)) is None


def test_gaps_and_disorder_do_not_matter():
    values = daily_rhythm()
    values[-6:] = 5.0
    frame = series(values)
    kept = frame.drop(index=range(300, 340)).sample(frac=1, random_state=3)
    assert find_unusual(kept) == find_unusual(kept.sort_values("ts"))
    assert find_unusual(kept) is not None
