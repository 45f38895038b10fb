"""The services' histories: the benchmark's values, at times moved by whole weeks."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from deployments.sample.history import DATA
from deployments.sample.series import PERIOD, SERVICES, History, Metric, labelled_anomalies

METRICS = [metric for metrics in SERVICES.values() for metric in metrics]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEEK = 7 * 86400


def latest(ts: float, now: float) -> float:
    """``ts`` moved by fortnights to its last time that is not in the future."""
    return ts + (now - ts) // PERIOD * PERIOD


def samples(metric: Metric) -> list[tuple[float, float]]:
    with gzip.open(DATA / "nab" / f"{metric.file}.csv.gz", "rt") as file:
        return [
            (datetime.fromisoformat(f"{row['timestamp']}+00:00").timestamp(), float(row["value"]))
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.file)
def test_every_sample_of_the_last_fortnight_is_real_and_moved_by_whole_weeks(metric) -> None:
    history, now = History(metric), NOW.timestamp()
    at_once: dict[float, list[float]] = {}
    for ts, value in samples(metric):
        at_once.setdefault(ts, []).append(value)
    assert len(at_once) > 4000
    start = min(at_once)
    for ts, values in at_once.items():
        moved = latest(ts + metric.weeks * WEEK, now)
        assert (moved - ts) % WEEK == 0
        if ts - start < PERIOD:  # two files are some minutes longer than 14 days
            # A clock that was set back gives several values of one time: the last counts.
            assert history.at(moved, now=now) == values[-1]


def test_at_any_time_an_anomaly_is_fresh_and_another_of_this_week() -> None:
    for hours in range(14 * 24):
        now = NOW + timedelta(hours=hours)
        ages = sorted(now - at for _, _, at in labelled_anomalies(now))
        assert timedelta(0) <= ages[0] <= timedelta(hours=48)
        assert ages[1] <= timedelta(days=7)
        assert ages[-1] < timedelta(days=14)


def test_labels_mark_what_the_benchmark_s_authors_marked() -> None:
    marked = [at for s, name, at in labelled_anomalies(NOW) if name.startswith("request_latency")]
    # The highest latency of the series, 99.248 ms on Tuesday 2014-03-18 at 22:41, is an anomaly.
    (at,) = (at for at in marked if at.weekday() == 1)
    assert (at.hour, at.minute) == (22, 41)
    history = History(SERVICES["storefront"][0])
    assert history.at(at.timestamp(), now=NOW.timestamp()) == pytest.approx(99.248)


def test_nothing_is_shown_of_the_future_or_beyond_the_retention() -> None:
    history, now = History(METRICS[0]), NOW.timestamp()
    assert history.at(now, now=now) is not None
    assert history.at(now + 1, now=now) is None
    assert history.at(now - PERIOD, now=now) is None
    assert history.at(now - PERIOD + 600, now=now) is not None
    assert history.between(now - 600, now + 6000, 300, now=now)[-1][0] == now


def test_a_sample_counts_for_five_minutes() -> None:
    history, now = History(METRICS[0]), NOW.timestamp()
    (first, value), *_ = samples(METRICS[0])
    moved = latest(first, now)
    assert history.at(moved, now=now) == history.at(moved + 299, now=now) == value


def test_a_gap_of_the_source_stays_a_gap() -> None:
    metric = SERVICES["storefront"][1]  # its request count lacks single samples
    times = [ts for ts, _ in samples(metric)]
    before = next(a for a, b in pairwise(times) if b - a == 600)
    now = NOW.timestamp()
    assert History(metric).at(latest(before, now) + 299, now=now) is not None
    assert History(metric).at(latest(before, now) + 301, now=now) is None
