"""What a person is told of metrics: anomalies, what is too short to judge, what has stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from agents.data_intelligence.anomaly_detection.series import detect_anomalies
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
    assert newest.score >= 0.5
    assert newest.times == pytest.approx(newest.score / (1 - newest.score))
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
    assert [a.samples for a in report.anomalies if a.peak_value == 130] == [1, 2]


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
    assert [s.note for s in report.series] == [
        "no samples",
        "too few samples (30) to judge the last one",
    ]
    assert report.anomalies == []


def test_no_series_at_all():
    assert detect_anomalies({}, NOW).series == []


def test_bad_input_is_refused_in_words():
    with pytest.raises(InvalidMessage, match="budget is 0"):
        detect_anomalies({}, NOW, budget=0)
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
