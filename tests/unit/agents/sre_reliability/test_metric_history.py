"""The last day of a metric against the days before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from agents.sre_reliability.system_monitoring.metric_history import Unusual, find_unusual
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SERIES

STEP = 300
DAY = 86400 // STEP  # samples
END = datetime(2026, 3, 2, 6, 55, tzinfo=UTC)
BERLIN = "Europe/Berlin"
SUMMER = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # when its clocks go forward
WINTER = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # when they go back


def unusual(frame: pd.DataFrame, now: datetime = END, zone: str = "UTC") -> Unusual | None:
    return find_unusual(frame, now, zone)


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
    assert unusual(series(daily_rhythm(seed=seed))) is None


def test_a_drop_that_lasts_is_found_with_its_time_and_its_size():
    values = daily_rhythm()
    values[-6:] = 5.0
    found = unusual(series(values))
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
    found = unusual(series(values))
    assert found is not None
    assert not found.ongoing
    assert (found.ended_at - found.started_at).total_seconds() == 9 * STEP


def test_day_time_traffic_by_night_is_found_though_the_value_is_usual_by_day():
    values = daily_rhythm()
    quietest = len(values) - DAY  # the rhythm is at its lowest where a day begins
    values[quietest : quietest + 6] = 500.0
    assert unusual(series(values)) is not None


def test_a_single_spike_is_left_alone():
    values = daily_rhythm()
    values[[-50, -30]] = 5000.0
    assert unusual(series(values)) is None


def test_a_metric_that_is_wild_every_day_is_wild_by_nature():
    values = np.full(7 * DAY, 2.0)
    for day in range(7):  # a batch job at another time each day
        start = day * DAY + 37 * day % (DAY - 10)
        values[start : start + 6] = 70.0
    assert unusual(series(values)) is None
    values[-20:-10] = 700.0
    assert unusual(series(values)) is not None


def test_a_constant_metric_that_trembles_is_no_sensation():
    values = np.full(7 * DAY, 100.0)
    values[-5:] = 101.0
    assert unusual(series(values)) is None


@pytest.mark.parametrize("samples", [0, 1, 3, DAY // 2, DAY])
def test_too_little_history_tells_nothing(samples):
    values = np.full(samples, 1.0)
    values[-3:] = 1000.0
    assert unusual(series(values)) is None


def test_gaps_and_disorder_do_not_matter():
    values = daily_rhythm()
    values[-6:] = 5.0
    frame = series(values)
    kept = frame.drop(index=range(300, 340)).sample(frac=1, random_state=3)
    assert unusual(kept) == unusual(kept.sort_values("ts"))
    assert unusual(kept) is not None


# --- The last day ends now ---------------------------------------------------------------------


def test_what_is_unusual_in_a_metric_that_stopped_days_ago_is_no_news():
    values = daily_rhythm()
    values[-6:] = 5.0
    assert unusual(series(values), END + timedelta(hours=12)) is not None
    assert unusual(series(values), END + timedelta(hours=30)) is None


def test_what_has_stopped_is_not_ongoing():
    values = daily_rhythm()
    values[-6:] = 5.0
    for minutes, ongoing in ((20, True), (40, False)):
        found = unusual(series(values), END + timedelta(minutes=minutes))
        assert found is not None
        assert found.ongoing is ongoing


def test_later_samples_are_ignored():
    values = daily_rhythm()
    values[-6:] = 5.0
    assert unusual(series(values), END - timedelta(minutes=30)) is None


# --- Whose clock -------------------------------------------------------------------------------


def opening_hours(now: datetime, zone: str, seed: int = 1) -> pd.DataFrame:
    """A week of a metric that is 500 from 9 to 18 h on a zone's clock, and else 20."""
    ts = pd.date_range(end=now, periods=7 * DAY, freq="5min", tz="UTC").as_unit("us")
    hour = ts.tz_convert(zone).hour
    noise = np.random.default_rng(seed).normal(0, 3, len(ts))
    values = np.where((hour >= 9) & (hour < 18), 500.0, 20.0) + noise
    return SERIES.validate(pd.DataFrame({"ts": ts, "value": values}))


@pytest.mark.parametrize("keeps", [BERLIN, "UTC"])
@pytest.mark.parametrize("change", [SUMMER, WINTER])
@pytest.mark.parametrize("hours", range(-12, 7 * 24, 9))
def test_a_change_of_clocks_is_no_anomaly_whichever_clock_the_metric_keeps(change, hours, keeps):
    now = change + timedelta(hours=hours)
    assert unusual(opening_hours(now, keeps), now, BERLIN) is None


def test_without_the_business_clock_a_change_of_clocks_would_be_one():
    now = SUMMER + timedelta(hours=20)
    assert unusual(opening_hours(now, BERLIN), now, "UTC") is not None


@pytest.mark.parametrize("change", [SUMMER, WINTER])
def test_an_outage_on_the_day_of_the_change_is_still_found(change):
    now = change + timedelta(hours=11)  # noon in Berlin
    frame = opening_hours(now, BERLIN)
    frame.loc[frame["ts"] > now - timedelta(minutes=30), "value"] = 20.0
    found = unusual(frame, now, BERLIN)
    assert found is not None
    assert found.ongoing
    assert found.expected == pytest.approx(500, abs=5)


# --- Large numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("level", [3e12, -9.2e18, 1e100, 9e299])
def test_large_numbers_are_numbers(level):
    values = np.where(np.arange(7 * DAY) % 2, level, level * 0.999)
    ts = pd.date_range(end=END, periods=len(values), freq="5min", tz="UTC")
    frame, problems = conform(pd.DataFrame({"ts": ts, "value": values}), SERIES)
    assert (len(frame), problems) == (len(values), [])
    assert unusual(frame) is None
    frame.loc[frame.index[-6:], "value"] = 0.0
    found = unusual(frame)
    assert found is not None
    assert found.value == 0.0


def weekly(weeks: int, *, end: str = "2026-03-02 06:55", seed: int = 1) -> pd.DataFrame:
    """A shop's hours: busy from Monday to Friday, a tenth of it on weekends."""
    ts = pd.date_range(end=end, periods=weeks * 7 * DAY, freq="5min", tz="UTC")
    rng = np.random.default_rng(seed)
    values = np.where(ts.day_of_week < 5, 500.0, 50.0) + rng.normal(0, 5, len(ts))
    return SERIES.validate(pd.DataFrame({"ts": ts.as_unit("us"), "value": values}))


def test_a_weekend_and_the_monday_after_it_are_no_anomaly():
    for day in ("2026-03-07", "2026-03-08", "2026-03-09"):  # from Saturday to Monday
        frame = weekly(4, end=f"{day} 18:00")
        assert unusual(frame, frame["ts"].max().to_pydatetime()) is None


def test_a_weekday_like_a_weekend_is_one_where_weeks_are_known():
    frame = weekly(4, end="2026-03-11 18:00")  # a Wednesday
    frame.loc[frame.index[-24:], "value"] = 50.0
    found = unusual(frame, frame["ts"].max().to_pydatetime())
    assert found is not None
    assert found.expected == pytest.approx(500, rel=0.05)


def test_two_faults_a_month_are_not_the_nature_of_a_metric():
    frame = series(daily_rhythm(days=28))
    for day in (10, 20):
        frame.loc[frame.index[-day * DAY - 6 : -day * DAY], "value"] = -50.0
    frame.loc[frame.index[-6:], "value"] = 5.0
    assert unusual(frame) is not None
