"""A series followed from look to look: one signal per episode, and none when it is as usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.data_intelligence.anomaly_detection.following import (
    FORGOTTEN,
    STEP,
    USUAL_AGAIN,
    Followed,
    judge,
)
from blocks.vocabulary.looks import Signal
from blocks.vocabulary.messages import Severity

START = datetime(2026, 11, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LATENCY = "service:checkout/latency_ms"


def samples(
    start: datetime, end: datetime, level: float = 50.0, every: timedelta = timedelta(minutes=1)
) -> list[tuple[datetime, float]]:
    n = int((end - start) / every)
    noise = np.random.default_rng(int(start.timestamp())).normal(0, 2, n)
    return [(start + i * every, level + float(noise[i])) for i in range(n)]


def learned(series: str = LATENCY) -> Followed:
    each = Followed(series, "UTC", 1.0)
    each.see(samples(START, START + 7 * DAY), START + 7 * DAY)
    return each


def told(each: Followed, now: datetime, matters: bool = False) -> tuple[Signal, ...]:
    return judge([each], now, lambda series: matters)[1]


NOW = START + 7 * DAY


def test_an_episode_is_one_signal_until_it_is_usual_again():
    each = learned()
    assert told(each, NOW) == ()
    began, now, prints = NOW, NOW, set()
    while now < began + timedelta(minutes=25):
        each.see(samples(now, now + STEP, 200.0), now + STEP)
        now += STEP
        (signal,) = told(each, now)
        prints.add(signal.fingerprint)
    assert len(prints) == 1
    assert (signal.kind, signal.subject, signal.severity) == (
        "metric.unusual",
        "service:checkout",
        Severity.WARNING,
    )
    assert "far above what is usual since 2026-11-09 00:00 UTC" in signal.summary
    assert signal.evidence["since"] == began.isoformat()
    assert signal.evidence["expected"] == pytest.approx(50, abs=2)
    assert signal.evidence["value"] == pytest.approx(200, abs=3)
    assert signal.evidence["times_the_rare_deviation"] > 1

    ended = now
    while told(each, now):
        each.see(samples(now, now + STEP), now + STEP)
        now += STEP
    # The recent level, of an hour, takes a while to come back.
    assert ended + USUAL_AGAIN <= now <= ended + 2 * USUAL_AGAIN


def test_what_matters_is_an_error():
    each = learned()
    each.see(samples(NOW, NOW + STEP, 200.0), NOW + STEP)
    assert told(each, NOW + STEP, matters=True)[0].severity is Severity.ERROR


def test_one_slow_answer_among_many_is_nobodys_trouble():
    each = learned()
    values = samples(NOW, NOW + STEP)
    values[2] = (values[2][0], 58.0)
    each.see(values, NOW + STEP)
    assert told(each, NOW + STEP) == ()


def test_a_step_is_judged_when_it_is_over_and_once():
    each = learned()
    unseen = each.unseen
    assert unseen == NOW
    half = samples(NOW, NOW + STEP / 2, 200.0)
    each.see(half, NOW + STEP / 2)
    assert (each.unseen, told(each, NOW + STEP / 2)) == (unseen, ())
    each.see(half, NOW + STEP)
    each.see(half, NOW + STEP)
    assert told(each, NOW + STEP)[0].evidence["steps_known"] == 7 * 288 + 1


def test_a_process_that_starts_anew_comes_to_the_same_end():
    went_on = learned()
    late = samples(NOW, NOW + 3 * STEP, 200.0)
    for i in range(3):
        went_on.see(late, NOW + (i + 1) * STEP)
    anew = Followed(LATENCY, "UTC", 1.0)
    anew.see([*samples(START, NOW), *late], NOW + 3 * STEP)
    (one,), (other,) = told(went_on, NOW + 3 * STEP), told(anew, NOW + 3 * STEP)
    assert one.evidence == pytest.approx(other.evidence)


def test_what_stopped_is_no_longer_unusual():
    each = learned()
    each.see(samples(NOW, NOW + STEP, 200.0), NOW + STEP)
    assert told(each, NOW + STEP + FORGOTTEN)
    assert told(each, NOW + STEP + FORGOTTEN + STEP) == ()


def test_of_a_subject_with_a_series_that_cannot_be_judged_nothing_is_said():
    known, young = learned(), Followed("service:checkout/queue", "UTC", 1.0)
    young.see(samples(NOW - STEP, NOW), NOW)
    other = learned("probe:home/latency_ms")
    assert judge([known, young, other], NOW, lambda series: False)[0] == {"probe:home"}
    assert judge([known, other], NOW, lambda series: False)[0] == {"probe:home", "service:checkout"}


def test_a_watched_metric_is_a_subject_of_its_own():
    assert learned("metric:checkout/queue").subject == "metric:checkout/queue"


def test_hourly_samples_are_judged_as_they_come():
    each = Followed("store:shop/orders_per_hour", "Europe/Berlin", 1.0)
    hour = timedelta(hours=1)
    each.see(samples(START, START + 14 * DAY, every=hour), START + 14 * DAY)
    now = START + 14 * DAY
    each.see([(now, 0.0)], now + STEP)
    (signal,) = told(each, now + STEP)
    assert "orders_per_hour of shop is far below" in signal.summary
    each.see([(now + hour, 50.0)], now + hour + STEP)
    assert told(each, now + hour + STEP) == ()
