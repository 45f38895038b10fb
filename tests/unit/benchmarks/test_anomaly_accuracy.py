"""The benchmark's scorer against NAB's own rules, on numbers small enough to check."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from benchmarks.anomaly.nab import PROFILES, Labelled, nab_score, rewards
from benchmarks.anomaly.quiet import KINDS, WEEKS, generated, recorded

STANDARD = PROFILES["standard"]


def sigmoid(y: float) -> float:
    return 2 / (1 + exp(5 * y)) - 1


FILE = Labelled("x", np.arange(200).astype("datetime64[s]"), np.zeros(200), [(50, 59), (120, 129)])


def rows(*marked: int) -> list[np.ndarray]:
    return [np.array(marked, dtype=np.intp)]


def test_the_best_and_the_silent_detector():
    assert nab_score([FILE], rows(50, 120), STANDARD) == pytest.approx(100)
    assert nab_score([FILE], rows(), STANDARD) == 0


def test_rewards_by_hand():
    reward, member = rewards(FILE, STANDARD)
    assert (reward[:30] == 0).all()
    assert reward[30:50] == pytest.approx(-0.11)
    assert reward[50] == pytest.approx(1)
    assert reward[59] == pytest.approx(sigmoid(-0.1) / sigmoid(-1))
    assert reward[60] == pytest.approx(0.11 * sigmoid(1 / 9))
    assert reward[59 + 28] == pytest.approx(-0.11)
    assert member[[49, 50, 59, 60, 125]].tolist() == [-1, 0, 0, -1, 1]


def test_only_the_earliest_hit_of_a_window_counts_and_each_false_alarm():
    raw = 1 + sigmoid(-0.5) / sigmoid(-1) - 2 * 0.11  # 120 at once, 55 of 50..59, two false
    got = nab_score([FILE], rows(35, 40, 55, 57, 120, 125), STANDARD)
    assert got == pytest.approx(100 * (raw + 2) / 4)


def test_alarms_in_the_probationary_period_are_free():
    assert nab_score([FILE], rows(3, 29, 50, 120), STANDARD) == pytest.approx(100)


def test_a_quiet_stretch_keeps_a_day_from_every_label():
    ts = np.datetime64("2026-01-01T00:00", "us") + np.arange(30 * 288) * np.timedelta64(5, "m")
    labelled = Labelled("x", ts, np.arange(len(ts), dtype=float), [(10 * 288, 11 * 288)])
    (five,) = recorded([labelled], 5)
    assert (five.ts[0], five.ts[-1]) == (ts[12 * 288 + 1], ts[-1])
    (hourly,) = recorded([labelled], 60)
    assert len(hourly.ts) == 18 * 24
    assert hourly.values[1] == labelled.values[(12 * 24 + 1) * 12 :][:12].mean()
    assert list(recorded([labelled._replace(ts=ts[:288], values=ts[:288], windows=[])], 5)) == []


def test_quiet_series_are_sampled_as_asked():
    found = list(generated(60, range(1)))
    assert [each.name for each in found] == list(KINDS)
    assert {len(each.values) for each in found} == {WEEKS[60] * 7 * 24}
