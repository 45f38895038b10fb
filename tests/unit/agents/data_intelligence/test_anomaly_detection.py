"""The detector must see what stands out, and must never look ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.data_intelligence.anomaly_detection.series import detect_anomalies
from agents.data_intelligence.detector import (
    ALARM,
    COOLDOWN,
    FIRST_SCORED,
    THRESHOLD,
    _same_time_before,
    alarms,
    score_series,
)
from blocks.errors import ContractViolation, InvalidMessage
from blocks.vocabulary.conform import conform
from blocks.vocabulary.frames import SERIES

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
NOISE = np.random.default_rng(7).normal(0, 1, 4000)


def times(n: int, step: timedelta = STEP) -> np.ndarray:
    start = np.datetime64(NOW.replace(tzinfo=None), "us")
    return start - np.timedelta64(step) * np.arange(n)[::-1]


def frame(values, step: timedelta = STEP) -> pd.DataFrame:
    ts = pd.DatetimeIndex(times(len(values), step), tz="UTC")
    return conform(pd.DataFrame({"ts": ts, "value": values}), SERIES)[0]


def scores(values, step: timedelta = STEP) -> np.ndarray:
    return score_series(times(len(values), step), np.asarray(values, dtype=float)).score


def daily_wave(n: int) -> np.ndarray:
    return 100 + 20 * np.sin(2 * np.pi * np.arange(n) / 288) + NOISE[:n]


def test_a_score_by_hand():
    # The level is 100 all along, half of the deviations are 1, and so is their 99th percentile.
    values = np.array([100.0, 99.0, 100.0, 101.0] * 50 + [106.0])
    found = scores(values)
    assert found[-1] == pytest.approx(6 / (6 + ALARM))
    assert found[FIRST_SCORED:-1].max() == pytest.approx(1 / (1 + ALARM))


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


@pytest.mark.parametrize("n", [0, 1, 2, 30, FIRST_SCORED])
def test_too_few_samples_are_not_judged(n):
    values = NOISE[:n].copy()
    if n:
        values[-1] = 1e6
    found = score_series(times(n), values)
    assert len(found.score) == len(found.expected) == n
    assert (found.score == 0).all()


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


def test_the_first_sample_that_can_be_judged_is():
    values = NOISE[: FIRST_SCORED + 1].copy()
    values[-1] = 1e6
    assert scores(values)[-1] > 0.9


def test_the_same_time_before_is_not_taken_from_another_time():
    day = np.timedelta64(1, "D")
    start = np.datetime64("2026-03-01T00:00", "us")
    hours = np.array([0, 1, 2, 12, 24, 25, 30, 36], dtype="timedelta64[h]")
    found = _same_time_before(start + hours, np.arange(8.0), day, 1)
    # Nothing was sampled at six o'clock on the first day: 30 h has no predecessor.
    np.testing.assert_array_equal(found, [np.nan] * 4 + [0, 1, np.nan, 3])


def test_an_alarm_is_not_raised_again_within_the_cooldown():
    score = np.zeros(400)
    score[[10, 11, 10 + COOLDOWN - 1, 10 + COOLDOWN, 300]] = 0.9
    assert alarms(score).tolist() == [10, 10 + COOLDOWN, 300]


# ---------------------------------------------------------------- the action


def spiky(*rows: int, n: int = 1000) -> pd.DataFrame:
    values = 100 + NOISE[:n]
    values[list(rows)] = 130
    return frame(values)


def test_a_recent_anomaly_is_a_finding_and_an_old_one_is_not():
    report = detect_anomalies({"latency": spiky(400, 995), "load": spiky(400)}, NOW)
    assert [(a.series, a.recent) for a in report.anomalies if a.samples] == [
        ("latency", True),
        ("latency", False),
        ("load", False),
    ]
    (finding,) = report.findings
    assert finding.resource == "metric:latency"
    newest = report.anomalies[0]
    assert newest.peak_at == NOW - 4 * STEP
    assert (newest.peak_value, newest.direction) == (130, "above")
    assert newest.expected == pytest.approx(100, abs=1)
    assert newest.score >= report.threshold
    assert finding.evidence["peak_value"] == 130


def test_neighbouring_samples_are_one_anomaly():
    report = detect_anomalies(spiky(500, 501, 503, 510, 900), NOW)
    assert [a.samples for a in report.anomalies] == [1, 4]
    assert report.anomalies[1].end - report.anomalies[1].start == 10 * STEP


def test_samples_far_apart_in_time_are_two():
    values = 100 + NOISE[:400]
    values[[300, 301, 303]] = 130
    report = detect_anomalies(frame(values, timedelta(days=2)), NOW)
    # Samples in a row belong together, however far apart they are.
    assert sorted(a.samples for a in report.anomalies) == [1, 2]


def test_samples_after_now_do_not_exist():
    whole = spiky(900)
    early = NOW - 200 * STEP
    report = detect_anomalies({"m": whole}, early)
    assert report.series[0].samples == 800
    assert report.anomalies == []


def test_rows_may_come_in_any_order():
    samples = spiky(500, 995)
    shuffled = samples.sample(frac=1, random_state=1)
    assert detect_anomalies(shuffled, NOW) == detect_anomalies(samples, NOW)


def test_few_or_no_samples_are_said_to_be_too_few():
    report = detect_anomalies({"none": spiky().iloc[:0], "few": spiky(n=30)}, NOW)
    assert [s.note for s in report.series] == ["no samples", "too few samples (30 of 76)"]
    assert report.anomalies == []


def test_no_series_at_all():
    assert detect_anomalies({}, NOW).series == []


def test_bad_input_is_refused_in_words():
    with pytest.raises(InvalidMessage, match=r"threshold is 1\.5"):
        detect_anomalies({}, NOW, threshold=1.5)
    with pytest.raises(ContractViolation, match="Series 'm' has no column value"):
        detect_anomalies({"m": spiky()[["ts"]]}, NOW)
    naive = spiky().assign(ts=lambda f: f["ts"].dt.tz_localize(None))
    with pytest.raises(ContractViolation, match="times without a zone"):
        detect_anomalies({"m": naive}, NOW)


def test_a_metric_that_stopped_is_told_and_not_taken_for_well():
    going, stopped = spiky(400), spiky(400)
    stopped["ts"] -= timedelta(hours=3)
    report = detect_anomalies({"going": going, "stopped": stopped, "none": going.iloc[:0]}, NOW)
    assert {s.name: s.stopped for s in report.series} == {
        "going": False,
        "stopped": True,
        "none": True,
    }
    titles = {f.resource: f.title for f in report.findings if f.kind == "metric-stopped"}
    assert titles == {
        "metric:stopped": "stopped: no sample since 2026-03-02 09:00 UTC",
        "metric:none": "none: no sample at all",
    }


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


def test_the_zone_of_the_business_is_passed_on():
    ts = pd.date_range(end="2026-03-31 12:00", periods=2000, freq="15min", tz="UTC")
    hour = ts.tz_convert("Europe/Berlin").hour
    values = np.where((hour >= 9) & (hour < 18), 500.0, 20.0) + NOISE[:2000]
    shop = conform(pd.DataFrame({"ts": ts, "value": values}), SERIES)[0]
    now = ts[-1].to_pydatetime()
    assert detect_anomalies(shop, now, timezone="Europe/Berlin").findings == []
    assert detect_anomalies(shop, now).findings != []
    with pytest.raises(InvalidMessage, match=r"timezone is 'Middle\.Earth'"):
        detect_anomalies(shop, now, timezone="Middle.Earth")


@pytest.mark.parametrize("level", [3e12, 9.2e18, 9e299])
def test_large_numbers_are_scored(level: float):
    values = np.where(np.arange(400) % 2, level, level * 0.999)
    values[-1] = 0.0
    assert len(frame(values)) == 400
    assert scores(values)[-2] < THRESHOLD <= scores(values)[-1]
