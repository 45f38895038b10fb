"""The detector must see what stands out, and must never look ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.data_intelligence.anomaly_detection.detector import (
    COOLDOWN,
    THRESHOLD,
    Detector,
    _same_time_before,
    alarms,
    score_series,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
NOISE = np.random.default_rng(7).normal(0, 1, 4000)


def times(n: int, step: timedelta = STEP) -> np.ndarray:
    start = np.datetime64(NOW.replace(tzinfo=None), "us")
    return start - np.timedelta64(step) * np.arange(n)[::-1]


def scores(values, step: timedelta = STEP) -> np.ndarray:
    return score_series(times(len(values), step), np.asarray(values, dtype=float)).score


def daily_wave(n: int) -> np.ndarray:
    return 100 + 20 * np.sin(2 * np.pi * np.arange(n) / 288) + NOISE[:n]


def test_a_score_by_hand():
    # The level is 100 all along, and what is less than 1.5% of that is never large.
    values = np.array([100.0, 99.0, 100.0, 101.0] * 50 + [106.0])
    found = scores(values)
    assert found[-1] == pytest.approx(6 / (6 + 1.5))
    assert found[:-1].max() == pytest.approx(1 / (1 + 1.5))


def test_a_spike_a_shift_and_a_break_in_the_rhythm_are_found():
    spike = 100 + NOISE[:2000]
    spike[1500] = 112
    shift = 100 + NOISE[:2000]
    shift[1500:] += 8
    broken = daily_wave(4000)
    broken[3500:3560] = broken[3500 - 144 : 3560 - 144]  # night values by day
    for values, start, end in ((spike, 1500, 1501), (shift, 1500, 1530), (broken, 3500, 3560)):
        found = np.flatnonzero(scores(values) >= THRESHOLD)
        found = found[found > 700]
        assert len(found)
        assert start <= found[0] < end


def test_a_rhythm_is_no_anomaly():
    assert scores(daily_wave(4000))[1000:].max() < THRESHOLD


def test_a_metric_that_often_jumps_must_jump_further():
    calm, wild = 100 + NOISE[:2000], 100 + NOISE[:2000]
    wild[50:1900:40] += 12
    calm[1950] = wild[1950] = 113
    assert scores(calm)[1950] >= THRESHOLD
    assert scores(wild)[1950] < THRESHOLD


@pytest.mark.parametrize("value", [0.0, 7.5, -3.0, 1e11])
def test_a_constant_is_never_an_anomaly_and_its_end_is(value):
    values = np.full(300, value)
    assert scores(values).max() == 0
    values[-1] = value + max(1.0, abs(value))
    assert scores(values)[-1] > 0.9


def test_a_tiny_change_of_a_constant_is_none():
    values = np.full(300, 100.0)
    values[-1] = 101.4
    assert scores(values)[-1] < THRESHOLD


@pytest.mark.parametrize("n", [0, 1, 2, 30, 150])
def test_too_few_samples_are_not_judged(n):
    values = NOISE[:n].copy()
    if n:
        values[-1] = 1e6
    found = score_series(times(n), values)
    assert len(found.score) == len(found.expected) == len(found.judged) == n
    assert (found.score == 0).all()
    assert not found.judged.any()


def test_what_was_alarmed_does_not_train_the_memory():
    calm = 100 + NOISE[:4000]
    wild = calm.copy()
    wild[1000:4000:200] += 30  # 0.5% of the samples, one of them every 17 hours
    calm[3900] = wild[3900] = 115
    assert scores(calm)[3900] >= THRESHOLD
    assert scores(wild)[3900] >= THRESHOLD
    assert (scores(wild)[1000:4000:200] >= THRESHOLD).all()


def test_a_new_normal_is_learned_within_a_day():
    shifted, wilder = 100 + NOISE, 100 + NOISE
    shifted[2000:] += 50
    wilder[2000:] = 100 + 8 * NOISE[2000:]
    for values in (shifted, wilder):
        found = np.flatnonzero(scores(values) >= THRESHOLD)
        assert found[found >= 1900][0] < 2050
        assert (found > 2000 + 24 * 12).sum() <= 2


SAMPLES = st.lists(st.integers(-5, 5).map(float), min_size=150, max_size=260)


@settings(max_examples=20, deadline=None)
@given(SAMPLES, st.integers(30, 149), st.floats(-1e6, 1e6))
@example([0.0] * 59 + [1.0] * 91, 60, 0.0)
def test_later_samples_do_not_change_a_score(values, cut, later):
    changed = values[:cut] + [later] * (len(values) - cut)
    hourly = timedelta(hours=1)
    ts = times(len(values), hourly)
    whole = score_series(ts, np.array(values))
    other = score_series(ts, np.array(changed))
    part = score_series(ts[:cut], np.array(values[:cut]))
    for each in (other, part):
        np.testing.assert_array_equal(whole.score[:cut], each.score[:cut])
        np.testing.assert_array_equal(whole.expected[:cut], each.expected[:cut])


@settings(max_examples=20, deadline=None)
@given(SAMPLES, st.sampled_from([0.125, 4.0, 1024.0]))
def test_the_unit_does_not_matter(values, factor):
    np.testing.assert_allclose(scores(np.array(values) * factor), scores(values), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 1, 5, 60, 5000, -3]), min_size=120, max_size=200), st.data())
def test_any_clock_will_do(minutes, data):
    values = data.draw(
        st.lists(st.integers(0, 9).map(float), min_size=len(minutes), max_size=len(minutes))
    )
    start = np.datetime64("2026-01-01T00:00", "us")
    ts = start + np.cumsum(np.array(minutes, dtype="timedelta64[m]"))
    found = score_series(ts, np.array(values))
    assert ((found.score >= 0) & (found.score < 1)).all()
    assert np.isfinite(found.expected).all()


def test_after_half_a_day_samples_are_judged():
    values = NOISE[:172].copy()  # 25 samples make a level, and twelve hours what is rare
    values[-1] = 1e6
    assert scores(values)[-1] > 0.9


@settings(max_examples=20, deadline=None)
@given(SAMPLES, st.lists(st.integers(0, 260), max_size=6))
def test_scoring_piece_by_piece_is_scoring_at_once(values, cuts):
    ts, x = times(len(values), timedelta(hours=2)), np.array(values)
    whole, detector = score_series(ts, x, "Europe/Berlin"), Detector("Europe/Berlin")
    edges = [0, *sorted(min(cut, len(x)) for cut in cuts), len(x)]
    parts = [detector.score(ts[a:b], x[a:b]) for a, b in pairwise(edges)]
    for field in ("score", "expected", "judged"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, field), atol=1e-9)


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_the_budget_holds_however_often_samples_come(minutes):
    rng = np.random.default_rng(minutes)
    weeks, alarmed = 8, 0
    n = weeks * 7 * 1440 // minutes
    for make in (rng.normal, rng.exponential, rng.gumbel):
        found = score_series(times(n, timedelta(minutes=minutes)), 100 + make(size=n))
        alarmed += len(alarms(found.score))
    assert alarmed / (3 * weeks) <= 1.0


def test_the_same_time_before_is_not_taken_from_another_time():
    day = np.timedelta64(1, "D")
    start = np.datetime64("2026-03-01T00:00", "us")
    hours = np.array([0, 1, 2, 12, 24, 25, 30, 36], dtype="timedelta64[h]")
    found = _same_time_before(start + hours, np.arange(8.0), 8, day, 1)
    # Nothing was sampled at six o'clock on the first day: 30 h has no predecessor.
    np.testing.assert_array_equal(found, [np.nan] * 4 + [0, 1, np.nan, 3])


def test_an_alarm_is_not_raised_again_within_the_cooldown():
    score = np.zeros(400)
    score[[10, 11, 10 + COOLDOWN, 11 + 2 * COOLDOWN, 399]] = 0.9
    # What is anomalous again before the cooldown is over belongs to it, however long it lasts.
    assert alarms(score).tolist() == [10, 11 + 2 * COOLDOWN, 399]


@pytest.mark.parametrize("keeps", ["Europe/Berlin", "UTC"])
@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"])
def test_a_change_of_clocks_is_no_anomaly(keeps: str, change: str):
    ts = pd.date_range(
        end=pd.Timestamp(change, tz="UTC") + timedelta(days=4), periods=4000, freq="15min"
    ).as_unit("us")
    hour = ts.tz_convert(keeps).hour
    values = np.where((hour >= 9) & (hour < 18), 500.0, 20.0) + NOISE
    naive = ts.tz_localize(None).to_numpy()
    after = naive >= np.datetime64(change)
    assert score_series(naive, values, "Europe/Berlin").score[after].max() < THRESHOLD
    by_utc_alone = score_series(naive, values).score[after].max()
    assert bool(by_utc_alone < THRESHOLD) is (keeps == "UTC")

    broken = values.copy()
    broken[-100:-60] = np.where(values[-100:-60] > 250, 20.0, 500.0)
    seen = score_series(naive, broken, "Europe/Berlin").score
    assert (seen[-100:-60] >= THRESHOLD).any()


@pytest.mark.parametrize("level", [3e12, 9.2e18, 9e299])
def test_large_numbers_are_scored(level: float):
    values = np.where(np.arange(400) % 2, level, level * 0.999)
    values[-1] = 0.0
    assert scores(values)[-2] < THRESHOLD <= scores(values)[-1]
